package tcp

import (
	"hash/crc32"
	"math"
	"sync/atomic"
	"testing"
	"time"
)

// standby is the replica of a server, and what it has been told.
type standby struct {
	host
	offered  Positions // of the last offer; its output is to be verified
	active   digest    // of the offered output
	own      digest    // of what has been verified
	verified int64
}

// digest is that of a core's output before end.
type digest struct {
	end int64
	sum uint32
}

// extend goes on with the digest until to, for whose sake the core keeps its output.
func (d *digest) extend(c *Core, to int64) {
	for _, p := range c.Output(nil, d.end, to) {
		d.sum = crc32.Update(d.sum, crc32.IEEETable, p)
		d.end += int64(len(p))
	}
	keepOut(c, d.end)
}

// verify compares the standby's output with what was offered, if it has produced as much.
func (s *standby) verify() error {
	p, end := s.core.Positions(), s.offered.OutEnd
	if s.core.Ended() || p.OutEnd < end {
		return nil
	}
	data := end
	if s.offered.OutClose != NotClosed {
		data--
	}
	s.own.extend(s.core, data)
	if s.own != s.active || s.offered.OutClose != NotClosed && (p.OutEnd != end || p.OutClose != s.offered.OutClose) {
		return ErrDiverged
	}
	s.verified = end
	return nil
}

// echo is a user that writes a byte for every byte it reads, and closes at the end, or
// aborts when it has written as much as abortAt. It is a function of its input, so that
// it can be mirrored.
func echo(t *testing.T, budget func() int, abortAt int64) func(*host) {
	return func(h *host) {
		c := h.core
		if !c.Writable() {
			return
		}
		n := min(c.Room(), budget(), int(abortAt-c.dataEnd()+1))
		n = h.consume(t, n)
		c.Append(stretch(ours, c.dataEnd(), n))
		if c.dataEnd()-1 == abortAt {
			c.Abort(time.Time{})
			return
		}
		if c.EOF() && c.Readable() == 0 && c.Err() == nil {
			h.eof = true
			c.Close(time.Time{})
		}
	}
}

// replicate does one of the steps by which the standby learns of what happens and the marks
// are raised, at most n bytes a time.
func (w *world) replicate(s *standby, active *Core, step, n int) {
	if active == nil || active.Ended() {
		return
	}
	if s.core == nil {
		gate(active)
		keepIn(active, 1)
		keepOut(active, 1)
		s.active.end, s.own.end, s.verified = 1, 1, 1
		var err error
		if s.core, err = Restore(s.cfg, active.Snapshot(), w.now); err != nil {
			w.t.Fatal(err)
		}
	}
	switch step % 4 {
	case 0: // offer
		p := active.Positions()
		if p.Received > 0 && s.core.Positions().Received == 0 {
			if err := s.core.Answer(w.now, active.Snapshot()); err != nil {
				w.t.Fatal(err)
			}
		}
		u := Update{InAt: s.core.Positions().InEnd, Una: p.Una, Edge: p.Edge, SndWnd: p.SndWnd, TSRecent: p.TSRecent, PathMSS: p.PathMSS}
		if p.OutClose != NotClosed {
			u.Close, u.CloseAt = p.OutClose, p.OutEnd-1
		}
		u.Input = make([]byte, min(int64(n), p.InEnd-u.InAt))
		if got := active.CopyInput(u.Input, u.InAt); got != len(u.Input) {
			w.t.Fatalf("%d of %d bytes at %d", got, len(u.Input), u.InAt)
		}
		u.InFIN = p.InFIN && u.InAt+int64(len(u.Input)) == p.InEnd
		if err := s.core.Replay(w.now, &u); err != nil {
			w.t.Fatal(err)
		}
		keepIn(active, s.core.Positions().InEnd)
		s.offered = p
		s.active.extend(active, active.dataEnd())
	case 1: // the standby's user
		w.serve(&s.host)
	case 2: // compare
		if err := s.verify(); err != nil {
			w.t.Fatal(err)
		}
	case 3: // confirm
		p := s.core.Positions()
		raise(active, Marks{Ackable: p.Received, Sendable: s.verified, PeerRead: p.Read})
	}
}

// FuzzReplica kills a replicated server at some moment. The client's stream is intact. It may be
// the server that has opened the connection, or both.
func FuzzReplica(f *testing.F) {
	f.Add([]byte{})
	for i := range 32 {
		seed := make([]byte, 400)
		for j := range seed {
			seed[j] = ours(int64(i<<16 + j))
		}
		f.Add(seed)
	}
	f.Fuzz(fuzzReplica)
}

func fuzzReplica(t *testing.T, data []byte) {
	if len(data) > 2048 {
		return
	}
	w := newWorld(t, (*choices)(&data))
	killAt := w.c.byte() + w.c.byte()*w.c.byte()%2048
	outage := time.Duration(w.c.byte()) * 10 * time.Millisecond
	shift := of(w.c, uint32(60_000), 1<<20)
	kind := w.c.byte()
	zombie := kind%2 == 0
	abortAt := int64(math.MaxInt32)
	if kind&14 == 2 {
		abortAt = int64(kind>>4)*1000 + 1
	}

	w.client, w.server = fuzzHost(w, "client"), &host{name: "active", cfg: fuzzConfig(w.c, w.now)}
	budget := func() int { return of(w.c, 1<<20, 1, 10, 1000) }
	w.server.user = echo(t, budget, abortAt)
	w.client.total = min(w.client.total, int64(50*w.server.cfg.ReceiveBuffer))
	s := &standby{host: host{name: "standby", cfg: w.server.cfg, user: echo(t, budget, abortAt)}}
	s.cfg.Early = NewBudget(1<<20, new(atomic.Uint64)) // it is another node's
	s.offered.OutEnd = 1
	active := w.server
	opens := w.c.byte()
	if opens%4 != 1 {
		w.client.core = Connect(w.client.cfg, w.now)
		w.client.core.SetNoDelay(w.c.byte()&1 == 0)
		if abortAt < math.MaxInt32 {
			w.client.core.SetKeepAlive(w.now, time.Second, time.Second, 20) // a RST may be lost
		}
	}
	if opens%4 == 1 || opens%4 == 2 {
		active.core = Connect(active.cfg, w.now)
		if opens&4 == 0 {
			w.serve(active) // not gated yet: the SYN leaves
		}
		w.replicate(s, active.core, 0, 0)
		w.serve(active)
	}
	w.serve(w.client)

	hosts := []*host{w.client, w.server}
	for i := range 100_000 {
		if i == killAt {
			hosts = w.kill(s, outage, shift, zombie, hosts)
		}
		w.event(hosts...)
		if w.server == active && active.core != nil {
			for step := range 4 {
				if b := w.c.byte(); b == 0 {
					w.replicate(s, active.core, step, 1<<20)
				} else {
					w.replicate(s, active.core, b, b)
				}
			}
			w.serve(active)
		}
		total := w.client.total
		if w.client.outcome(total) == "" && w.server.outcome(total) == "" {
			return
		}
		if c := w.client.core; c != nil && abortAt < math.MaxInt32 && c.Err() == ErrReset {
			if w.client.got > abortAt {
				t.Fatalf("%d bytes, of %d that there are", w.client.got, abortAt)
			}
			return
		}
		if c := w.client.core; c != nil && c.Err() != nil && w.client.outcome(total) != "" {
			t.Fatal(w.client.outcome(total), "\n", w.server.outcome(total))
		}
	}
	t.Fatalf("no end:\n%s\n%s", w.client.outcome(w.client.total), w.server.outcome(w.client.total))
}

// kill makes the standby the server, after an outage. A zombie goes on sending what it
// may, hearing nothing. It returns the hosts to which something happens from now on.
func (w *world) kill(s *standby, outage time.Duration, shift uint32, zombie bool, hosts []*host) []*host {
	old := w.server
	w.server = nil
	for end := w.now.Add(outage); w.now.Before(end); {
		w.drop(nil)
		w.event(hosts[:1]...)
	}
	w.drop(nil)
	w.drop(old)
	s.oracle = old.oracle
	w.server = &s.host
	if s.core != nil {
		s.core.TakeOver(w.now, shift)
		s.core.Bound(Unbounded)
	}
	s.name = "survivor"
	hosts = []*host{w.client, w.server}
	if zombie && old.core != nil && s.core != nil {
		old.user = func(*host) {}
		hosts = append(hosts, old)
	}
	return hosts
}

// drop takes the packets to a host off the link.
func (w *world) drop(to *host) {
	var keep []packet
	for _, p := range w.packets {
		if p.to != to {
			keep = append(keep, p)
		}
	}
	w.packets = keep
}
