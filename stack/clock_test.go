package stack_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// The clock of timestamps goes forward only, also when it wraps.
func TestAdvanceTimestamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stack.New(stack.Config{})
		defer s.Close()
		time.Sleep(5 * time.Second)
		for _, step := range []struct{ to, shift, now uint32 }{
			{4000, 0, 5000},
			{5000, 0, 5000},
			{6000, 1000, 6000},
			{1<<31 + 5000, 1<<31 - 1000, 1<<31 + 5000},
			{6000, 0, 1<<31 + 5000}, // is behind, by serial arithmetic
			{1<<32 - 10, 1<<31 - 5010, 1<<32 - 10},
			{1000, 1010, 1000},
		} {
			if shift := s.AdvanceTimestamp(step.to); shift != step.shift || s.Timestamp() != step.now {
				t.Errorf("to %d: shifted by %d to %d; want %d, %d", step.to, shift, s.Timestamp(), step.shift, step.now)
			}
		}
		time.Sleep(time.Second)
		if got := s.Timestamp(); got != 2000 {
			t.Errorf("a second later it is %d", got)
		}
	})
}

// After a takeover the timestamps of connections that were there go on above the node
// before's, those of new ones are on the same clock, and so they are after the next
// takeover.
func TestTimestampTakeOver(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		a.listen()
		peer := netip.AddrPortFrom(attackerAddr, 1024)
		options := wire.Options{HasTimestamps: true, TSVal: 5}
		shown := func() uint32 {
			t.Helper()
			got := a.answers()
			if len(got) != 1 {
				t.Fatalf("answered %+v", got)
			}
			return got[0].tcp.Options.TSVal
		}
		// What does the stack add to its clock? A new connection shows it.
		a.segment(peer, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 1000, Options: options}, "")
		offset := shown() - a.server.Timestamp()
		a.segment(peer, wire.TCP{Seq: 100, Flags: wire.RST, Options: options}, "")
		a.answers()

		snap := tcp.Snapshot{MSS: 1460, PeerMSS: 1460, ReceiveBuffer: 65535, TS: true, TSOffset: offset}
		other := a.server.Timestamp() + 1_000_000 // the clock of the node before
		for range 3 {
			a.server.Silence()
			c, err := a.server.Restore(serverAddr, peer, a.port.Features().MAC, snap, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.Do(func(core *tcp.Core) {
				if err := core.Replay(time.Now(), &tcp.Update{InAt: 1, Una: 1, Edge: 65536, SndWnd: 65535, TSRecent: 5}); err != nil {
					t.Fatal(err)
				}
			})
			shift := a.server.AdvanceTimestamp(other)
			a.server.Activate()
			a.answers()
			c.TakeOver(shift, false)
			if got := shown() - offset; got != other || a.server.Timestamp() != other {
				t.Errorf("timestamp %d, the stack's %d; want %d", got, a.server.Timestamp(), other)
			}
			c.View(func(core *tcp.Core) { snap = core.Snapshot() })
			if snap.TSOffset != offset {
				t.Errorf("the offset has become %d", snap.TSOffset-offset)
			}
			c.Do(func(core *tcp.Core) { core.End(nil) })

			a.segment(peer, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 1000, Options: options}, "")
			if got := shown() - offset; got != other {
				t.Errorf("a new connection's timestamp is %d; want %d", got, other)
			}
			a.segment(peer, wire.TCP{Seq: 100, Flags: wire.RST, Options: options}, "")
			a.answers()
			other += 1_000_000
		}
	})
}
