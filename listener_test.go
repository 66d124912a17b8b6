package ftcp_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/stack/errno"
)

// What a listener does in every world.
func TestListenerSemantics(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, w world)
	}{
		{"port 0", func(t *testing.T, w world) {
			a, b := w.listen(t), w.listen(t)
			port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
			if port(a) == 0 || port(a) == port(b) {
				t.Errorf("listening on %v and %v", a.Addr(), b.Addr())
			}
			w.dial(t, a)
			if c := accept(t, a); !same(c.LocalAddr(), a.Addr()) {
				t.Errorf("connection to %v, accepted by %v", c.LocalAddr(), a.Addr())
			}
		}},
		{"address already in use", func(t *testing.T, w world) {
			l := w.listen(t)
			_, err := w.server.Listen("tcp", l.Addr().String())
			opError{"listen", nil, l.Addr(), errno.AddrInUse}.check(t, err)
			if !strings.Contains(err.Error(), "bind: address already in use") {
				t.Errorf("error is %v", err)
			}
			noError(t, l.Close())
			again, err := w.server.Listen("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			noError(t, again.Close())
		}},
		{"Accept after Close", func(t *testing.T, w world) {
			l := w.listen(t)
			noError(t, l.Close())
			_, err := l.Accept()
			opError{"accept", nil, l.Addr(), net.ErrClosed}.check(t, err)
			opError{"close", nil, l.Addr(), net.ErrClosed}.check(t, l.Close())
			if err := l.(deadliner).SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
				t.Errorf("SetDeadline: %v", err)
			}
		}},
		{"Close unblocks Accept", func(t *testing.T, w world) {
			l := w.listen(t)
			accepting := blocked(func() error { _, err := l.Accept(); return err })
			noError(t, l.Close())
			opError{"accept", nil, l.Addr(), net.ErrClosed}.check(t, <-accepting)
		}},
		{"SetDeadline", func(t *testing.T, w world) {
			l := w.listen(t)
			want := opError{"accept", nil, l.Addr(), os.ErrDeadlineExceeded}
			noError(t, l.(deadliner).SetDeadline(time.Unix(1, 0)))
			_, err := l.Accept()
			want.check(t, err)
			noError(t, l.(deadliner).SetDeadline(time.Now().Add(5*time.Millisecond)))
			_, err = l.Accept()
			want.check(t, err)
			noError(t, l.(deadliner).SetDeadline(time.Time{}))
			accepting := blocked(func() error { _, err := l.Accept(); return err })
			noError(t, l.(deadliner).SetDeadline(time.Unix(1, 0)))
			want.check(t, <-accepting)
			noError(t, l.(deadliner).SetDeadline(time.Time{}))
			w.dial(t, l)
			accept(t, l)
		}},
		{"connections outlive their listener", func(t *testing.T, w world) {
			l := w.listen(t)
			c := w.dial(t, l)
			s := accept(t, l)
			noError(t, l.Close())
			send(t, c, "hello")
			receive(t, s, "hello")

			// The port is free for another listener, with that connection still there.
			again, err := w.server.Listen("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			d := w.dial(t, again)
			r := accept(t, again)
			send(t, d, "second")
			receive(t, r, "second")
			send(t, s, "first")
			receive(t, c, "first")
		}},
		{"Close resets what was not accepted", func(t *testing.T, w world) {
			l := w.listen(t)
			c := w.dial(t, l)
			noError(t, l.Close())
			_, err := c.Read(make([]byte, 1))
			opError{"read", c.LocalAddr(), c.RemoteAddr(), errno.ConnReset}.check(t, err)
		}},
		{"data before Accept", func(t *testing.T, w world) {
			l := w.listen(t)
			c := w.dial(t, l)
			send(t, c, "hello")
			noError(t, c.CloseWrite())
			if got, err := io.ReadAll(accept(t, l)); string(got) != "hello" || err != nil {
				t.Errorf("read %q, %v", got, err)
			}
		}},
		{"networks", func(t *testing.T, w world) {
			for _, test := range []struct{ network, address, err string }{
				{"udp", "", "udp"},
				{"tcp5", w.host + ":0", "unknown network tcp5"},
				{"", w.host + ":0", "unknown network"},
				{"tcp6", w.host + ":0", "no suitable address"},
				{"tcp4", "[::1]:0", "no suitable address"},
				{"tcp", w.host, "missing port in address"},
				{"tcp", w.host + ":x-y", "unknown port"},
				{"tcp", w.host + ":65536", "invalid port"},
				{"tcp", w.host + ":-1", "invalid port"},
			} {
				_, err := w.server.Listen(test.network, test.address)
				var op *net.OpError
				if !errors.As(err, &op) || op.Op != "listen" || op.Net != test.network {
					t.Errorf("Listen(%q, %q): %v", test.network, test.address, err)
				} else if !strings.Contains(err.Error(), test.err) && test.network != "udp" {
					t.Errorf("Listen(%q, %q): %v; want %q in it", test.network, test.address, err, test.err)
				}
			}
			l, err := w.server.Listen("tcp4", w.host+":0")
			if err != nil {
				t.Fatal(err)
			}
			noError(t, l.Close())
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			everywhere(t, test.run)
		})
	}
}

type deadliner interface{ SetDeadline(time.Time) error }

// A listener without a host is one for all addresses of the machine, of both versions of
// IP.
func TestListenWildcard(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		if w.host != "127.0.0.1" {
			if _, err := w.server.Listen("tcp", ":80"); err == nil {
				t.Error("a node with a Device listens on all addresses")
			}
			return
		}
		for _, test := range []struct {
			network, address, shown string
			reach                   []string
		}{
			{"tcp", ":0", "::", []string{"127.0.0.1", "127.0.0.2", "::1", "", "localhost"}},
			{"tcp", "0.0.0.0:0", "::", []string{"127.0.0.1", "::1"}},
			{"tcp", "[::]:0", "::", []string{"127.0.0.1", "::1"}},
			{"tcp", "", "::", []string{"127.0.0.1"}},
			{"tcp4", ":0", "0.0.0.0", []string{"127.0.0.1", "127.0.0.2", "0.0.0.0"}},
			{"tcp", "localhost:0", "127.0.0.1", []string{"127.0.0.1", "localhost"}},
		} {
			l, err := w.server.Listen(test.network, test.address)
			if err != nil {
				t.Errorf("Listen(%q, %q): %v", test.network, test.address, err)
				continue
			}
			defer l.Close()
			host, port, _ := net.SplitHostPort(l.Addr().String())
			if host != test.shown {
				t.Errorf("Listen(%q, %q) is at %v; want %s", test.network, test.address, l.Addr(), test.shown)
			}
			for _, host := range test.reach {
				c, err := w.client.DialContext(patient(t), "tcp", net.JoinHostPort(host, port))
				if err != nil {
					t.Errorf("Dial of %q, with Listen(%q, %q): %v", host, test.network, test.address, err)
					continue
				}
				s := accept(t, l)
				if !same(c.RemoteAddr(), s.LocalAddr()) {
					t.Errorf("%v is %v to its server", c.RemoteAddr(), s.LocalAddr())
				}
				send(t, c, "hello")
				receive(t, s, "hello")
				noError(t, c.Close())
			}
		}
	})
}

// One port of two addresses.
func TestListenTwoAddresses(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		if w.host != "127.0.0.1" {
			t.Skip("a Device carries one address")
		}
		a := w.listen(t)
		_, port, _ := net.SplitHostPort(a.Addr().String())
		b, err := w.server.Listen("tcp", "127.0.0.2:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		c := w.dial(t, b)
		s := accept(t, b)
		noError(t, a.Close())
		send(t, c, "hello")
		receive(t, s, "hello")
	})
}
