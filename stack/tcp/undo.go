package tcp

import "time"

// episode is what was sent again because of one loss, or one timeout: enough to find out whether it was in vain
// (RFC 4015). The zero value is that of a loss that has just been found.
type episode struct {
	resent     int    // bytes that were sent again
	unreported int    // those of them that the peer has not reported as duplicates
	first      int64  // position of the first retransmission
	firstTS    uint32 // and its timestamp
	answered   bool   // it has been acknowledged
}

// resend takes note of a retransmission of n bytes at pos.
func (e *episode) resend(pos int64, n int, ts uint32) {
	if e.resent == 0 {
		e.first, e.firstTS = pos, ts
	}
	e.resent += n
	e.unreported += n
}

// duplicated takes note that n bytes had arrived before.
func (e *episode) duplicated(n int) { e.unreported = max(0, e.unreported-n) }

// undone looks whether the retransmissions of this episode were in vain: whether the first acknowledgement of the first of
// them answers something that was sent before it (Eifel, RFC 3522), or the peer has
// reported all of them as duplicates (RFC 3708). It returns whether there is a loss to respond to.
func (c *Core) undone(now time.Time, seg *Segment, d *delivery) (lost bool) {
	e := &c.episode
	spurious := d.dsack && e.resent > 0 && e.unreported == 0
	if e.resent > 0 && !e.answered && c.una > e.first {
		e.answered = true
		_, ok := c.echoed(now, seg)
		spurious = spurious || ok && int32(seg.Options.TSEcr-e.firstTS) < 0
	}
	if spurious {
		c.board.findNothingLost()
		c.cc.Undo()
		if c.recovering {
			c.rack.reordering = true // what looked lost was late
		}
		c.recovering, c.recover = false, c.una
		*e = episode{}
	}
	return c.board.lost > 0
}
