package tcp

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// choices reads decisions out of the bytes of a fuzzer. When they have run out, all is zero.
type choices []byte

func (c *choices) byte() int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b)
}

// small is a number around zero.
func (c *choices) small() int64 { return int64(int8(c.byte())) }

// of picks one of several.
func of[T any](c *choices, from ...T) T { return from[c.byte()%len(from)] }

var (
	edgySizes   = []int{0, 1, 2, 99, 100, 535, 536, 1000, 1459, 1460, 1461, 3000, 65535}
	edgyWindows = []uint16{0, 1, 99, 100, 1000, 1460, 32768, 65535}
	edgyTimes   = []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 40 * time.Millisecond, 200 * time.Millisecond,
		time.Second, 60 * time.Second, 30 * 24 * time.Hour}
	edgyFlags = []wire.Flags{wire.ACK, wire.ACK | wire.PSH, wire.ACK | wire.FIN, wire.RST, wire.RST | wire.ACK, wire.SYN,
		wire.SYN | wire.ACK, wire.FIN, 0, wire.SYN | wire.FIN | wire.ACK, wire.ACK | wire.URG}
)

// fuzzConfig is a configuration with something extreme in it.
func fuzzConfig(c *choices, epoch time.Time) Config {
	return Config{
		MSS:           of(c, 1460, 100, 536, 65495),
		SendMSS:       of(c, 0, 1460, 64),
		GSO:           of(c, 0, 65535, 3000),
		ReceiveBuffer: of(c, 65535, 1, 100, 1000, 5000, 1<<18, 1<<20),
		SendBuffer:    of(c, 1<<16, 1, 100, 5000),
		ISS:           of(c, uint32(1<<32-1000), 0, 1<<31-10, 1<<32-1),
		Epoch:         epoch,
		TSOffset:      of(c, uint32(0), 1<<32-10),
		ECN:           c.byte()%2 == 0,
		Congestion:    of(c, nil, NewBBR, NewReno),
		Early:         NewBudget(of(c, int64(1<<20), 0, 3000, 1<<18), new(atomic.Uint64)), // of this core only
	}
}

// fuzzSYN is what a peer may open with.
func fuzzSYN(c *choices) wire.TCP {
	syn := wire.TCP{Flags: wire.SYN, Seq: of(c, uint32(1<<32-700), 0, 1<<31-10, 1<<32-1), Window: of(c, edgyWindows...)}
	what := c.byte()
	syn.Options.MSS = of(c, uint16(1460), 0, 1, 536, 65535)
	syn.Options.HasTimestamps = what&1 != 0
	syn.Options.SACKPermitted = what&2 != 0
	syn.Options.HasWindowScale = what&4 != 0
	if what&8 != 0 {
		syn.Flags |= wire.ECE | wire.CWR
	}
	syn.Options.WindowScale = of(c, uint8(0), 1, 7, 14)
	return syn
}

// FuzzCore throws anything at a core. It must keep its invariants, fall silent
// between two deadlines, and never send what it may not.
func FuzzCore(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a passive open, then much of everything, with marks and without"))
	for i := range 16 {
		seed := make([]byte, 512)
		for j := range seed {
			seed[j] = ours(int64(i<<16 + j))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		r := &rig{t: t, c: (*choices)(&data)}
		r.run()
	})
}

// rig is a core under fuzz.
type rig struct {
	t      *testing.T
	c      *choices
	core   *Core
	now    time.Time
	next   time.Time
	irs    uint32
	oracle oracle
}

func (r *rig) run() {
	r.now = time.Unix(1<<30, 0)
	cfg := fuzzConfig(r.c, r.now)
	syn := fuzzSYN(r.c)
	r.irs = syn.Seq
	if r.c.byte()%4 == 0 {
		r.core = Connect(cfg, r.now)
		if r.c.byte()%4 == 0 {
			r.takeOver(cfg)
		}
	} else {
		r.core = Accept(cfg, r.now, &syn)
	}
	if r.c.byte()%2 == 0 {
		gate(r.core)
	}
	r.send()
	for len(*r.c) > 0 {
		r.step()
		r.check()
		r.send()
	}
	r.core.Abort(r.now)
	r.send()
	if n := r.core.cfg.Early.Used(); n != 0 {
		r.t.Fatalf("%d bytes of the budget are held after the end", n)
	}
}

// takeOver puts a standby in the place of the core, which is in SYN-SENT or was.
func (r *rig) takeOver(cfg Config) {
	sent := r.core.Snapshot()
	c, err := Restore(cfg, sent, r.now)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.c.byte()%2 == 0 {
		syn := fuzzSYN(r.c)
		syn.Seq = r.irs
		r.core.Recv(r.now, &Segment{TCP: syn})
		if err := c.Answer(r.now, r.core.Snapshot()); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := c.check(); err != nil {
		r.t.Fatal(err)
	}
	c.TakeOver(r.now, of(r.c, uint32(0), 60_000))
	r.core = c
}

func (r *rig) check() {
	if err := r.core.check(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) send() {
	n := 0
	r.next = r.core.Send(r.now, func(s *Segment) {
		if n++; n > 100_000 {
			r.t.Fatal("no end of segments")
		}
		if err := r.oracle.judge(r.core, s); err != nil {
			r.t.Fatalf("%s: %v", formatSegment(r.core, s), err)
		}
	})
	if r.core.ResetDue() && r.c.byte()%4 != 1 {
		r.core.SendReset(r.now, func(s *Segment) {
			if err := r.oracle.judge(r.core, s); err != nil {
				r.t.Fatalf("%s: %v", formatSegment(r.core, s), err)
			}
		})
		r.next = r.core.deadline()
	}
	r.check()
	if next := r.core.Send(r.now, func(s *Segment) { r.t.Fatalf("only a second Send sends %s", formatSegment(r.core, s)) }); !next.Equal(r.next) {
		r.t.Fatalf("deadline %v, then %v", r.next, next)
	}
	if !r.next.IsZero() && !r.next.After(r.now) {
		r.t.Fatalf("the deadline %v has passed already", r.next.Sub(r.now))
	}
}

func (r *rig) step() {
	c := r.core
	switch op := r.c.byte() % 32; op {
	case 0, 1, 2, 3:
		r.pass(of(r.c, edgyTimes...))
	case 4:
		c.Append(stretch(ours, c.dataEnd(), min(of(r.c, edgySizes...), r.writable())))
	case 5:
		if n := min(of(r.c, edgySizes...), r.writable()); n > 0 {
			b := NewBlock(n)
			copy(b.B, stretch(ours, c.dataEnd(), n))
			c.AppendBlock(b, n)
		}
	case 6, 7:
		r.read(of(r.c, edgySizes...))
	case 8:
		of(r.c, c.CloseWrite, c.CloseWrite, c.Close, c.Abort, func(time.Time) { c.CloseRead() })(r.now)
	case 9:
		raise(c, Marks{Ackable: c.rcvNxt + min(0, r.c.small())})
	case 10:
		raise(c, Marks{Sendable: c.appended + min(0, r.c.small())})
	case 11:
		raise(c, Marks{PeerRead: c.read + min(0, r.c.small())})
	case 12:
		of(r.c, gate, ungate)(c)
	case 13:
		keepIn(c, of(r.c, Unlimited, c.inEnd(), c.in.base))
	case 31:
		m := c.Bounds()
		m.KeepOut = of(r.c, Unlimited, c.una, c.out.base, 1)
		c.Bound(m)
	case 14:
		c.SetBuffers(of(r.c, edgySizes...), of(r.c, edgySizes...))
	case 15:
		c.SetNoDelay(r.c.byte()%2 == 0)
	case 16:
		c.SetKeepAlive(r.now, of(r.c, edgyTimes...), of(r.c, edgyTimes[1:]...), 1+r.c.byte()%4)
	case 17:
		c.SetUserTimeout(of(r.c, 0, 0, time.Millisecond, time.Second, time.Hour))
	case 18:
		c.PathMTU(r.now, c.sndSeq(c.una+r.c.small()), of(r.c, edgySizes...))
	default:
		r.inject()
	}
}

func (r *rig) writable() int {
	if !r.core.Writable() {
		return 0
	}
	return r.core.Room()
}

// pass lets the time pass, deadline by deadline, but not very many of them.
func (r *rig) pass(d time.Duration) {
	end := r.now.Add(d)
	for range 100 {
		if r.next.IsZero() || r.next.After(end) {
			r.now = end
			return
		}
		r.now = r.next
		r.send()
	}
}

func (r *rig) read(n int) {
	n = min(n, r.core.Readable())
	if err := compare(r.core.Peek(nil, n), theirs, r.core.read); err != nil {
		r.t.Fatal(err)
	}
	r.core.Consume(n)
}

// inject lets a segment arrive that is likely to touch an edge of something.
func (r *rig) inject() {
	c := r.core
	var s Segment
	s.Flags = of(r.c, edgyFlags...)
	n := of(r.c, edgySizes...)
	pos := of(r.c, c.rcvNxt, c.rcvNxt, c.rcvNxt-int64(n), c.acked, c.edge, c.edge-int64(n), c.rcvNxt+1000, c.rcvFin, 0)
	if what := r.c.byte(); what < 128 {
		pos += of(r.c, int64(-1), 1, r.c.small())
	}
	if c.rcvNxt == 0 {
		pos = 0 // a SYN decides where the stream begins
	}
	first := pos
	if s.Flags&wire.SYN != 0 {
		first++
	}
	s.Seq = r.irs + uint32(pos)
	payload := stretch(theirs, first, n)
	if r.c.byte()%2 == 0 && n > 0 {
		s.Block = NewBlock(n)
		s.Payload = s.Block.B[:copy(s.Block.B, payload)]
	} else {
		s.Payload = payload
	}
	ack := of(r.c, c.una, c.max, c.nxt, c.appended, c.una-c.sndMax, c.una+1, c.fin, 0)
	if what := r.c.byte(); what < 64 {
		ack += r.c.small()
	}
	s.Ack = c.sndSeq(ack)
	s.Window = of(r.c, edgyWindows...)
	s.SegmentSize = of(r.c, 0, 0, 1000, 1460)
	s.ECN = wire.ECN(r.c.byte() % 4)
	s.Flags |= of(r.c, 0, wire.ECE, wire.CWR)
	what := r.c.byte()
	s.Options.HasTimestamps = c.ts && what != 0
	s.Options.TSVal = c.tsRecent + uint32(of(r.c, 0, 1, 10, r.c.small()))
	s.Options.TSEcr = of(r.c, c.timestamp(r.now), 0, c.timestamp(r.now)-uint32(r.c.byte()))
	if s.Flags&wire.SYN != 0 {
		syn := fuzzSYN(r.c)
		s.Options = syn.Options
	}
	c.Recv(r.now, &s)
	if s.Block != nil {
		// The caller keeps the block, and uses it again.
		clear(s.Payload)
		s.Block.Free()
	}
}
