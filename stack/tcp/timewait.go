package tcp

import (
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Reusable says that the connection is in TIME-WAIT and seg is a SYN that can
// only be of a new connection, by its timestamp or its sequence number: RFC 6191, RFC 9293 section 3.6.1.
func (c *Core) Reusable(now time.Time, seg *wire.TCP) bool {
	if !c.timeWait || seg.Flags&(wire.SYN|wire.ACK|wire.RST|wire.FIN) != wire.SYN {
		return false
	}
	if c.ts && seg.Options.HasTimestamps && seg.Options.TSVal != c.tsRecent {
		return int32(seg.Options.TSVal-c.tsRecent) > 0
	}
	return c.rcvPos(seg.Seq) > c.rcvNxt
}

// NextISS is the initial sequence number of the connection that takes this one's place: iss, unless that is not
// beyond all that was sent here (RFC 9293 section 3.6.1). The clock of RFC 6528 is slower than a fast connection.
func (c *Core) NextISS(iss uint32) uint32 {
	if end := c.sndSeq(c.max); int32(iss-end) < 0 {
		return end
	}
	return iss
}

// Urgent says that Send has an ACK to send that should not wait for further segments.
func (c *Core) Urgent() bool { return c.ackForce || c.dupAck || c.ResetDue() || c.board.lost > 0 }
