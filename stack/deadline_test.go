package stack_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

// expiries records which deadlines have expired.
type expiries struct {
	write bool
	at    int64
	n     int
}

func (*expiries) Opened(*stack.Conn, *tcp.Core) {}
func (*expiries) News(*stack.Conn, *tcp.Core)   {}
func (e *expiries) Expired(_ *stack.Conn, _ *tcp.Core, write bool, at int64) {
	*e = expiries{write, at, e.n + 1}
}

// A deadline that passes by time is told of; one that is set in the past is the handler's
// own act.
func TestDeadlineTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, net: &ftcptest.Network{}, server: stack.New(stack.Config{}), client: stack.New(stack.Config{})}
		defer b.close()
		var told expiries
		b.server.Observe(&told, func() bool { return true })
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
		expect := func(want expiries) {
			t.Helper()
			synctest.Wait()
			s.View(func(*tcp.Core) {
				if told != want {
					t.Errorf("told %+v; want %+v", told, want)
				}
			})
		}
		buf := make([]byte, 10)
		s.SetDeadline(time.Now().Add(time.Hour)) // the first of each direction
		s.SetReadDeadline(time.Now().Add(time.Second))
		c.Write([]byte("hello"))
		if n, err := s.Read(buf); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		if _, err := s.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		want := expiries{false, 6, 1}
		expect(want)
		s.SetReadDeadline(time.Unix(1, 0))
		if _, err := s.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		s.SetReadDeadline(time.Now().Add(time.Second))
		s.SetReadDeadline(time.Time{})
		time.Sleep(time.Minute)
		expect(want)
		s.Write([]byte("hello"))
		s.SetWriteDeadline(time.Now().Add(time.Second))
		time.Sleep(time.Minute)
		expect(want) // nobody has noticed
		for range 2 {
			if _, err := s.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			expect(expiries{true, 6, 2})
		}
		s.SetWriteDeadline(time.Now().Add(time.Second))
		time.Sleep(time.Minute)
		s.SetWriteDeadline(time.Time{})
		s.Write([]byte("x"))
		s.SetDeadline(time.Now().Add(time.Second))
		s.Close()
		time.Sleep(time.Minute)
		expect(expiries{true, 6, 2})
	})
}

// replicaBench is a replica with ten bytes of input, and its handler.
func replicaBench(t *testing.T, test func(t *testing.T, a *attacker, c *stack.Conn)) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		c := a.served()
		replay(t, c, "0123456789")
		test(t, a, c)
	})
}

func replay(t *testing.T, c *stack.Conn, input string) {
	t.Helper()
	c.Do(func(core *tcp.Core) {
		u := tcp.Update{InAt: core.Positions().InEnd, Input: []byte(input), Una: 1, Edge: 65536, SndWnd: 65535}
		if err := core.Replay(time.Now(), &u); err != nil {
			t.Fatal(err)
		}
	})
}

// read expects what a Read of at most 100 bytes returns.
func read(t *testing.T, c *stack.Conn, want string, fails error) {
	t.Helper()
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if string(buf[:n]) != want || !errors.Is(err, fails) {
		t.Errorf("read %q, %v; want %q, %v", buf[:n], err, want, fails)
	}
}

func soon() time.Time { return time.Now().Add(time.Second) }

// A replica's deadline does not pass by time, but when the active node's has, and at the
// same place, however that lies to the moment in which it becomes known.
func TestExpire(t *testing.T) {
	late := os.ErrDeadlineExceeded
	for name, test := range map[string]func(t *testing.T, a *attacker, c *stack.Conn){
		"never": func(t *testing.T, a *attacker, c *stack.Conn) {
			c.SetDeadline(soon())
			time.Sleep(time.Minute)
			read(t, c, "0123456789", nil)
			if _, err := c.Write([]byte("x")); err != nil {
				t.Error(err)
			}
		},
		"in the past": func(t *testing.T, a *attacker, c *stack.Conn) {
			c.SetReadDeadline(time.Unix(1, 0))
			read(t, c, "", late)
		},
		"while it waits": func(t *testing.T, a *attacker, c *stack.Conn) {
			c.SetReadDeadline(soon())
			read(t, c, "0123456789", nil)
			go func() {
				time.Sleep(time.Hour)
				if err := c.Expire(false, 11); err != nil {
					t.Error(err)
				}
			}()
			read(t, c, "", late)
			c.SetReadDeadline(time.Time{})
			replay(t, c, "more")
			read(t, c, "more", nil)
		},
		"before the handler is there": func(t *testing.T, a *attacker, c *stack.Conn) {
			if err := c.Expire(false, 6); err != nil {
				t.Error(err)
			}
			c.SetReadDeadline(soon())
			read(t, c, "01234", nil) // the handler is not given what the active node's was not
			c.SetReadDeadline(soon())
			read(t, c, "", late)
			c.SetReadDeadline(soon())
			read(t, c, "56789", nil)
		},
		"in other pieces": func(t *testing.T, a *attacker, c *stack.Conn) {
			for _, at := range []int64{4, 8, 8} {
				if err := c.Expire(false, at); err != nil {
					t.Error(err)
				}
			}
			for _, want := range []string{"012", "", "3456", "", "", "789"} {
				c.SetReadDeadline(soon())
				c.SetReadDeadline(soon()) // how often does not matter
				fails := late
				if want != "" {
					fails = nil
				}
				read(t, c, want, fails)
			}
		},
		"the handler is past it": func(t *testing.T, a *attacker, c *stack.Conn) {
			c.SetReadDeadline(soon())
			read(t, c, "0123456789", nil)
			if err := c.Expire(false, 6); !errors.Is(err, stack.ErrDeadlinePassed) {
				t.Error(err)
			}
		},
		"in the middle of a write": func(t *testing.T, a *attacker, c *stack.Conn) {
			for _, size := range []int64{1000, 50_000} {
				c.SetWriteDeadline(soon())
				var at int64
				c.View(func(core *tcp.Core) { at = core.Positions().OutEnd + size })
				if err := c.Expire(true, at); err != nil {
					t.Error(err)
				}
				if n, err := c.Write(make([]byte, 100_000)); int64(n) != size || !errors.Is(err, late) {
					t.Errorf("%d bytes, %v", n, err)
				}
			}
		},
		"too many": func(t *testing.T, a *attacker, c *stack.Conn) {
			n := uint64(1)
			for ; n < 1000 && c.Expire(false, 1) == nil; n++ {
			}
			if n < 100 || n == 1000 {
				t.Errorf("%d expiries wait", n)
			}
		},
		"at a takeover": func(t *testing.T, a *attacker, c *stack.Conn) {
			began := time.Now()
			c.SetReadDeadline(began.Add(time.Hour))
			c.SetWriteDeadline(began.Add(time.Second))
			read(t, c, "0123456789", nil)
			time.Sleep(time.Minute)
			a.server.Activate()
			c.TakeOver(0, false)
			synctest.Wait()
			if _, err := c.Write([]byte("x")); !errors.Is(err, late) {
				t.Errorf("a deadline that has passed: %v", err)
			}
			read(t, c, "", late)
			if waited := time.Since(began); waited != time.Hour {
				t.Errorf("waited for %v", waited)
			}
		},
		"agreed before a takeover": func(t *testing.T, a *attacker, c *stack.Conn) {
			c.SetReadDeadline(soon())
			c.Expire(false, 6)
			c.Expire(false, 6)
			time.Sleep(time.Minute)
			a.server.Activate()
			c.TakeOver(0, false)
			synctest.Wait()
			read(t, c, "01234", nil)
			read(t, c, "", late)
			c.SetReadDeadline(time.Now().Add(time.Hour))
			read(t, c, "", late)
			c.SetReadDeadline(soon())
			read(t, c, "56789", nil)
			read(t, c, "", late) // the first that this node decides
		},
	} {
		t.Run(name, func(t *testing.T) { replicaBench(t, test) })
	}
}
