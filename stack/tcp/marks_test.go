package tcp

import "testing"

// gate lets the peer see nothing more, from here on.
func gate(c *Core) {
	m := c.Bounds()
	m.Ackable, m.Sendable, m.PeerRead = 0, 0, 0
	c.Bound(m)
}

// ungate lifts the bounds.
func ungate(c *Core) {
	m := c.Bounds()
	m.Ackable, m.Sendable, m.PeerRead = Unlimited, Unlimited, Unlimited
	c.Bound(m)
}

// raise raises the bounds, where to has more.
func raise(c *Core, to Marks) {
	m := c.Bounds()
	m.Ackable, m.Sendable, m.PeerRead = max(m.Ackable, to.Ackable), max(m.Sendable, to.Sendable), max(m.PeerRead, to.PeerRead)
	c.Bound(m)
}

func keepIn(c *Core, pos int64) {
	m := c.Bounds()
	m.KeepIn = pos
	c.Bound(m)
}

func keepOut(c *Core, pos int64) {
	m := c.Bounds()
	m.KeepOut = pos
	c.Bound(m)
}

// TestKeepOut asserts that output is kept for as long as it is asked for, in which it
// takes none of the user's room.
func TestKeepOut(t *testing.T) {
	m, err := newMachine("established sndbuf=5000")
	if err != nil {
		t.Fatal(err)
	}
	c := m.core
	keepOut(c, 1)
	do := func(kind byte, arg string) {
		t.Helper()
		if err := m.do(kind, arg); err != nil {
			t.Fatal(err)
		}
		if err := m.send(); err != nil {
			t.Fatal(err)
		}
	}
	do('c', "write 5000")
	do('<', ". 1:1(0) ack 5001")
	if n := c.Room(); n != 5000 {
		t.Errorf("room for %d bytes", n)
	}
	do('c', "write 100")
	out := func(from, to int64) (n int64) {
		t.Helper()
		parts := c.Output(nil, from, to)
		for _, p := range parts {
			n += int64(len(p))
		}
		if err := compare(parts, ours, from); err != nil {
			t.Error(err)
		}
		return n
	}
	if n := out(1, 5101); n != 5100 {
		t.Errorf("%d bytes of output", n)
	}
	if n := out(5051, 6000); n != 50 {
		t.Errorf("%d bytes of the rest", n)
	}
	keepOut(c, 4001)
	if p := c.Positions().OutStart; p != 4001 {
		t.Errorf("output begins at %d", p)
	}
	if out(4000, 4100) != 0 || out(4001, 4100) != 99 || out(5101, 5102) != 0 {
		t.Error("what is not kept is returned")
	}
	keepOut(c, Unlimited)
	if p := c.Positions().OutStart; p != 5001 {
		t.Errorf("output begins at %d", p)
	}
	if err := c.check(); err != nil {
		t.Error(err)
	}
}

// TestBoundSeen asserts that a bound does not take back what the peer may have seen.
func TestBoundSeen(t *testing.T) {
	m, err := newMachine("established rcvbuf=10000")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []struct {
		kind byte
		arg  string
	}{{'c', "write 100"}, {'<', "P. 1:4001(4000) ack 1"}, {'c', "read 4000"}, {'c', "write 10"}} {
		if err := m.do(l.kind, l.arg); err != nil {
			t.Fatal(err)
		}
		if err := m.send(); err != nil {
			t.Fatal(err)
		}
	}
	m.core.Bound(Marks{KeepIn: Unlimited, KeepOut: Unlimited})
	acked, sent := m.core.Shown()
	if got, want := m.core.Bounds(), (Marks{acked, sent, 4001, Unlimited, Unlimited}); got != want || acked != 4001 || sent != 111 {
		t.Errorf("bounds %v; want %v", got, want)
	}
	// Nor is it put off again and again by what rounding gives away.
	edge := m.core.Positions().Edge
	m.core.Bound(Marks{KeepIn: Unlimited, KeepOut: Unlimited})
	if got := m.core.Bounds().PeerRead; got > edge-10000 {
		t.Errorf("read %d, of an edge %d", got, edge)
	}
}
