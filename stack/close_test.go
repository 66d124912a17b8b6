package stack_test

import (
	"context"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/wire"
)

// A handshake that ends after its listener was closed is answered by a reset, at once.
func TestCloseListenerInHandshake(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		l := a.listen()
		src := netip.AddrPortFrom(attackerAddr, 1024)
		a.segment(src, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 1000}, "")
		got := a.answers()
		if len(got) != 1 || got[0].tcp.Flags != wire.SYN|wire.ACK {
			t.Fatalf("answered %+v", got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		a.segment(src, wire.TCP{Seq: 100, Ack: got[0].tcp.Seq + 1, Flags: wire.ACK, Window: 1000}, "")
		got = a.answers()
		if len(got) != 1 || got[0].tcp.Flags&wire.RST == 0 {
			t.Errorf("answered %+v; want a RST", got)
		}
		if n := len(a.server.Conns()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// CloseRead and Close may come while Read copies.
func TestCloseInRead(t *testing.T) {
	for _, test := range []struct {
		name  string
		close func(c *stack.Conn) error
	}{
		{"CloseRead", (*stack.Conn).CloseRead},
		{"Close", (*stack.Conn).Close},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, &ftcptest.Network{})
				defer b.close()
				l := b.listen()
				data := make([]byte, 128<<10) // what is written although nobody reads
				for i := range 50 {
					c := b.dial()
					s, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					if _, err := c.Write(data); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					reading := make(chan bool)
					go func() {
						close(reading)
						s.Read(make([]byte, len(data)))
					}()
					<-reading
					for range i { // another moment each time
						runtime.Gosched()
					}
					if err := test.close(s); err != nil {
						t.Error(err)
					}
					s.Close()
					c.Close()
				}
			})
		})
	}
}

// A connection that is given up waits for its neighbour no longer.
func TestDialForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &ftcptest.Network{})
		defer b.close()
		for i := range 10 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*time.Second)
			defer cancel()
			if _, err := b.client.Dial(ctx, b.link, clientAddr, netip.MustParseAddrPort("10.0.0.9:80")); err == nil {
				t.Fatal("connected to nobody")
			}
		}
		if n := b.link.Waiting(); n != 0 {
			t.Errorf("%d neighbours are waited for", n)
		}
	})
}
