package netns

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

// A transit decides when, if ever, the frames of one direction arrive.
type transit struct {
	Faults
	rand  *rand.Rand
	idle  time.Time // when all that was sent has been put on the cable
	last  time.Time // when the last frame that was not held back arrives
	stats Stats
}

// newTransit returns a transit whose decisions follow from the seed and the direction, 0 or 1.
func newTransit(f Faults, seed, direction uint64) transit {
	if f.Queue == 0 {
		f.Queue = max(int(2*f.Delay.Seconds()*float64(f.Rate)), 96<<10)
	}
	if f.Hold == 0 {
		f.Hold = max(f.Delay+f.Jitter, time.Millisecond)
	}
	return transit{Faults: f, rand: rand.New(rand.NewPCG(seed, direction))}
}

// transmit sends a frame, which it may mark, and calls emit for each copy that will arrive.
func (t *transit) transmit(now time.Time, frame []byte, emit func(at time.Time)) {
	t.stats.Sent++
	sent, ok := t.serialize(now, frame)
	if !ok {
		t.stats.QueueFull++
		return
	}
	if t.Longest > 0 && len(frame) > t.Longest {
		t.stats.TooLong++
		return
	}
	if isARP(frame) {
		if at := sent.Add(t.Delay); at.After(t.last) {
			t.last = at
		}
		emit(t.last)
		return
	}
	if t.happens(t.Loss) {
		t.stats.Lost++
		return
	}
	copies := 1
	if t.happens(t.Duplicate) {
		t.stats.Duplicated++
		copies = 2
	}
	for range copies {
		at := sent.Add(t.Delay + t.upTo(t.Jitter))
		if at.Before(t.last) {
			at = t.last
		}
		if t.happens(t.Reorder) {
			t.stats.Reordered++
			at = at.Add(t.upTo(t.Hold))
		} else {
			t.last = at
		}
		emit(at)
	}
}

// isARP says that a frame is of address resolution, which is spared: see Faults.
func isARP(frame []byte) bool {
	return len(frame) >= 14 && binary.BigEndian.Uint16(frame[12:]) == unix.ETH_P_ARP
}

// serialize returns when the last byte of a frame has been sent, or false if there is no
// room for it to wait.
func (t *transit) serialize(now time.Time, frame []byte) (time.Time, bool) {
	if t.Rate <= 0 {
		return now, true
	}
	if t.idle.Before(now) {
		t.idle = now
	}
	// Compared as times, which the rate makes of bytes, since bytes that have
	// been sent in part are awkward to count.
	wait, own := t.idle.Sub(now), t.timeFor(len(frame))
	if wait > 0 && wait+own > t.timeFor(t.Queue) {
		return time.Time{}, false
	}
	if t.Mark > 0 && wait+own > t.timeFor(t.Mark) && markCongestion(frame) {
		t.stats.Marked++
	}
	t.idle = t.idle.Add(own)
	return t.idle, true
}

// timeFor returns how long it takes to send size bytes.
func (t *transit) timeFor(size int) time.Duration {
	return time.Duration(int64(size) * int64(time.Second) / t.Rate)
}

func (t *transit) happens(probability float64) bool {
	return probability > 0 && t.rand.Float64() < probability
}

// upTo returns a random time from (0, d], or zero if d is.
func (t *transit) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return 1 + time.Duration(t.rand.Int64N(int64(d)))
}
