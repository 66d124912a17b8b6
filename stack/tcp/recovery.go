package tcp

import "time"

// Loss recovery: fast retransmit and fast recovery by RFC 5681 section 3.2, with the
// partial acknowledgements of RFC 6582 (NewReno) and limited transmit (RFC 3042).

const dupThresh = 3 // RFC 5681

// recvDupACK counts a duplicate ACK.
func (c *Core) recvDupACK(now time.Time) {
	c.dupAcks++
	switch {
	case c.recovering:
		c.inflate += c.smss
	case c.dupAcks < dupThresh:
		c.inflate = c.dupAcks * c.smss // limited transmit
	case c.dupAcks == dupThresh && c.una > c.recover:
		c.cc.OnLoss(now, int(c.max-c.una))
		c.recovering, c.recover = true, c.max
		c.inflate = dupThresh * c.smss
		c.rexmit = true
	}
}

// recoverACK follows a new ACK for acked bytes.
func (c *Core) recoverACK(now time.Time, acked, flight int) {
	c.dupAcks, c.rexmit = 0, false
	switch {
	case !c.recovering:
		c.inflate = 0
		c.cc.OnAck(now, acked, flight)
	case c.una >= c.recover: // a full acknowledgement
		c.recovering, c.inflate = false, 0
		c.cc.OnRecovered(now)
	default: // a partial one: the next hole begins at una
		c.rexmit = true
		c.inflate = max(0, c.inflate-acked)
		if acked >= c.smss {
			c.inflate += c.smss
		}
	}
}

// recoverTimeout starts over from una: RFC 6298 (5.4) to (5.6), RFC 5681 section 3.1.
func (c *Core) recoverTimeout(now time.Time) {
	if c.una > 0 { // what a lost SYN means follows when it is acknowledged
		c.cc.OnTimeout(now, int(c.max-c.una), c.retries == 0)
	}
	c.recovering, c.recover = false, c.max
	c.dupAcks, c.inflate, c.rexmit = 0, 0, false
	c.nxt = c.una
	c.rtt.timing = false
	c.rtt.backoff++
}
