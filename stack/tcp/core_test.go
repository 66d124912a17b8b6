package tcp

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// check asserts the invariants that the fields of Core state.
func (c *Core) check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s: "+format+"; una %d nxt %d max %d sendable %d appended %d acked %d ackable %d rcvNxt %d edge %d read %d",
			append(append([]any{c.State()}, args...), c.una, c.nxt, c.max, c.marks.Sendable, c.appended, c.acked, c.marks.Ackable, c.rcvNxt, c.edge, c.read)...)
	}
	switch {
	case c.cfg.Early != nil && c.cfg.Early.Used() != int64(c.early.memory):
		return fail("%d bytes of the budget are held, for %d", c.cfg.Early.Used(), c.early.memory)
	case c.closed && c.early.memory != 0:
		return fail("%d bytes are held after the end", c.early.memory)
	case c.closed:
		return nil
	case c.una > c.nxt || c.nxt > c.max:
		return fail("una <= nxt <= max")
	case c.max > c.ackEnd():
		return fail("max <= %d", c.ackEnd())
	case c.replica == nil && c.max > c.marks.Sendable:
		return fail("max <= sendable")
	case c.acked > c.rcvNxt || c.acked > c.marks.Ackable:
		return fail("acked <= min(ackable, rcvNxt)")
	case c.rcvNxt > max(c.edge, 1)+1:
		return fail("rcvNxt <= edge")
	case c.read > max(1, c.rcvNxt):
		return fail("read <= rcvNxt")
	case c.out.base > max(c.una, 1):
		return fail("output from una on is kept: base %d", c.out.base)
	case c.fin >= 0 && c.ackEnd() != c.fin+1, c.rst >= 0 && c.appended != c.rst+1:
		return fail("FIN and RST are last: fin %d, rst %d", c.fin, c.rst)
	case c.rst >= 0 && c.early.memory != 0:
		return fail("%d bytes are held for nobody", c.early.memory)
	case c.out.end != c.dataEnd():
		return fail("output ends at %d, buffer at %d", c.dataEnd(), c.out.end)
	case c.in.end != c.inEnd():
		return fail("input ends at %d, buffer at %d", c.inEnd(), c.in.end)
	case c.rcvNxt-c.read > (math.MaxUint16+1)<<c.rcvShift+1:
		return fail("%d bytes of input wait", c.rcvNxt-c.read)
	case c.read < c.in.base:
		return fail("input from read on is kept: base %d", c.in.base)
	case c.early.memory > 2*c.cfg.ReceiveBuffer && c.early.memory > 2*math.MaxUint16<<c.rcvShift:
		return fail("%d bytes of storage for what is out of order", c.early.memory)
	case c.una > 0 && c.board.inFlight() > 0 && c.rtoAt.IsZero() && c.replica == nil:
		return fail("something is in flight and no timer runs")
	}
	return c.checkBoard()
}

// checkBoard asserts that the scoreboard covers what was sent, and that its sums are right.
func (c *Core) checkBoard() error {
	if c.replica != nil {
		return nil
	}
	pos, sacked, lost := c.una, 0, 0
	for _, r := range c.board.ranges {
		if r.start != pos || r.end <= r.start || r.sacked && r.lost {
			return fmt.Errorf("scoreboard at %d: %+v", pos, r)
		}
		if r.sacked {
			sacked += r.len()
		}
		if r.lost {
			lost += r.len()
		}
		pos = r.end
	}
	if pos != c.max || sacked != c.board.sacked || lost != c.board.lost {
		return fmt.Errorf("scoreboard ends at %d of %d, sacked %d lost %d: %+v", pos, c.max, sacked, lost, c.board)
	}
	return nil
}

// pair is two cores joined without loss or delay.
func TestTransfer(t *testing.T) {
	now := time.Unix(1000, 0)
	cfg := Config{MSS: 1460, ReceiveBuffer: 1 << 20, SendBuffer: 1 << 20, ISS: 1<<32 - 1000, Epoch: now}
	a := Connect(cfg, now)
	var b *Core
	var toA, toB []*Segment
	clone := func(s *Segment) *Segment {
		n := *s
		n.Parts = nil
		n.Payload = nil
		for _, p := range s.Parts {
			n.Payload = append(n.Payload, p...)
		}
		return &n
	}
	sent, got := 0, 0
	data := make([]byte, 3000)
	for i := 0; i < 2000; i++ {
		now = now.Add(time.Millisecond)
		if a.Established() && sent < 2000000 {
			for i := range data {
				data[i] = byte((sent + i) % 251)
			}
			sent += a.Append(data)
			if sent >= 2000000 {
				a.Close(now)
			}
		}
		a.Send(now, func(s *Segment) { toB = append(toB, clone(s)) })
		for _, s := range toB {
			if b == nil {
				b = Accept(cfg, now, &s.TCP)
				continue
			}
			b.Recv(now, s)
		}
		toB = nil
		if b != nil {
			if n := b.Readable(); n > 0 {
				for _, p := range b.Peek(nil, n) {
					for _, v := range p {
						if v != byte(got%251) {
							t.Fatalf("byte %d", got)
						}
						got++
					}
				}
				b.Consume(n)
			}
			if b.EOF() {
				b.Close(now)
			}
			b.Send(now, func(s *Segment) { toA = append(toA, clone(s)) })
		}
		for _, s := range toA {
			a.Recv(now, s)
		}
		toA = nil
		if err := a.check(); err != nil {
			t.Fatal(err)
		}
		if b != nil {
			if err := b.check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got != sent || a.State() != TimeWait || b.State() != Closed {
		t.Fatalf("sent %d got %d, %v %v", sent, got, a.State(), b.State())
	}
}
