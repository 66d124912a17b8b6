package tcp

import (
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// benchCore is an established connection with all options, and large buffers.
func benchCore(now time.Time) *Core {
	syn := wire.TCP{Flags: wire.SYN, Window: 65535}
	syn.Options = wire.Options{MSS: 1460, HasWindowScale: true, WindowScale: 7, SACKPermitted: true, HasTimestamps: true, TSVal: 1}
	c := Accept(Config{MSS: 1460, GSO: 65535, ReceiveBuffer: 4 << 20, SendBuffer: 4 << 20, Epoch: now}, now, &syn)
	c.Send(now, func(*Segment) {})
	s := &Segment{}
	s.Flags, s.Seq, s.Ack, s.Window = wire.ACK, c.rcvSeq(1), c.sndSeq(1), 65535
	s.Options = wire.Options{HasTimestamps: true, TSVal: 1}
	c.Recv(now, s)
	return c
}

// BenchmarkReceive is bulk input in merged segments of 64 KB, handed over without a copy.
func BenchmarkReceive(b *testing.B) {
	now := epoch
	c := benchCore(now)
	const size = 45 * 1448
	s := &Segment{}
	parts := make([][]byte, 0, 8)
	emit := func(*Segment) {}
	b.ReportAllocs()
	b.SetBytes(size)
	for b.Loop() {
		now = now.Add(time.Microsecond)
		block := NewBlock(size)
		*s = Segment{Payload: block.B[:size], Block: block, SegmentSize: 1448}
		s.Flags, s.Seq, s.Ack, s.Window = wire.ACK, c.rcvSeq(c.rcvNxt), c.sndSeq(1), 65535
		s.Options = wire.Options{HasTimestamps: true, TSVal: 1}
		c.Recv(now, s)
		c.Send(now, emit)
		parts = c.Peek(parts[:0], c.Readable())
		c.Consume(c.Readable())
	}
	if c.Positions().Received < size {
		b.Fatal("nothing was received")
	}
}

// BenchmarkSend is bulk output in segments of 64 KB, acknowledged one by one.
func BenchmarkSend(b *testing.B) {
	now := epoch
	c := benchCore(now)
	const size = 45 * 1448
	ack := &Segment{}
	sent := 0
	emit := func(s *Segment) { sent += s.Len }
	b.ReportAllocs()
	b.SetBytes(size)
	for b.Loop() {
		now = now.Add(time.Microsecond)
		c.AppendBlock(NewBlock(size), size)
		c.Send(now, emit)
		*ack = Segment{}
		ack.Flags, ack.Seq, ack.Ack, ack.Window = wire.ACK, c.rcvSeq(1), c.sndSeq(c.max), 65535
		ack.Options = wire.Options{HasTimestamps: true, TSVal: 1, TSEcr: c.timestamp(now)}
		c.Recv(now, ack)
	}
	if sent == 0 {
		b.Fatal("nothing was sent")
	}
}
