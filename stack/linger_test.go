package stack_test

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// What closes by RST: SetLinger(0) and Close.
func lingerZero(t *testing.T, c *stack.Conn) {
	t.Helper()
	if err := errors.Join(c.SetLinger(0), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// flags expects segments with these flags to have come back, and payload of so many bytes
// with all of them.
func (a *attacker) flags(payload int, want ...wire.Flags) {
	a.t.Helper()
	got := a.answers()
	n := 0
	for i, f := range got {
		n += f.length - f.ip.HeaderLen - f.tcp.Len()
		if i < len(want) && f.tcp.Flags != want[i] {
			a.t.Errorf("segment %d: %v; want %v", i, f.tcp.Flags, want[i])
		}
	}
	if len(got) != len(want) || n != payload {
		a.t.Errorf("%d segments, %d bytes; want %d, %d", len(got), n, len(want), payload)
	}
}

const (
	data  = wire.PSH | wire.ACK
	reset = wire.RST | wire.ACK
)

// With a linger time of zero, Close resets at once.
func TestLingerZero(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		c, _ := a.open(a.listen(), wire.Options{})
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		a.flags(5, data)
		lingerZero(t, c)
		a.flags(0, reset)
		if n := len(a.server.Conns()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// The RST waits for the mark, as a FIN does, and the connection with it.
func TestLingerZeroHeld(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		c, _ := a.open(a.listen(), wire.Options{})
		bound := func(sendable int64) {
			c.Do(func(core *tcp.Core) {
				m := tcp.Unbounded
				m.Sendable = sendable
				core.Bound(m)
			})
		}
		bound(0)
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		lingerZero(t, c)
		time.Sleep(time.Minute)
		a.silence()
		if n := len(a.server.Conns()); n != 1 {
			t.Fatalf("%d connections; want 1", n)
		}
		bound(7)
		a.flags(5, data, reset)
		if n := len(a.server.Conns()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// Stack.Close ends a connection whose RST may not leave.
func TestCloseHeld(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		c, _ := a.open(a.listen(), wire.Options{})
		c.Do(func(core *tcp.Core) { core.Bound(tcp.Marks{}) })
		if err := a.server.Close(); err != nil {
			t.Fatal(err)
		}
		if n := len(a.server.Conns()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		a.silence()
	})
}

// A RST that may not leave, since it is in doubt who serves, leaves when that is settled.
func TestResetHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, net: &ftcptest.Network{}, server: stack.New(stack.Config{}), client: stack.New(stack.Config{})}
		defer b.close()
		var sure atomic.Bool
		sure.Store(true)
		b.server.Observe(nil, sure.Load)
		if _, err := b.server.AddLink(b.net.Port("server"), stack.LinkConfig{Addr: serverAddr.Addr()}); err != nil {
			t.Fatal(err)
		}
		var err error
		if b.link, err = b.client.AddLink(b.net.Port("client"), stack.LinkConfig{Addr: clientAddr.Addr()}); err != nil {
			t.Fatal(err)
		}
		l := b.listen()
		c := b.dial()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
		sure.Store(false)
		lingerZero(t, s)
		c.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := c.Read(buf); err == nil || errors.Is(err, tcp.ErrReset) {
			t.Fatalf("read %d, %v", n, err)
		}
		if n := b.server.Stats.ResetsHeld.Load(); n < 10 {
			t.Errorf("the RST was held %d times", n)
		}
		sure.Store(true)
		c.SetReadDeadline(time.Time{})
		if n, err := c.Read(buf); !errors.Is(err, tcp.ErrReset) {
			t.Fatalf("read %d, %v", n, err)
		}
	})
}

// A scribbler is a device that uses memory that is free.
type scribbler struct{ *ftcptest.Port }

func (d scribbler) Write(pkts []device.Outbound) error {
	for range 10 {
		clear(tcp.NewBlock(1).B)
	}
	return d.Port.Write(pkts)
}

// What leaves in one batch with the RST is still there when the device takes it.
func TestLingerZeroBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, net: &ftcptest.Network{}, server: stack.New(stack.Config{}), client: stack.New(stack.Config{})}
		defer b.close()
		if _, err := b.server.AddLink(scribbler{b.net.Port("server")}, stack.LinkConfig{Addr: serverAddr.Addr()}); err != nil {
			t.Fatal(err)
		}
		var err error
		if b.link, err = b.client.AddLink(b.net.Port("client"), stack.LinkConfig{Addr: clientAddr.Addr()}); err != nil {
			t.Fatal(err)
		}
		l := b.listen()
		c := b.dial()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s.Do(func(core *tcp.Core) {
			core.Bound(tcp.Marks{Ackable: tcp.Unlimited, KeepIn: tcp.Unlimited, KeepOut: tcp.Unlimited})
		})
		if _, err := s.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		lingerZero(t, s)
		s.Do(func(core *tcp.Core) { core.Bound(tcp.Unbounded) })
		read(t, c, "hello", nil)
		read(t, c, "", tcp.ErrReset)
	})
}

// served restores a connection of the attacker's on the server, which another node speaks
// for.
func (a *attacker) served() *stack.Conn {
	a.t.Helper()
	a.server.Silence()
	snap := tcp.Snapshot{MSS: 1460, PeerMSS: 1460, ReceiveBuffer: 65535}
	c, err := a.server.Restore(serverAddr, netip.AddrPortFrom(attackerAddr, 1024), a.port.Features().MAC, snap, 0, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	c.Do(func(core *tcp.Core) {
		if err := core.Replay(time.Now(), &tcp.Update{InAt: 1, Una: 1, Edge: 65536, SndWnd: 65535}); err != nil {
			a.t.Fatal(err)
		}
	})
	return c
}

// A handler that resets on a standby leaves a replica with which that node can take over:
// it sends what was written, and the RST.
func TestLingerZeroReplica(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		l := a.listen()
		a.served()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		lingerZero(t, c)
		a.silence()
		c.View(func(core *tcp.Core) {
			if p := core.Positions(); p.OutEnd != 7 || p.OutClose != tcp.CloseAbort || core.Ended() {
				t.Errorf("%v at %d, ended %v", p.OutClose, p.OutEnd, core.Ended())
			}
		})
		// What comes now is too early, and changes nothing.
		a.server.Activate()
		a.answers()
		a.segment(netip.AddrPortFrom(attackerAddr, 1024), wire.TCP{Seq: 1, Flags: wire.RST}, "")
		a.silence()
		a.counted("Early", &a.server.Stats.Early, 1)
		c.TakeOver(0, false)
		a.flags(5, data, reset)
		if n := len(a.server.Conns()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// A replica that this node's program will not accept is of no use, and says so.
func TestCloseListenerReplica(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		l := a.listen()
		c := a.served()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		c.View(func(core *tcp.Core) {
			if !core.Ended() || core.Err() != stack.ErrNoListener {
				t.Errorf("ended %v, %v", core.Ended(), core.Err())
			}
		})
		a.silence()
	})
}
