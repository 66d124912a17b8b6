package tcp

import "time"

// The buffers of a connection are as large as its path needs, up to what Config allows, unless the user has set them.
// What is measured is not replicated: after a takeover it is measured again, and the advertised edge stays meanwhile.

const (
	// startWindow is the receive window of a new connection, and of one that has been idle.
	startWindow = 64 << 10

	// startSend is the least that the user may write ahead of the peer.
	startSend = 256 << 10

	// tuneLeast is the shortest time to measure over: what happens within a less is decided by schedulers, not by the path.
	tuneLeast = 2 * time.Millisecond

	// tuneIdle is the silence after which the window starts over. Senders do the same (RFC 5681 section 4.1).
	tuneIdle = 5 * time.Second
)

// receiveTuning sizes the receive window by what the user takes in a round trip (dynamic right-sizing): the peer needs
// room for that once more while it waits for word of it.
type receiveTuning struct {
	size  int           // bytes beyond what has been read; at most Config.ReceiveBuffer
	fixed bool          // the user has set it
	from  int64         // how far the readers were when this measurement began
	at    time.Time     // when that was
	last  int           // what the measurement before came to, in bytes
	heard time.Time     // when data arrived last
	rtt   time.Duration // the round trip, as the peer's echoes show it; 0: not known
}

// arrived takes note of data in order. It measures the round trip by the echoed timestamps, for who only
// receives has no other way.
func (t *receiveTuning) arrived(c *Core, now time.Time, seg *Segment) {
	readers := c.readers()
	if t.heard.IsZero() || now.Sub(t.heard) > tuneIdle {
		if !t.fixed {
			t.size = min(startWindow, c.cfg.ReceiveBuffer)
		}
		t.from, t.at, t.last = readers, now, 0
	}
	t.heard = now
	if t.fixed || t.size == c.cfg.ReceiveBuffer {
		return
	}
	if age, ok := c.echoed(now, seg); ok {
		// The peer may have waited before it sent: the least is nearest to the truth.
		if t.rtt == 0 || age < t.rtt {
			t.rtt = age
		} else {
			t.rtt += (age - t.rtt) / 8
		}
	}
	period := max(t.rtt, tuneLeast)
	if t.rtt == 0 {
		period = max(c.rtt.srtt, tuneLeast)
	}
	elapsed := now.Sub(t.at)
	if elapsed < period {
		return
	}
	taken := int(float64(readers-t.from) * float64(period) / float64(elapsed))
	want := 2*taken + 16*c.rcvMSS
	if taken > t.last && t.last > 0 {
		// The peer is in slow start: leave room for the next round trip's growth, too.
		want += int(float64(want) * min(1, float64(taken-t.last)/float64(t.last)))
	}
	t.size = min(max(t.size, want), c.cfg.ReceiveBuffer)
	t.from, t.at, t.last = readers, now, taken
}

// sendBuffer is how many bytes of output that may leave are kept: enough to fill the congestion window while
// another one is under way.
func (c *Core) sendBuffer() int {
	if c.sendFixed || c.replica != nil || c.cc == nil {
		return c.cfg.SendBuffer
	}
	return min(c.cfg.SendBuffer, max(startSend, 2*c.cc.Window()))
}

// Room is how many bytes Append would take. What waits for a standby's word does not count towards what
// the path needs, nor what has arrived behind a hole: while that is being filled, as much again is sent as arrives. But all that is kept is
// bounded by Config.SendBuffer. A replica may be written to as much as the
// active node: it is behind, and must not stand in its own way.
func (c *Core) Room() int {
	ready := int(c.ready()-c.una) - c.board.sacked
	return max(0, min(c.cfg.SendBuffer-int(c.appended-c.una), c.sendBuffer()-ready))
}
