package stack

import "time"

// Health is what a node can tell of its own place on the service network. Nobody vouches
// for any of it.
type Health struct {
	// Carrier says that every link's interface is there, is up, and has carrier. A device
	// that cannot tell counts as having it, until it fails.
	Carrier bool

	// Heard is when any link has last delivered a frame of another station: a node that
	// hears others is not cut off, whoever they are. A frame of our own that comes back
	// is none. Zero: never.
	Heard time.Time

	// Claimed is when another station has last said, in ARP or neighbour discovery, that
	// one of our addresses is its own. Anybody can say so: it may delay a decision, and
	// make none. Zero: never.
	Claimed time.Time
}

// Health returns what can be told now. It is cheap enough to be called many times a
// second.
func (s *Stack) Health() Health {
	h := Health{Carrier: true}
	for _, l := range s.Links() {
		if !l.carrier() {
			h.Carrier = false
		}
		if at := l.heard.Load(); at != 0 {
			h.Heard = later(h.Heard, l.born.Add(time.Duration(at)))
		}
		l.neighbors.mu.Lock()
		h.Claimed = later(h.Claimed, l.neighbors.claimed)
		l.neighbors.mu.Unlock()
	}
	return h
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// carrier asks the device.
func (l *Link) carrier() bool {
	if l.failed.Load() {
		return false
	}
	d, ok := l.device().(interface{ Carrier() bool })
	return !ok || d.Carrier()
}

// hear takes note that another station was heard. It counts from when there is the link,
// by the monotonic clock: the clock on the wall can be set, and would make a node that is
// cut off believe that it is not.
func (l *Link) hear(now time.Time) {
	l.heard.Store(max(1, int64(now.Sub(l.born))))
}
