package tcp

import "time"

const (
	synRetries    = 7  // four minutes: RFC 9293 section 3.8.3 asks for three at least
	synAckRetries = 5  // Linux
	dataRetries   = 15 // R2: about 15 minutes, Linux
)

// expire handles the timers that are due.
func (c *Core) expire(now time.Time) {
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	if c.closed {
		return
	}
	if due(c.lingerAt) {
		c.finish(nil)
		return
	}
	if due(c.patience.at()) {
		c.finish(ErrTimeout)
		return
	}
	if due(c.delackAt) {
		c.delackAt = time.Time{}
		c.ackNow = true
	}
	if due(c.rack.at) {
		c.reorderTimeout(now)
	}
	if due(c.rtoAt) {
		c.rtoAt = time.Time{}
		c.retransmitTimeout(now)
	} else if due(c.tail.at) {
		c.tail.expire(c, now)
	}
	if due(c.probeAt) {
		c.probeAt = time.Time{}
		c.probeTimeout()
	}
	busy := !c.rtoAt.IsZero() || !c.probeAt.IsZero() || c.una == 0
	if probe, dead := c.keep.expire(now, busy, c.patience.after); dead {
		c.timedOut()
	} else if probe {
		c.probe = true
	}
	c.armProbe(now)
}

// retransmitTimeout is RFC 6298 (5.4) to (5.7).
func (c *Core) retransmitTimeout(now time.Time) {
	limit := dataRetries
	switch {
	case c.una == 0 && c.active:
		limit = synRetries
	case c.una == 0:
		limit = synAckRetries
	}
	if c.retries >= limit && (c.una == 0 || c.patience.after <= 0) {
		c.finish(ErrTimeout)
		return
	}
	c.recoverTimeout(now)
	if c.una > 0 && c.sndEdge > c.una {
		c.blackHole(now)
	}
	c.retries++
	c.rtoAt = now.Add(c.rtt.rto())
	if c.una > 0 && c.sndEdge <= c.una {
		c.probe = true // the peer took its window back; nothing else can be sent
	}
}

// armProbe starts the timer for zero-window probes if there is something to
// send, nothing in flight whose acknowledgement would tell of the window, and the window in the way.
func (c *Core) armProbe(now time.Time) {
	if c.una == 0 || c.closed || !c.rtoAt.IsZero() || !c.probeAt.IsZero() {
		return
	}
	if c.board.lost == 0 && c.ready() <= c.nxt {
		return
	}
	if pos, n, fin := c.nextData(); n == 0 && !fin && c.sndEdge-pos < int64(c.smss) {
		c.probeAt = now.Add(c.rtt.rto())
	}
}

// probeTimeout probes a window that is closed, or makes use of one that is too
// small to be worth it otherwise: RFC 9293 section 3.8.6.1.
func (c *Core) probeTimeout() {
	if c.retries >= dataRetries && c.patience.after <= 0 {
		c.finish(ErrTimeout)
		return
	}
	c.retries++
	c.rtt.backoff++
	if c.sndEdge > c.nxt {
		c.override = true
	} else {
		c.probe = true
	}
}

// Unanswered is how many timeouts, or probes of an idle peer, there have been since it last answered.
func (c *Core) Unanswered() int { return max(c.retries, c.keep.sent) }

// deadline is the earliest timer.
func (c *Core) deadline() time.Time {
	next := c.rtoAt
	for _, t := range [...]time.Time{c.probeAt, c.delackAt, c.lingerAt, c.keep.at, c.rack.at, c.tail.at, c.pace.until, c.patience.at()} {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}
