package ftcp_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack/errno"
)

// What Dial does in every world.
func TestDialSemantics(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, w world)
	}{
		{"refused", func(t *testing.T, w world) {
			l := w.listen(t)
			noError(t, l.Close())
			_, err := w.client.DialContext(patient(t), "tcp", l.Addr().String())
			opError{"dial", localAddr(w.client), l.Addr(), errno.ConnRefused}.check(t, err)
			if !strings.Contains(err.Error(), "connect: connection refused") {
				t.Errorf("error is %v", err)
			}
		}},
		{"canceled before", func(t *testing.T, w world) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			l := w.listen(t)
			_, err := w.client.DialContext(ctx, "tcp", l.Addr().String())
			opError{"dial", localAddr(w.client), l.Addr(), context.Canceled}.check(t, err)
		}},
		{"deadline before", func(t *testing.T, w world) {
			ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
			defer cancel()
			l := w.listen(t)
			_, err := w.client.DialContext(ctx, "tcp", l.Addr().String())
			opError{"dial", localAddr(w.client), l.Addr(), context.DeadlineExceeded}.check(t, err)
		}},
		{"networks", func(t *testing.T, w world) {
			for _, test := range []struct{ network, address, err string }{
				{"tcp5", w.host + ":80", "unknown network tcp5"},
				{"tcp6", w.host + ":80", "no suitable address"},
				{"tcp4", "[::1]:80", "no suitable address"},
				{"tcp", "", "missing address"},
				{"tcp", w.host, "missing port in address"},
				{"tcp", w.host + ":65536", "invalid port"},
			} {
				_, err := w.client.DialContext(patient(t), test.network, test.address)
				var op *net.OpError
				if !errors.As(err, &op) || op.Op != "dial" || op.Net != test.network || !strings.Contains(err.Error(), test.err) {
					t.Errorf("Dial(%q, %q): %v; want %q in it", test.network, test.address, err, test.err)
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			everywhere(t, test.run)
		})
	}
}

// localAddr is the address that an end was told to dial from.
func localAddr(e end) net.Addr {
	if n, ok := e.(*ftcp.Node); ok && n.LocalAddr.IsValid() {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.LocalAddr, 0))
	}
	return nil
}

// Nobody answers: the context ends it, or the neighbours' silence does.
func TestDialNobody(t *testing.T) {
	nobody := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 80}
	t.Run("canceled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := openMemory(t)
			ctx, cancel := context.WithCancel(context.Background())
			dialing := blocked(func() error { _, err := w.client.DialContext(ctx, "tcp", nobody.String()); return err })
			synctest.Wait()
			cancel()
			opError{"dial", localAddr(w.client), nobody, context.Canceled}.check(t, <-dialing)
		})
	})
	t.Run("deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := openMemory(t)
			begin := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := w.client.DialContext(ctx, "tcp", nobody.String())
			opError{"dial", localAddr(w.client), nobody, context.DeadlineExceeded}.check(t, err)
			if d := time.Since(begin); d != time.Second {
				t.Errorf("it took %v", d)
			}
		})
	})
	t.Run("no neighbour", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := openMemory(t)
			begin := time.Now()
			_, err := w.client.DialContext(context.Background(), "tcp", nobody.String())
			opError{"dial", localAddr(w.client), nobody, errno.HostUnreachable}.check(t, err)
			if d := time.Since(begin); d != 3*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	})
	t.Run("other version of IP", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := openMemory(t)
			_, err := w.client.DialContext(context.Background(), "tcp", "[fd00::1]:80")
			var addr *net.AddrError
			if !errors.As(err, &addr) {
				t.Errorf("error is %v", err)
			}
		})
	})
}

// A standby's Dial waits for the active node's, for as long as its context lets it.
func TestDialOnStandby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := &ftcptest.Cluster{Serve: func(l net.Listener) { l.Accept() }}
		noError(t, cluster.Start())
		defer cluster.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := cluster.Standby().Node().DialContext(ctx, "tcp", "10.0.0.9:80")
		if d := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || d != time.Minute {
			t.Errorf("after %v: %v", d, err)
		}
	})
}
