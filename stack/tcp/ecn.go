package tcp

import (
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// ecn is Explicit Congestion Notification: RFC 3168, https://www.rfc-editor.org/rfc/rfc3168. The network marks packets
// instead of dropping them. A mark is no promise to the peer: one that is lost in a takeover is made up for by the next.
type ecn struct {
	on      bool  // both SYNs said so
	echo    bool  // a marked packet has arrived: every ACK says so (ECE) until the peer answers (CWR)
	reduced bool  // we have answered a mark, which the next new data tells the peer (CWR)
	recover int64 // what was sent when the last mark was answered; a mark before it is part of that one
}

// AsksECN says what the flags of a SYN mean, grantsECN those of a SYN-ACK: RFC 3168 section 6.1.1.
func AsksECN(f wire.Flags) bool   { return f&(wire.ECE|wire.CWR) == wire.ECE|wire.CWR }
func grantsECN(f wire.Flags) bool { return f&(wire.ECE|wire.CWR) == wire.ECE }

// synFlags are the flags that our SYN negotiates with. One that was lost may have been
// dropped for them, and is sent again without: RFC 3168 section 6.1.1.1.
func (e *ecn) synFlags(c *Core) wire.Flags {
	switch {
	case c.rcvNxt > 0 && e.on:
		return wire.ECE
	case c.rcvNxt == 0 && c.cfg.ECN && c.retries == 0:
		return wire.ECE | wire.CWR
	}
	return 0
}

// received follows the ECN bits of a segment with data: RFC 3168 section 6.1.3. Both of its ends are in
// a hurry, and the ACK does not wait.
func (e *ecn) received(c *Core, seg *Segment) {
	if !e.on {
		return
	}
	if seg.Flags&wire.CWR != 0 {
		e.echo = false
		c.ackNow = true
	}
	if seg.ECN == wire.CE {
		e.echo = true
		c.ackNow = true
	}
}

// mark sets the ECN bits of a segment that is not a SYN. Only new data may be marked by the network, not what is sent
// again, nor an ACK: RFC 3168 section 6.1.4 and 6.1.5.
func (e *ecn) mark(seg *Segment, newData bool) {
	if !e.on || seg.Flags&wire.RST != 0 {
		return
	}
	if e.echo && seg.Flags&wire.ACK != 0 {
		seg.Flags |= wire.ECE
	}
	if newData {
		seg.ECN = wire.ECT0
		if e.reduced {
			seg.Flags |= wire.CWR
			e.reduced = false
		}
	}
}

// congested answers an ACK that says that a packet of ours was marked, once a round trip: RFC 3168 section 6.1.2.
func (c *Core) congested(now time.Time, flight int) {
	if c.una < max(c.ecn.recover, c.recover) {
		return
	}
	c.cc.OnMark(now, flight)
	c.ecn.recover = c.max
	c.ecn.reduced = true
}
