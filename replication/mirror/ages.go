package mirror

import (
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// ages tells how old what arrives is, by the sender's clock: what was delayed on its way is older
// than what was not. The least difference between the two clocks in a while is taken for a way
// without delay; the while is short enough for clocks that drift.
type ages struct {
	heard     time.Duration // the latest time of sending, on this node's clock,
	arrived   time.Duration // and of arrival
	last, now window
}

// window is the least difference within a while.
type window struct {
	began, least time.Duration
	some         bool
}

const ageWindow = 10 * time.Second

// take takes note of what arrives at a time, and was sent at one of the sender's clock.
func (a *ages) take(now, sent time.Duration) {
	a.arrived = now
	diff := now - sent
	if !a.now.some || now-a.now.began > ageWindow {
		a.last, a.now = a.now, window{began: now, least: diff, some: true}
	}
	a.now.least = min(a.now.least, diff)
	least := a.now.least
	if a.last.some {
		least = min(least, a.last.least)
	}
	a.heard = max(a.heard, sent+least)
}

// heardAt is when the active node was heard last, by the time of its sending and of its arrival.
func (f *follower) heardAt() (sent, arrived time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ages.heard, f.ages.arrived
}

// theirPort is the other node's port, on this node's clock.
func (g *Mirror) theirPort(h *replpb.Health) *reign.Port {
	p := &reign.Port{Known: true, Carrier: h.Carrier, Heard: -1}
	if h.HeardMs >= 0 {
		p.Heard = g.now() - time.Duration(h.HeardMs)*time.Millisecond
	}
	return p
}
