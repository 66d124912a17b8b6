package tcp

import (
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Send emits every segment that may leave now, but for a RST (see [Core.ResetDue]), and
// returns the time at which to call it again even if nothing happens before; zero if
// there is none. A segment and what it points to are valid until emit returns.
func (c *Core) Send(now time.Time, emit func(*Segment)) (next time.Time) {
	c.patience.waits(c, now)
	c.expire(now)
	data := false
	for {
		seg := c.nextSegment(now)
		if seg == nil {
			break
		}
		data = data || seg.Len > 0
		emit(seg)
	}
	if data {
		c.usage.sent(c.una, c.nxt, c.board.inFlight(), c.cc.Window(), c.smss)
	}
	return c.deadline()
}

// nextSegment derives the next segment from the state, or returns nil if nothing may leave.
func (c *Core) nextSegment(now time.Time) *Segment {
	switch {
	case c.closed:
		return nil
	case c.nxt == 0 && c.rstDue():
		return nil // it needs no SYN before it
	case c.nxt == 0:
		return c.synSegment(now)
	case c.ackPos() < 1:
		return nil // all but our SYN acknowledges the peer's
	}
	if seg := c.dataSegment(now); seg != nil {
		return seg
	}
	if c.rstDue() {
		return nil // it acknowledges what there is
	}
	if c.probe {
		// An empty segment before SND.UNA makes the peer answer: RFC 9293 section 3.8.4.
		c.probe = false
		return c.segment(now, wire.ACK, c.una-1, 0, false)
	}
	if c.ackDue() {
		return c.segment(now, wire.ACK, c.behind(), 0, false)
	}
	return nil
}

// ackDue says whether an ACK has to leave on its own. What is held back by the
// mark is not acknowledged in parts: repeating the old number would tell the peer of a loss.
func (c *Core) ackDue() bool {
	switch {
	case c.rcvNxt == 0:
		return false
	case c.ackForce:
		return true
	case c.ackNow:
		return c.ackPos() > c.acked
	case c.dupAck:
		return c.ackPos() > c.acked || c.ackPos() == c.rcvNxt
	}
	return false
}

// behind is where a segment without data stands: behind all that was ever sent, for the peer
// drops what is before its RCV.NXT, with the acknowledgement in it; but not beyond the peer's window.
func (c *Core) behind() int64 {
	if c.una == 0 {
		return c.max
	}
	return max(c.una, min(c.max, c.sndEdge))
}

// segment makes a segment of n bytes of output from pos on, which are sent for the first time or again. Every segment that a peer sees
// is made here, and nothing in one is beyond the two marks: neither its acknowledgement nor
// its last position.
func (c *Core) segment(now time.Time, flags wire.Flags, pos int64, n int, again bool) *Segment {
	ack := c.ackPos()
	if end := min(pos+int64(n), c.marks.Sendable); end < pos+int64(n) {
		n = int(max(0, end-pos))
	}
	if pos >= c.marks.Sendable {
		flags &^= wire.SYN
	}
	if pos+int64(n) >= c.marks.Sendable {
		flags &^= wire.FIN
	}

	seg := &c.tx
	*seg = Segment{Parts: seg.Parts[:0], Len: n}
	seg.Seq = c.sndSeq(pos)
	seg.Flags = flags
	if flags&wire.ACK != 0 {
		seg.Ack = c.rcvSeq(ack)
		seg.Window = c.window(ack, flags&wire.SYN != 0)
		c.acked = max(c.acked, ack)
	} else {
		seg.Window = uint16(min(c.cfg.ReceiveBuffer, 65535))
	}
	if n > 0 {
		seg.Parts = c.out.slices(seg.Parts, pos, pos+int64(n))
		if n > c.smss {
			seg.SegmentSize = c.smss
		}
	}
	c.options(now, seg)
	if flags&wire.SYN == 0 {
		c.ecn.mark(seg, n > 0 && !again)
	}
	if flags&wire.ACK != 0 && ack == c.rcvNxt {
		c.ackNow = false
		c.delackAt = time.Time{}
	}
	if flags&wire.ACK != 0 && n == 0 {
		c.ackForce, c.dupAck = false, false
	} else if flags&wire.ACK != 0 {
		// Data says no SACK blocks; a duplicate ACK has to leave on its own.
		c.ackForce = false
	}
	return seg
}

// options sets what the segment's kind and the negotiation ask for.
func (c *Core) options(now time.Time, seg *Segment) {
	o := &seg.Options
	if seg.Flags&wire.SYN != 0 {
		o.MSS = uint16(min(c.cfg.MSS, 65535))
		o.HasWindowScale, o.WindowScale = c.scale, c.rcvShift
		o.SACKPermitted = c.sack
	}
	if c.ts {
		o.HasTimestamps = true
		o.TSVal = c.timestamp(now)
		if seg.Flags&wire.ACK != 0 {
			o.TSEcr = c.tsRecent
		}
	}
	if c.sack && seg.Len == 0 && seg.Flags&(wire.SYN|wire.FIN|wire.RST) == 0 {
		c.reportSACK(o)
	}
}

// reportSACK reports what is here and not acknowledged: first what arrived twice (RFC 2883 section 4), then
// what is out of order (RFC 2018 section 4).
func (c *Core) reportSACK(o *wire.Options) {
	if c.ackPos() < c.rcvNxt {
		return // what lies between the mark and RCV.NXT would look lost
	}
	n, most := 0, len(o.SACK)
	if c.ts {
		most = 3 // what fits behind timestamps
	}
	report := func(left, right int64) {
		o.SACK[n] = wire.SACKBlock{Left: c.rcvSeq(left), Right: c.rcvSeq(right)}
		n++
	}
	if c.again[0] < c.again[1] {
		report(c.again[0], c.again[1])
		c.again = [2]int64{}
	}
	var ranges [4][2]int64
	fin := c.rcvFin // it has its place, too
	if fin <= c.rcvNxt {
		fin = -1
	}
	for _, r := range ranges[:c.early.ranges(ranges[:most-n])] {
		if r[1] == fin {
			r[1], fin = fin+1, -1
		}
		report(r[0], r[1])
	}
	if fin >= 0 && n < most {
		report(fin, fin+1)
	}
	o.NumSACK = uint8(n)
}

// duplicated takes note of data that has arrived a second time.
func (c *Core) duplicated(left, right int64) {
	if c.sack && left < right {
		c.again = [2]int64{left, right}
		c.dupAck = true
	}
}

// synSegment makes our SYN, if it may leave: a SYN-ACK also shows that we have
// the peer's.
func (c *Core) synSegment(now time.Time) *Segment {
	flags := wire.SYN
	if c.rcvNxt > 0 {
		flags |= wire.ACK
		if c.marks.Ackable < 1 {
			return nil
		}
	}
	if c.marks.Sendable < 1 {
		return nil
	}
	if c.max == 0 {
		c.board.push(0, 1, c.departure(now))
	} else {
		c.board.resend(0, 1, c.departure(now))
	}
	c.nxt, c.max = max(c.max, 1), max(c.max, 1)
	if c.rtoAt.IsZero() {
		c.rtoAt = now.Add(c.rtt.rto())
	}
	return c.segment(now, flags|c.ecn.synFlags(c), 0, 0, c.max > 0)
}

// dataSegment makes the next segment of output, new or again, and the FIN.
func (c *Core) dataSegment(now time.Time) *Segment {
	if c.una == 0 {
		return nil
	}
	if c.una == c.max && !c.sentAt.IsZero() && now.Sub(c.sentAt) > c.rtt.rto() {
		c.sentAt = time.Time{}
		c.cc.OnIdle(now)
	}
	pos, n, fin := c.nextData()
	probe := 0
	if pos == c.nxt && n > 0 {
		probe = c.path.next(c, now, c.cwnd()-c.board.inFlight())
	}
	if probe > 0 {
		n, fin = probe, false
	}
	if n == 0 {
		c.pace.until = time.Time{}
		if !fin {
			c.ranDry()
			return nil
		}
	} else if m := c.paced(now, n); m == 0 {
		return nil
	} else if m < n {
		n, fin, probe = m, false, 0
	}
	c.sentAt = now
	flags := wire.ACK
	next := pos + int64(n)
	if next == c.dataEnd() && n > 0 {
		flags |= wire.PSH
	}
	if fin {
		flags |= wire.FIN
		next++
	}
	c.prr.out += int(next - pos)
	again := pos < c.nxt
	if again {
		c.board.resend(pos, next, c.departure(now))
		if !c.tail.force {
			c.episode.resend(pos, int(next-pos), c.timestamp(now))
		}
	} else {
		c.board.push(pos, next, c.departure(now))
		c.nxt, c.max = next, max(c.max, next)
		if c.tail.force {
			c.tail.end = c.max
		}
	}
	c.override, c.tail.force = false, false
	c.tail.arm(c, now)
	c.probeAt = time.Time{}
	if c.rtoAt.IsZero() || again && pos == c.una {
		// RFC 6298 (5.1). What una waits for has just been sent again, and is to have its time.
		c.rtoAt = now.Add(c.rtt.rto())
	}
	seg := c.segment(now, flags, pos, n, again)
	if probe > 0 {
		c.path.sent(c, pos, n)
		seg.SegmentSize = 0
	}
	return seg
}

// nextData says what output may be sent next: n bytes at pos, then the FIN. What is
// lost goes first.
func (c *Core) nextData() (pos int64, n int, fin bool) {
	room := c.cwnd() - c.board.inFlight()
	if c.tail.force {
		room = max(room, c.smss)
	}
	if lost, length := c.board.firstLost(c.gso()); length > 0 {
		return c.nextLost(lost, length, room)
	}
	pos = c.nxt
	end := c.ready()
	data := min(c.dataEnd(), end)
	n = max(0, min(int(min(data, c.sndEdge)-pos), room, c.gso()))

	if pos+int64(n) == c.fin && c.fin < min(end, c.sndEdge) {
		return pos, n, true
	}
	if pos+int64(n) == data {
		// All that there is. Nagle (RFC 9293 section 3.7.4) waits with what is small.
		if n < c.smss && !c.noDelay && c.una < c.nxt && c.fin < 0 {
			return pos, 0, false
		}
		return pos, n, false
	}
	if n >= c.smss {
		return pos, n - n%c.smss, false
	}
	// A window leaves room for less than a segment. Silly window avoidance,
	// RFC 9293 section 3.8.6.2.1: only if it is half the peer's largest, or has been waited for.
	if n > 0 && pos+int64(n) == c.sndEdge && (int64(n) >= c.sndMax/2 || c.override) {
		return pos, n, false
	}
	return pos, 0, false
}

// nextLost is nextData for positions that have been sent before, the FIN perhaps among them.
func (c *Core) nextLost(pos int64, length, room int) (int64, int, bool) {
	if length > c.smss {
		length -= length % c.smss
	}
	if room < length {
		if room < min(length, c.smss) && c.board.inFlight() > 0 {
			return pos, 0, false
		}
		length = min(length, max(room-room%c.smss, c.smss))
	}
	length = min(length, int(max(0, c.sndEdge-pos)))
	if c.fin >= 0 && pos+int64(length) > c.fin {
		return pos, int(c.fin - pos), true
	}
	return pos, length, false
}

// gso is the most payload that is emitted as one segment: whole segments only.
func (c *Core) gso() int {
	if c.ecn.reduced {
		return c.smss // CWR is for one packet
	}
	return max(c.cfg.GSO/c.smss, 1) * c.smss
}
