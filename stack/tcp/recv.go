package tcp

import (
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Recv processes a segment whose checksum and addresses were right:
// RFC 9293 section 3.10.7, https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.
// Whatever it causes to be sent leaves with the next Send. It returns whether the segment can
// be the peer's, by its sequence and acknowledgement numbers.
//
// A replica takes no segment: it knows of its peer what the log says. What the peer sends
// in the moment between a decision to take over and TakeOver, it sends again.
func (c *Core) Recv(now time.Time, seg *Segment) bool {
	if c.closed || c.replica != nil {
		return false // the shell answers for connections that are not there
	}
	c.keep.heard(now)
	if c.rcvNxt == 0 {
		c.recvSynSent(now, seg) // 3.10.7.3
		return c.rcvNxt > 0
	}
	// 3.10.7.4
	if !c.checkSequence(now, seg) { // first
		return c.plausible(seg)
	}
	switch {
	case seg.Flags&wire.RST != 0: // second; there is no security compartment, which would be third
		c.recvRST(now, seg)
		return false
	case seg.Flags&wire.SYN != 0 && (c.una > 0 || c.rcvPos(seg.Seq) != 0): // fourth
		c.sendChallenge(now) // RFC 5961 section 4
		return false
	case seg.Flags&wire.ACK == 0: // fifth
		return false
	}
	if !c.recvACK(now, seg) {
		return false
	}
	if c.rst >= 0 {
		return true // nobody will read it, and it is not acknowledged
	}
	// Sixth would be URG: urgent data is data.
	if seg.Flags&wire.SYN != 0 {
		seg.Seq++ // the SYN's place
	}
	c.recvData(now, seg) // seventh, and eighth: FIN
	return true
}

// plausible says that a segment with nothing new in it, such as a keep-alive, shows by both
// of its numbers that its sender knows the connection.
func (c *Core) plausible(seg *Segment) bool {
	pos, ack := c.rcvPos(seg.Seq), c.sndPos(seg.Ack)
	return seg.Flags&(wire.ACK|wire.RST|wire.SYN) == wire.ACK && c.una > 0 &&
		c.rcvNxt-int64(c.cfg.ReceiveBuffer) <= pos && pos <= c.rcvNxt && c.una-c.sndMax <= ack && ack <= c.max
}

// recvSynSent is RFC 9293 section 3.10.7.3.
func (c *Core) recvSynSent(now time.Time, seg *Segment) {
	hasACK := seg.Flags&wire.ACK != 0
	ack := c.sndPos(seg.Ack)
	if hasACK && (ack <= 0 || ack > c.max) {
		if seg.Flags&wire.RST == 0 {
			c.refuse(seg)
		}
		return
	}
	if seg.Flags&wire.RST != 0 {
		if hasACK {
			c.finish(ErrRefused)
		}
		return
	}
	if seg.Flags&wire.SYN == 0 {
		return
	}
	c.takeSYN(now, &seg.TCP)
	c.edge = 1 + min(int64(c.cfg.ReceiveBuffer), 65535)
	if !hasACK {
		// Simultaneous open: our SYN goes out again, with an ACK; or an ACK alone, if the
		// mark holds that back until ours has been acknowledged.
		c.nxt, c.ackNow = 0, true
		return
	}
	c.acknowledge(now, seg, ack, false)
	c.sndEdge = ack + c.sndWnd
	c.ackForce = true
	if len(seg.Payload) > 0 || seg.Flags&wire.FIN != 0 {
		seg.Seq++ // the SYN's place
		c.recvData(now, seg)
	}
}

// checkSequence says whether any of the segment is in the receive window, and
// takes note of its timestamp: RFC 9293 section 3.10.7.4, first, and RFC 7323 section 5.3.
func (c *Core) checkSequence(now time.Time, seg *Segment) bool {
	rst := seg.Flags&wire.RST != 0
	pos := c.rcvPos(seg.Seq)
	length := int64(len(seg.Payload))
	if seg.Flags&wire.SYN != 0 {
		length++
	}
	if seg.Flags&wire.FIN != 0 {
		length++
	}

	if c.una == 0 && pos == 0 && seg.Flags&(wire.SYN|wire.RST) == wire.SYN {
		// The peer's SYN once more. On its own it asks for our SYN-ACK again; with
		// an ACK it is the answer to ours in a simultaneous open.
		if seg.Flags&wire.ACK == 0 {
			c.nxt = 0
			return false
		}
		return true
	}

	if c.ts && !rst {
		if !seg.Options.HasTimestamps {
			if seg.Flags&wire.SYN != 0 {
				c.sendChallenge(now) // a peer that has forgotten the connection: RFC 5961 section 4
			}
			return false
		}
		// PAWS. A TS.Recent of 24 days may have wrapped and proves nothing.
		if int32(seg.Options.TSVal-c.tsRecent) < 0 && now.Sub(c.tsRecentAt) < 24*24*time.Hour {
			c.answerOld(now, length)
			return false
		}
	}

	wnd := c.edge - c.rcvNxt
	var acceptable bool
	switch {
	case length == 0 && wnd == 0:
		acceptable = pos == c.rcvNxt
	case length == 0:
		// A peer that has used up its window sends its ACKs from the edge.
		acceptable = c.rcvNxt <= pos && (pos < c.edge || pos == c.edge && !rst)
	case wnd > 0:
		acceptable = pos < c.edge && pos+length > c.rcvNxt
	}
	if rst && pos == c.acked && c.acked < c.rcvNxt {
		// A peer without this connection answers with the number that we last
		// acknowledged, which the mark may have held behind rcvNxt.
		acceptable = true
	}
	if !acceptable && wnd == 0 && pos == c.rcvNxt {
		// RFC 9293 section 3.4: a closed window must not keep ACKs and RSTs out.
		// The data is cut off: it will be sent again.
		acceptable = true
	}
	if !acceptable {
		if c.timeWait && seg.Flags&wire.FIN != 0 {
			c.lingerAt = now.Add(timeWaitLength) // the peer has missed our last ACK
		}
		if !rst {
			if seg.Flags&wire.SYN != 0 {
				length = 0 // not data: a challenge, RFC 5961 section 4
			}
			c.answerOld(now, length)
			c.duplicated(pos, min(pos+int64(len(seg.Payload)), c.rcvNxt))
		}
		return false
	}

	if c.ts && seg.Options.HasTimestamps && pos <= c.acked {
		// RFC 7323 section 4.3 (2).
		if int32(seg.Options.TSVal-c.tsRecent) >= 0 || now.Sub(c.tsRecentAt) >= 24*24*time.Hour {
			c.tsRecent, c.tsRecentAt = seg.Options.TSVal, now
		}
	}
	return true
}

// answerOld answers a segment that has nothing new in it, so that the peer knows where we
// are. While the mark holds that back, the answer to data can wait: the old number would
// be a duplicate ACK. A segment of no length is answered within limits: two
// confused ends must not feed each other.
func (c *Core) answerOld(now time.Time, length int64) {
	if length > 0 {
		c.dupAck = true
	} else {
		c.sendChallenge(now)
	}
}

// recvRST is RFC 9293 section 3.10.7.4, second, in the form of RFC 5961 section 3.
func (c *Core) recvRST(now time.Time, seg *Segment) {
	if c.timeWait {
		return // RFC 1337
	}
	if pos := c.rcvPos(seg.Seq); pos != c.rcvNxt && pos != c.acked {
		c.sendChallenge(now)
		return
	}
	if c.una == 0 && c.active {
		c.finish(ErrRefused)
		return
	}
	c.finish(ErrReset)
}

// recvACK is RFC 9293 section 3.10.7.4, fifth. It says whether to go on with the segment.
func (c *Core) recvACK(now time.Time, seg *Segment) bool {
	ack := c.sndPos(seg.Ack)
	if c.una == 0 && (ack <= 0 || ack > c.max) {
		c.refuse(seg)
		return false
	}
	if ack > c.max || ack < c.una-c.sndMax { // RFC 5961 section 5.2
		c.sendChallenge(now)
		return false
	}
	if c.una == c.max || c.sndEdge <= c.una {
		c.retries = 0 // a peer with a closed window may keep us waiting for ever: RFC 9293 section 3.8.6.1
	}

	wnd := int64(seg.Window)
	if seg.Flags&wire.SYN == 0 {
		wnd <<= c.sndShift // RFC 7323 section 2.2
	}
	if ack >= c.una {
		dup := ack == c.una && c.una < c.max && len(seg.Payload) == 0 && seg.Flags&wire.FIN == 0 && wnd == c.sndWnd
		c.acknowledge(now, seg, ack, dup)
	}
	if c.closed {
		return false
	}

	pos := c.rcvPos(seg.Seq)
	if ack >= c.una && (c.wl1 < pos || c.wl1 == pos && c.wl2 <= ack) {
		c.sndWnd = wnd
		c.sndMax = max(c.sndMax, wnd)
		c.sndEdge = ack + wnd
		c.wl1, c.wl2 = pos, ack
		if !c.probeAt.IsZero() && c.sndEdge > c.nxt {
			c.probeAt = time.Time{}
			c.rtt.backoff = 0
		}
	}
	return true
}

// advance takes note that everything before una has been acknowledged.
func (c *Core) advance(una int64) {
	if c.una == 0 {
		c.nxt = c.max // what is behind our SYN after a takeover is on the scoreboard
	}
	c.una = una
	c.patience.since = time.Time{}
	c.nxt = max(c.nxt, una)
	c.max = max(c.max, una)
	c.releaseOutput()
}

// recvData takes the payload and the FIN: RFC 9293 section 3.10.7.4, seventh and eighth.
func (c *Core) recvData(now time.Time, seg *Segment) {
	data := seg.Payload
	pos := c.rcvPos(seg.Seq)
	end := pos + int64(len(data))
	if seg.Flags&wire.FIN != 0 && c.rcvFin < 0 && end >= c.rcvNxt && end < max(c.edge, c.rcvNxt+1) {
		c.rcvFin = end
	}
	if c.rcvFin >= 0 && c.rcvNxt > c.rcvFin {
		if c.timeWait && len(data) > 0 {
			c.sendChallenge(now) // it has missed our last ACK
		}
		return // the stream is complete
	}
	if len(data) > 0 && c.orphan && end > c.rcvNxt {
		// Nobody will read it, and the peer should know: RFC 2525 section 2.17.
		c.putRST(CloseReset, nil)
		c.rstAnswers = c.rstDue()
		return
	}
	limit := c.inputLimit()
	if c.rcvFin >= 0 {
		limit = min(limit, c.rcvFin)
	}
	if end > limit {
		// Beyond the window: also a probe of one that is closed, which has to be answered.
		data = data[:max(0, int64(len(data))-(end-limit))]
		end = pos + int64(len(data))
		c.ackForce = true
	}
	if len(seg.Payload) > 0 {
		c.ecn.received(c, seg)
	}
	size := len(seg.Payload)
	if seg.SegmentSize > 0 {
		size = min(size, seg.SegmentSize)
	}
	c.rcvMSS = max(c.rcvMSS, min(size, c.cfg.MSS))

	switch {
	case pos > c.rcvNxt:
		if len(data) > 0 {
			c.duplicated(c.early.overlap(pos, end))
			c.early.insert(pos, data, 2*c.cfg.ReceiveBuffer)
		}
		if len(seg.Payload) > 0 || seg.Flags&wire.FIN != 0 {
			c.dupAck = true
		}
	case end > c.rcvNxt:
		if pos < c.rcvNxt {
			c.duplicated(pos, c.rcvNxt)
		} else {
			c.duplicated(c.early.overlap(pos, end))
		}
		c.takeInput(seg, data[c.rcvNxt-pos:])
		if len(c.early.chunks) > 0 {
			c.takeEarly()
			c.ackNow = true // RFC 5681 section 4.2
		}
		c.tuning.arrived(c, now, seg)
		c.oweACK(now)
	}
	if c.rcvFin >= 0 && c.rcvNxt == c.rcvFin {
		c.rcvNxt++
		c.ackNow = true
		c.early.free()
		c.settle(now)
	}
}

// takeInput appends data, part of seg's payload, to the stream. A payload that fills its
// block well is kept as it is; others are copied together.
func (c *Core) takeInput(seg *Segment, data []byte) {
	c.rcvNxt += int64(len(data))
	if seg.Block != nil && len(data) >= len(seg.Block.B)/4 {
		c.in.push(chunk{pos: c.in.end, data: data, block: seg.Block})
		seg.Block = nil
	} else {
		c.in.append(data)
	}
	if c.readShut {
		c.discardInput()
	}
}

// takeEarly moves what has become in order from the reassembly queue to the stream.
func (c *Core) takeEarly() {
	for {
		next, ok := c.early.next(c.rcvNxt)
		if !ok {
			break
		}
		if c.rcvFin >= 0 && next.end() > c.rcvFin {
			next.data = next.data[:max(0, c.rcvFin-next.pos)]
		}
		c.rcvNxt += int64(len(next.data))
		if len(next.data) >= len(next.block.B)/4 {
			c.in.push(next)
		} else {
			c.in.append(next.data)
			next.block.Free()
		}
	}
	if c.readShut {
		c.discardInput()
	}
}

// oweACK decides when input is acknowledged: at once if it is two full segments or more, else
// a little later (RFC 9293 section 3.8.6.3).
func (c *Core) oweACK(now time.Time) {
	if c.rcvNxt-c.acked >= 2*int64(c.rcvMSS) {
		c.ackNow = true
	} else if c.delackAt.IsZero() {
		c.delackAt = now.Add(delayedACK)
	}
}

const (
	delayedACK     = 40 * time.Millisecond // at most 500 ms
	timeWaitLength = 60 * time.Second      // 2 MSL, as in Linux
	finWait2Length = 60 * time.Second      // for a FIN that nobody waits for
)

// settle follows the consequences of a FIN, ours or the peer's, for the end of the connection.
func (c *Core) settle(now time.Time) {
	if c.finAcked() && !c.finReceived() {
		c.closedFirst = true // whatever the order was in which a replica came to know
	}
	switch {
	case c.closed || c.timeWait || c.rst >= 0 || !c.finAcked():
	case c.finReceived() && (c.closedFirst || c.replica != nil):
		// A replica does not know who closed first. The active node does, and were it not to
		// wait it would have ended, and End been called.
		c.timeWait = true
		c.rtoAt, c.probeAt, c.keep.at = time.Time{}, time.Time{}, time.Time{}
		c.lingerAt = now.Add(timeWaitLength)
	case c.finReceived():
		c.finish(nil)
	case c.orphan && c.lingerAt.IsZero():
		c.lingerAt = now.Add(finWait2Length)
	}
}

// finish ends the connection. What the user has not read yet stays readable.
func (c *Core) finish(err error) {
	if c.closed {
		return
	}
	c.closed, c.err = true, err
	c.out.free()
	c.early.free()
	c.rtoAt, c.probeAt, c.delackAt, c.lingerAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	c.board, c.rack.at, c.tail = scoreboard{}, time.Time{}, tailProbe{}
	c.keep.at, c.pace.until, c.patience.since = time.Time{}, time.Time{}, time.Time{}
}

// refuse answers seg with a RST: RFC 9293 section 3.10.7.1.
// While there is a RST that waits, that is answer enough.
func (c *Core) refuse(seg *Segment) {
	c.reset = c.rst < 0
	c.resetSeq = seg.Ack
}
