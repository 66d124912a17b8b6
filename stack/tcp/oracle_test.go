package tcp

import (
	"fmt"

	"github.com/ftcp-project/ftcp/wire"
)

// ours and theirs are the bytes of the two streams: a function of the position, so that
// whoever sees a byte knows whether it is the right one.
func ours(pos int64) byte   { return byte(uint64(pos) * 0x9e3779b97f4a7c15 >> 56) }
func theirs(pos int64) byte { return ^ours(pos) }

// stretch returns the bytes [from, from+n) of a stream.
func stretch(stream func(int64) byte, from int64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = stream(from + int64(i))
	}
	return b
}

// compare says whether the parts hold the stream from pos on.
func compare(parts [][]byte, stream func(int64) byte, pos int64) error {
	for _, p := range parts {
		for _, v := range p {
			if v != stream(pos) {
				return fmt.Errorf("the byte at %d is %#x, not %#x", pos, v, stream(pos))
			}
			pos++
		}
	}
	return nil
}

// oracle judges every segment of a core by what must hold whatever the core believes. It
// survives a takeover: to the peer, both cores are one.
type oracle struct {
	edge  int64 // the furthest right edge that was advertised
	acked int64
	spoke bool
}

// judge looks at a segment that the core has just emitted.
func (o *oracle) judge(c *Core, s *Segment) error {
	pos := int64(int32(s.Seq - c.cfg.ISS))
	end := pos + int64(s.Len)
	ack := int64(int32(s.Ack - c.irs))
	n := 0
	for _, p := range s.Parts {
		n += len(p)
	}
	if n != s.Len {
		return fmt.Errorf("%d bytes of %d", n, s.Len)
	}
	if s.Flags&wire.RST != 0 {
		if c.rst >= c.marks.Sendable {
			return fmt.Errorf("a RST at %d, sendable is %d", c.rst, c.marks.Sendable)
		}
		if s.Flags&wire.ACK != 0 && ack > c.marks.Ackable {
			return fmt.Errorf("ack %d, ackable is %d", ack, c.marks.Ackable)
		}
		return nil
	}
	if s.SegmentSize != 0 && s.Len <= s.SegmentSize || s.SegmentSize == 0 && s.Len > c.smss && (c.path.size == 0 || pos != c.path.pos) {
		return fmt.Errorf("%d bytes as segments of %d", s.Len, s.SegmentSize)
	}
	if err := compare(s.Parts, ours, pos); err != nil {
		return err
	}
	if o := &s.Options; s.Flags&wire.SYN == 0 && (o.MSS != 0 || o.HasWindowScale || o.SACKPermitted) {
		return fmt.Errorf("options of a SYN: %+v", *o)
	}
	last := end
	if s.Flags&(wire.FIN|wire.SYN) != 0 {
		last++
	}
	if last > c.marks.Sendable && last > pos {
		return fmt.Errorf("[%d,%d) is sent, sendable is %d", pos, last, c.marks.Sendable)
	}
	if s.Flags&wire.FIN != 0 && end != c.fin {
		return fmt.Errorf("a FIN at %d instead of %d", end, c.fin)
	}
	if s.Flags&wire.ACK == 0 {
		return nil
	}
	if ack > c.marks.Ackable || ack > c.rcvNxt {
		return fmt.Errorf("ack %d, ackable is %d, RCV.NXT %d", ack, c.marks.Ackable, c.rcvNxt)
	}
	if o.spoke && ack < o.acked {
		return fmt.Errorf("ack %d after %d", ack, o.acked)
	}
	shift := c.rcvShift
	if s.Flags&wire.SYN != 0 {
		shift = 0
	}
	edge := ack + int64(s.Window)<<shift
	// The window of a SYN has no scale. A peer that has heard of a larger one since knows the SYN.
	if o.spoke && edge < o.edge && s.Flags&wire.SYN == 0 {
		return fmt.Errorf("the right edge moves left, from %d to %d", o.edge, edge)
	}
	if edge > c.edge {
		return fmt.Errorf("the edge %d is advertised, %d is accepted", edge, c.edge)
	}
	o.edge, o.acked, o.spoke = max(o.edge, edge), ack, true
	return nil
}
