package mirror

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/replication/ledger"
	"github.com/ftcp-project/ftcp/replication/notes"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// The tests of this file are of what the shell has to hold to by itself, and of states
// that a cluster reaches too rarely for a test: see ftcptest/plant.

// received is a connection whose user has read so many bytes, all of which are kept.
func received(t *testing.T, n int) *tcp.Core {
	t.Helper()
	now := time.Now()
	core, err := tcp.Restore(tcp.Config{Epoch: now}, tcp.Snapshot{MSS: 1460, PeerMSS: 1460, ReceiveBuffer: 1 << 16}, now)
	if err != nil {
		t.Fatal(err)
	}
	m := core.Bounds()
	m.KeepIn = 1
	core.Bound(m)
	if err := core.Replay(now, &tcp.Update{InAt: 1, Input: make([]byte, n), Una: 1, Edge: 1 << 16, SndWnd: 1000}); err != nil {
		t.Fatal(err)
	}
	core.TakeOver(now, 0)
	core.Consume(n)
	return core
}

// A standby that has been replaced takes nothing away that another one has bound.
func TestMustLeaveOwn(t *testing.T) {
	before, after := &leader{}, &leader{}
	core := received(t, 10)
	gd := &guarded{}
	f := &feed{leader: after, gd: gd}
	gd.feed = f
	gd.guard.Add(&f.progress)
	f.progress.Freeze(time.Now(), positions(core))
	gd.bound(core)
	bounds := core.Bounds()
	if bounds.Ackable == tcp.Unlimited || bounds.Sendable == tcp.Unlimited {
		t.Fatalf("nothing is bound: %+v", bounds)
	}
	gd.leave(&Mirror{}, core, before)
	if gd.feed != f || core.Bounds() != bounds {
		t.Errorf("the bounds are %+v; they were %+v", core.Bounds(), bounds)
	}
}

// Going alone is about one standby. If another one has joined meanwhile, nothing happens
// to it.
func TestMustGoAloneWithoutThatOne(t *testing.T) {
	g := &Mirror{notes: notes.New(slog.New(slog.DiscardHandler))}
	l := &leader{g: g, mate: reign.Member{Incarnation: 2}}
	g.leader.Store(l)
	defer func() {
		if r := recover(); r != nil || g.leader.Load() != l || l.finished {
			t.Errorf("the other standby's link is ended: %v", r)
		}
	}()
	g.GoAlone(1, "")
}

// What is kept of all connections together is bounded, however little each of them has.
func TestMustHistoryInTotal(t *testing.T) {
	for _, others := range []int64{totalHistory - 100, totalHistory - 99} {
		g := &Mirror{cfg: Config{History: 256 << 10}}
		g.history.Store(others)
		core := received(t, 100)
		gd := &guarded{}
		gd.account(g, core)
		fits := others+100 <= totalHistory
		if gd.lost == fits {
			t.Errorf("beside %d bytes of others, the history of 100 bytes is lost: %v", others, gd.lost)
		}
		kept := int64(0)
		if fits {
			kept = 100
		}
		if int64(core.Retained()) != kept || g.history.Load() != others+kept {
			t.Errorf("%d bytes are kept, %d in total", core.Retained(), g.history.Load())
		}
	}
}

// A standby that comes later is sent no more of what its handlers have not read than it
// has memory for, of one connection or of all.
func TestMustReplayAhead(t *testing.T) {
	for _, step := range []struct{ conns, ahead int64 }{{1, replayAhead}, {32, replayAheadTotal / 32}, {5000, 64 << 10}} {
		l := &leader{byID: map[uint64]*feed{}}
		for i := range step.conns {
			l.byID[uint64(i)] = nil
		}
		f := &feed{}
		f.progress.Replay(time.Now(), ledger.Positions{})
		f.progress.Report(time.Now(), 1, 1001)
		for _, sent := range []int64{1001, 1001 + step.ahead - 1, 1001 + step.ahead, 1001 + step.ahead + 1} {
			f.sent.InEnd = sent
			if want := max(0, 1001+step.ahead-sent); l.room(f) != want {
				t.Errorf("of %d connections one that was sent up to %d may be sent %d; want %d", step.conns, sent, l.room(f), want)
			}
		}
	}
}

// What was held up on its way is as old as it is, though it arrives now.
func TestMustAges(t *testing.T) {
	const ms = time.Millisecond
	var a ages
	for i, step := range []struct{ arrives, sent, heard time.Duration }{
		{1000 * ms, 5 * ms, 1000 * ms}, // the other clock is 995 ms behind, as far as is known
		{1050 * ms, 57 * ms, 1050 * ms},
		{1100 * ms, 105 * ms, 1098 * ms}, // the one before has taken 2 ms less
		{5000 * ms, 155 * ms, 1148 * ms}, // it was held up
		{5001 * ms, 205 * ms, 1198 * ms},
		{5002 * ms, 4009 * ms, 5002 * ms},
		{5003 * ms, 100 * ms, 5002 * ms}, // nothing goes back
	} {
		a.take(step.arrives, step.sent)
		if a.heard != step.heard || a.arrived != step.arrives {
			t.Errorf("%d: heard at %v, arrived at %v; want %v, %v", i, a.heard, a.arrived, step.heard, step.arrives)
		}
	}
}

func newFollower() *follower {
	return &follower{g: &Mirror{cfg: Config{Start: time.Now()}}, byID: map[uint64]*replica{}, wake: make(chan struct{}, 1)}
}

// The log's records are numbered, and the numbers do not go back.
func TestMustLogGoesOn(t *testing.T) {
	f := newFollower()
	log := func(lsn uint64) error {
		return f.take(&replpb.Frame{Body: &replpb.Frame_Log{Log: &replpb.Log{Lsn: lsn}}}, nil)
	}
	for _, lsn := range []uint64{3, 3, 5} {
		if err := log(lsn); err != nil || f.applied != lsn {
			t.Errorf("record %d: %v; applied up to %d", lsn, err, f.applied)
		}
	}
	if err := log(4); !errors.Is(err, errLog) || f.applied != 5 {
		t.Errorf("a record that was there before: %v; applied up to %d", err, f.applied)
	}
}

// A node that has decided to take over, or given up, replays and confirms nothing more.
func TestMustStop(t *testing.T) {
	f := newFollower()
	f.stopConfirming()
	err := f.take(&replpb.Frame{Body: &replpb.Frame_Log{Log: &replpb.Log{Lsn: 1}}}, nil)
	if err != errStopped || f.applied != 0 {
		t.Errorf("%v; applied up to %d", err, f.applied)
	}
	// Without a link, anything that is sent panics.
	if w := (&reportWriter{f: f}); !w.write(true) {
		t.Error("it has more to confirm")
	}
}

// A standby that confirms what it was not sent, or claims to have read it, is none.
func TestMustConfirmSent(t *testing.T) {
	l := &leader{g: &Mirror{}, lsn: 5, byID: map[uint64]*feed{}}
	for _, step := range []struct {
		lsn uint64
		ok  bool
	}{{3, true}, {5, true}, {6, false}, {1 << 63, false}} {
		if ok := l.confirm(step.lsn); ok != step.ok || l.confirmed > 5 {
			t.Errorf("record %d is confirmed: %v; up to %d", step.lsn, ok, l.confirmed)
		}
	}
}

func positions(core *tcp.Core) ledger.Positions {
	p := core.Positions()
	return at(core, &p)
}
