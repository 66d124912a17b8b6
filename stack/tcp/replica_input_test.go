package tcp

import (
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Between Stack.Activate and TakeOver of a connection, segments of its peer reach the
// core of a replica. One that acknowledges more than was sent, but not more than the
// standby's user has produced, must not be believed.
func TestReplicaReceives(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	cfg := Config{MSS: 1460, ReceiveBuffer: 1 << 20, SendBuffer: 1 << 20, ISS: 1000, Epoch: now}
	a := Accept(cfg, now, &wire.TCP{Seq: 5000, Flags: wire.SYN, Window: 65535})
	b, err := Restore(cfg, a.Snapshot(), now)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Replay(now, &Update{InAt: 1, Input: []byte("request"), Una: 1, Edge: 1 << 16, SndWnd: 65535}); err != nil {
		t.Fatal(err)
	}
	b.Append(make([]byte, 1000)) // the standby's user answers; the active node's has not yet
	before := *b
	for _, s := range []Segment{
		{TCP: wire.TCP{Seq: 5008, Ack: 1001 + 1000, Flags: wire.ACK, Window: 65535}},
		{TCP: wire.TCP{Seq: 5008, Ack: 1001, Flags: wire.ACK | wire.FIN, Window: 65535}, Payload: []byte("more")},
		{TCP: wire.TCP{Seq: 5008, Flags: wire.RST}},
		{TCP: wire.TCP{Seq: 5000, Flags: wire.SYN}},
	} {
		if b.Recv(now, &s) {
			t.Errorf("%v is taken", s.Flags)
		}
	}
	if b.PathMTU(now, 1500, 600) {
		t.Error("a path MTU is taken")
	}
	if b.una != before.una || b.rcvNxt != before.rcvNxt || b.State() != Established || b.keep != before.keep || b.smss != before.smss {
		t.Error("the replica has changed")
	}
	b.TakeOver(now, 0)
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// FuzzReplay gives a replica any updates, has its user do anything, and takes over. An
// update is taken or is an error, and what follows holds the invariants.
func FuzzReplay(f *testing.F) {
	f.Add([]byte{})
	for i := range 64 {
		seed := make([]byte, 200)
		for j := range seed {
			seed[j] = ours(int64(i<<20 + j))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1024 {
			return
		}
		r := &rig{t: t, c: (*choices)(&data), now: epoch}
		cfg := fuzzConfig(r.c, r.now)
		a := Connect(cfg, r.now)
		if r.c.byte()%2 == 0 {
			syn := fuzzSYN(r.c)
			r.irs = syn.Seq
			a = Accept(cfg, r.now, &syn)
		}
		var err error
		if r.core, err = Restore(cfg, a.Snapshot(), r.now); err != nil {
			t.Skip() // of an impossible configuration
		}
		for range 20 {
			r.replay()
			r.check()
		}
		r.core.TakeOver(r.now, 0)
		r.check()
		for range 20 {
			r.send()
			r.step()
			r.check()
		}
	})
}

// replay lets one thing happen to a replica.
func (r *rig) replay() {
	c := r.core
	switch r.c.byte() % 8 {
	case 0:
		c.Append(stretch(ours, c.dataEnd(), min(of(r.c, edgySizes...), r.writable())))
	case 1:
		r.read(of(r.c, edgySizes...))
	case 2:
		of(r.c, c.CloseWrite, c.Close, c.Abort, func(time.Time) { c.CloseRead() })(r.now)
	case 3:
		r.inject()
	case 4:
		gate(c)
	default:
		u := Update{
			InAt: c.inEnd() + min(0, r.c.small()+120), InFIN: r.c.byte() < 32, SndWnd: 10 * r.c.small(),
			Una: of(r.c, c.replicaUna(), c.appended, c.una+1, c.una-1, 1<<62, 0), TSRecent: uint32(r.c.small()),
			Edge: of(r.c, c.edge, c.rcvNxt, c.rcvNxt+1000, 0, -1, 1<<62), Biggest: 100 * r.c.byte(), PathMSS: 10 * r.c.byte(),
		}
		if r.c.byte()%4 == 0 {
			u.Close, u.CloseAt = Close(r.c.byte()%5), of(r.c, c.appended-1, c.appended, c.appended+1, 0)
		}
		// No more than the window, as check wants it: there is no bound but the log's to
		// what a replica takes.
		if n := of(r.c, 0, 0, 1, 1000); int64(n) <= c.edge-c.rcvNxt {
			u.Input = stretch(theirs, u.InAt, n)
		}
		c.Replay(r.now, &u)
	}
}

func (c *Core) replicaUna() int64 {
	if c.replica == nil {
		return c.una
	}
	return c.replica.una
}
