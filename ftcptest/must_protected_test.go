package ftcptest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// A connection that was taken over is protected by nobody until there is another standby.
func TestMustUnprotectedAlone(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		old := s.Active()
		if st := s.Standby().Node().Status(); st.Protected != 1 {
			t.Errorf("the standby: %+v", st)
		}
		old.Kill()
		s.must(ask(c, "are you there?"))
		if st := s.Active().Node().Status(); st.Conns != 1 || st.Protected != 0 || len(st.Unprotected) != 1 {
			t.Errorf("alone: %+v", st)
		}
		s.must(old.Start())
		s.within(2*time.Second, "protection", func() bool { return s.Active().Node().Status().Protected == 1 })
		s.must(c.Close())
	})
}

// slowStart serves an echo that says hello first. On a machine that was started later,
// that takes its handlers a while.
func slowStart(while time.Duration) *ftcptest.Cluster {
	return &ftcptest.Cluster{Serve: serve(func(machine int, c *ftcp.Conn) {
		if machine >= 2 {
			time.Sleep(while)
		}
		io.WriteString(c, "hello")
		io.Copy(c, c)
	})}
}

// restandby replaces the standby of a cluster with one connection, and returns when the
// new one may take over. It has the connection, but its handler has not started.
func restandby(s *scenario) *ftcp.Conn {
	s.t.Helper()
	b := s.Standby()
	b.Kill()
	s.within(time.Second, "an active node that is alone", func() bool { return !s.Active().Node().Status().InSync })
	c := s.dial().(*ftcp.Conn)
	s.must(hear(c, "hello"))
	s.must(b.Start())
	s.within(time.Second, "a standby in sync", func() bool { return s.Active().Node().Status().InSync })
	if st := s.Active().Node().Status(); st.Conns != 1 || st.Protected != 0 {
		s.t.Fatalf("the handler has not started: %+v", st)
	}
	return c
}

// What a replica does not have nobody has when the active node dies: the client is told
// so, and not left with a stream that has a hole.
func TestMustUnusable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, slowStart(time.Second))
		c := restandby(s)
		a, b := s.Active(), s.Standby()
		b.Links.Pause()
		s.must(ask(c, strings.Repeat("x", 20_000))) // which the standby never hears of
		s.allowResets()
		a.Kill()
		b.Links.Resume()
		c.SetDeadline(time.Now().Add(time.Minute))
		if err := ask(c, "still there?"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client: %v", err)
		}
		c.Close()
	})
}

// A connection that will be protected in a moment is worth waiting for, before a handover
// and before the node leaves.
func TestMustHandoverWaits(t *testing.T) {
	for name, leave := range map[string]func(s *scenario){
		"handover": func(s *scenario) { s.must(s.Active().Node().Handover(context.Background())) },
		"close":    func(s *scenario) { s.Active().Shutdown() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, slowStart(300*time.Millisecond))
				c := restandby(s)
				leave(s)
				s.must(ask(c, "still there?"))
				s.must(c.Close())
			})
		})
	}
}

// Where the standby's handler writes something else, and less, that is known at once: its
// common beginning differs. The client does not wait for MaxLag.
func TestMustDifferAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, &ftcptest.Cluster{Serve: serve(func(machine int, c *ftcp.Conn) {
			if c.Read(make([]byte, 1)); machine == 1 {
				io.WriteString(c, "else")
				c.Read(make([]byte, 1))
				return
			}
			io.WriteString(c, "something")
			io.Copy(io.Discard, c)
		})})
		c := s.dial()
		begin := time.Now()
		_, err := c.Write([]byte("?"))
		s.must(err)
		s.must(hear(c, "something"))
		if d := time.Since(begin); d > 100*time.Millisecond {
			t.Errorf("the answer took %v", d)
		}
		if st := s.Active().Node().Status(); st.Protected != 0 || st.Released != 1 {
			t.Errorf("%+v", st)
		}
		s.allowResets()
		c.Close()
	})
}

// A connection for which the standby's program has no listener yet is not sent there: it
// waits, unprotected, and is protected as soon as there is one.
func TestMustListenLater(t *testing.T) {
	const second = "10.0.0.1:81"
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		a, b := s.Active(), s.Standby()
		l, err := a.Node().Listen("tcp", second)
		s.must(err)
		go echo(l)
		c, err := s.Client().DialContext(context.Background(), "tcp", second)
		s.must(err)
		begin := time.Now()
		s.must(ask(c, "hello"))
		if d := time.Since(begin); d > 100*time.Millisecond {
			t.Errorf("the answer took %v", d)
		}
		time.Sleep(time.Second)
		if st := a.Node().Status(); st.Conns != 1 || st.Protected != 0 || st.Released != 0 {
			t.Errorf("without a listener there: %+v", st)
		}
		l, err = b.Node().Listen("tcp", second)
		s.must(err)
		go echo(l)
		s.within(time.Second, "protection", func() bool { return a.Node().Status().Protected == 1 })
		s.allowResets() // the monitor knows the first port only
		a.Kill()
		s.must(ask(c, "still there?"))
		s.must(c.Close())
	})
}

// Connections that are over before the standby's program has accepted them wait for it no
// more: they would be kept for as long as it does something else.
func TestMustWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var machines, accepted atomic.Int64
		s := begin(t, &ftcptest.Cluster{Serve: func(l net.Listener) {
			if machines.Add(1) != 2 {
				echo(l)
				return
			}
			time.Sleep(3 * time.Second)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted.Add(1)
				go func() {
					defer c.Close()
					io.Copy(c, c)
				}()
			}
		}})
		s.allowResets()
		for range 20 {
			c := s.dial().(*ftcp.Conn)
			c.SetLinger(0)
			c.Close()
		}
		time.Sleep(5 * time.Second)
		if n := accepted.Load(); n != 0 {
			t.Errorf("the standby has accepted %d connections that were over", n)
		}
		c := s.dial()
		s.must(ask(c, "hello"))
		if n := accepted.Load(); n != 1 {
			t.Errorf("it has accepted %d", n)
		}
		s.must(c.Close())
	})
}
