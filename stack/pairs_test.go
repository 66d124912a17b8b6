package stack_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// A follower is a stack that another one speaks for.
type follower struct {
	*bench
	*stack.Stack
	remote netip.AddrPort
}

func newFollower(t *testing.T) *follower {
	b := newBench(t, &ftcptest.Network{})
	b.client.Silence()
	return &follower{b, b.client, serverAddr}
}

// replica restores a connection that the active node has dialed from port; the peer has answered.
func (f *follower) replica(dialed uint64, port uint16) *stack.Conn {
	f.t.Helper()
	snap := tcp.Snapshot{MSS: 1460, PeerMSS: 1460, ReceiveBuffer: 65535, Active: true}
	c, err := f.Restore(netip.AddrPortFrom(clientAddr.Addr(), port), f.remote, wire.MAC{}, snap, dialed, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	c.Do(func(core *tcp.Core) {
		if err := core.Replay(time.Now(), &tcp.Update{InAt: 1, Una: 1, Edge: 65536, SndWnd: 65535}); err != nil {
			f.t.Fatal(err)
		}
	})
	return c
}

// dialing calls Dial; what it returns says, when all is quiet, what it has returned, or nil.
func (f *follower) dialing(ctx context.Context) func() (*stack.Conn, error) {
	var c *stack.Conn
	var err error
	go func() { c, err = f.Dial(ctx, f.link, clientAddr, f.remote) }()
	return func() (*stack.Conn, error) {
		synctest.Wait()
		return c, err
	}
}

// Dials and replicas are paired in the order of the calls, whoever comes first, and not before all replicas are known.
func TestMirrorOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t)
		defer f.close()
		first := f.dialing(context.Background())
		synctest.Wait()
		second := f.dialing(context.Background())
		synctest.Wait()
		b := f.replica(2, 40002)
		if c, err := first(); c != nil || err != nil {
			t.Fatal("a Dial has returned before the first replica is known")
		}
		a := f.replica(1, 40001)
		c3 := f.replica(3, 40003)
		f.Mirrored()
		if c, err := first(); c != a || err != nil {
			t.Errorf("the first Dial: %v, %v", c, err)
		}
		if c, err := second(); c != b || err != nil {
			t.Errorf("the second Dial: %v, %v", c, err)
		}
		if c, err := f.dialing(context.Background())(); c != c3 || err != nil {
			t.Errorf("the third Dial: %v, %v", c, err)
		}
		fourth := f.dialing(context.Background())
		if c, err := fourth(); c != nil || err != nil {
			t.Errorf("the fourth Dial: %v, %v", c, err)
		}
		if c := f.replica(4, 40004); true {
			if got, err := fourth(); got != c || err != nil {
				t.Errorf("the fourth Dial: %v, %v", got, err)
			}
		}
	})
}

// A Dial that has been given up is not in the way of the next.
func TestMirrorCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t)
		defer f.close()
		f.Mirrored()
		ctx, cancel := context.WithCancel(context.Background())
		first := f.dialing(ctx)
		synctest.Wait()
		second := f.dialing(context.Background())
		synctest.Wait()
		cancel()
		if _, err := first(); !errors.Is(err, context.Canceled) {
			t.Errorf("the first Dial: %v", err)
		}
		a := f.replica(1, 40001)
		if c, err := second(); c != a || err != nil {
			t.Errorf("the second Dial: %v, %v", c, err)
		}
	})
}

// A connection that was dialed is for no listener, whichever of the two is there first.
func TestMirrorListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t)
		defer f.close()
		f.replica(1, 40001)
		snap := tcp.Snapshot{MSS: 1460, ReceiveBuffer: 65535, Active: true}
		if _, err := f.Restore(netip.AddrPortFrom(clientAddr.Addr(), 40003), f.remote, wire.MAC{}, snap, 3, nil); err != nil {
			t.Fatal(err)
		}
		for _, port := range []uint16{40001, 40002, 40003} {
			l, err := f.Listen(netip.AddrPortFrom(clientAddr.Addr(), port))
			if err != nil {
				t.Fatal(err)
			}
			if port == 40002 {
				f.replica(2, port)
			}
			l.SetDeadline(time.Now().Add(time.Second))
			if c, err := l.Accept(); err == nil {
				t.Errorf("accepted %v", c.LocalAddr())
			}
		}
	})
}

// What nobody takes of connections that have failed is forgotten: after a while, and when it is too much.
func TestMirrorFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t)
		defer f.close()
		f.Mirrored()
		fail := func(n uint64) {
			c, err := f.Restore(netip.AddrPortFrom(clientAddr.Addr(), 40000+uint16(n)), f.remote, wire.MAC{},
				tcp.Snapshot{MSS: 1460, ReceiveBuffer: 65535, Active: true, Unanswered: true}, n, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.Do(func(*tcp.Core) {})
			c.Do(func(core *tcp.Core) { core.End(tcp.ErrRefused) })
		}
		for n := range uint64(1000) {
			fail(n + 1)
		}
		if n := f.Untaken(); n != 256 {
			t.Errorf("%d failures wait", n)
		}
		if _, err := f.dialing(context.Background())(); !errors.Is(err, tcp.ErrRefused) {
			t.Errorf("Dial: %v", err)
		}
		time.Sleep(6 * time.Second)
		if n := f.Untaken(); n != 0 {
			t.Errorf("%d failures wait", n)
		}
	})
}

// A node that is replaced while it dials goes on waiting, for the replica.
func TestMirrorReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFollower(t)
		defer f.close()
		f.Activate()
		f.remote = netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), 80) // nobody
		dial := f.dialing(context.Background())
		synctest.Wait()
		f.Deactivate(errors.New("replaced"))
		if c, err := dial(); c != nil || err != nil {
			t.Fatalf("%v, %v", c, err)
		}
		a := f.replica(1, 40001)
		f.Mirrored()
		if c, err := dial(); c != a || err != nil {
			t.Errorf("%v, %v", c, err)
		}
		waiting := f.dialing(context.Background())
		synctest.Wait()
		f.Stack.Close()
		if _, err := waiting(); err == nil {
			t.Error("no error after Close")
		}
	})
}
