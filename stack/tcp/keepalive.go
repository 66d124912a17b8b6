package tcp

import "time"

// keepAlive probes a peer that has been silent: RFC 9293 section 3.8.4.
type keepAlive struct {
	idle     time.Duration // silence before the first probe; 0: off
	interval time.Duration // between probes
	count    int           // probes without an answer before the connection is dead
	at       time.Time     // zero: off
	sent     int           // probes without an answer
	last     time.Time     // when the peer was heard
}

// SetKeepAlive turns keep-alive probes on, or off if idle is zero.
func (c *Core) SetKeepAlive(now time.Time, idle, interval time.Duration, count int) {
	c.keep = keepAlive{idle: idle, interval: interval, count: count, last: now}
	if idle > 0 && !c.closed && c.rst < 0 {
		c.keep.at = now.Add(idle)
	}
}

// heard takes note of a segment from the peer. The timer is put off when it expires, not on
// every segment.
func (k *keepAlive) heard(now time.Time) { k.last, k.sent = now, 0 }

// expire handles the timer and says whether a probe is due. busy says that another timer has a
// question out: it decides then, by its own patience. A user timeout, unless it is zero, takes the place of count.
func (k *keepAlive) expire(now time.Time, busy bool, patience time.Duration) (probe, dead bool) {
	if k.at.IsZero() || now.Before(k.at) {
		return false, false
	}
	if busy {
		k.at, k.sent = now.Add(k.idle), 0
		return false, false
	}
	if due := k.last.Add(k.idle); k.sent == 0 && now.Before(due) {
		k.at = due
		return false, false
	}
	if patience > 0 && k.sent > 0 && now.Sub(k.last) >= patience || patience <= 0 && k.sent >= k.count {
		return false, true
	}
	k.sent++
	k.at = now.Add(k.interval)
	return true, false
}
