package tcp

import "time"

// tailProbe sends one segment when acknowledgements fail to come, long before the retransmission
// timer: a loss at the end of a flight is then found as one in its middle. RFC 8985 section 7.
type tailProbe struct {
	at     time.Time // when to probe; zero: not
	end    int64     // TLP.end_seq: what was sent when the probe was; 0: none is out
	resent bool      // TLP.is_retrans: the probe was no new data
	force  bool      // send one segment, whatever the congestion window says
}

// arm sets the timer, if there is something in flight and no other timer is nearer the truth.
func (t *tailProbe) arm(c *Core, now time.Time) {
	t.at = time.Time{}
	if !c.sack || t.end != 0 || c.recovering || c.board.lost > 0 || c.una < 1 || c.una == c.max ||
		c.una < c.recover || c.rtt.srtt == 0 || c.sndEdge <= c.una {
		return
	}
	pto := 2 * c.rtt.srtt
	if c.board.inFlight() <= c.smss {
		pto += delayedACKMax
	}
	if at := now.Add(max(pto, minPTO)); c.rtoAt.IsZero() || at.Before(c.rtoAt) {
		t.at = at
	}
}

const (
	delayedACKMax = 200 * time.Millisecond // TLP.max_ack_delay
	minPTO        = 2 * time.Millisecond   // less would be within the noise of timers
)

// expire sends the probe: new data if there is, and the last segment again otherwise.
func (t *tailProbe) expire(c *Core, now time.Time) {
	t.at = time.Time{}
	t.end = c.max
	t.force = true
	if end := c.ready(); end > c.nxt && c.sndEdge > c.nxt {
		t.end = 0 // dataSegment sets it
		t.resent = false
	} else {
		t.resent = true
		c.board.loseLast(c.smss)
	}
	c.rtoAt = now.Add(c.rtt.rto())
}

// acknowledged follows an ACK: section 7.4. A probe that was a retransmission, and is acknowledged without word of a duplicate,
// has repaired a loss, which the congestion controller has to learn of.
func (t *tailProbe) acknowledged(c *Core, now time.Time, d *delivery) {
	if t.end == 0 || c.una < t.end {
		return
	}
	if t.resent && !d.dsack && !c.recovering {
		c.cc.OnLoss(now, d.flight)
		c.cc.OnRecovered(now)
	}
	*t = tailProbe{}
}
