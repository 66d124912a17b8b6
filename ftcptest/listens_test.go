package ftcptest_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// prompt is how long a client may wait for an answer that no standby can delay.
const prompt = 200 * time.Millisecond

// promptly asks, and fails the test if the answer takes longer than that.
func (s *scenario) promptly(c net.Conn, request string) {
	s.t.Helper()
	begin := time.Now()
	s.must(ask(c, request))
	if d := time.Since(begin); d > prompt {
		s.t.Errorf("the answer to %q took %v", request, d)
	}
}

// unprotected checks the reasons for which connections of the active node are not
// protected.
func (s *scenario) unprotected(n int, why string) {
	s.t.Helper()
	st := s.Active().Node().Status()
	for reason, m := range st.Unprotected {
		if strings.Contains(reason, why) && m == n && len(st.Unprotected) == 1 {
			return
		}
	}
	s.t.Errorf("not %d because %q: %+v", n, why, st)
}

// extra serves a second address with the echo server, on the machines that are told to.
func extra(n *ftcp.Node, address string) (net.Listener, error) {
	l, err := n.Listen("tcp", address)
	if err == nil {
		go echo(l)
	}
	return l, err
}

func (s *scenario) dialAddr(n *ftcp.Node, address string) net.Conn {
	s.t.Helper()
	c, err := n.DialContext(context.Background(), "tcp", address)
	s.must(err)
	c.SetDeadline(time.Now().Add(10 * time.Minute))
	return c
}

// The active node listens on a second port, and the standby does so a while later.
// Clients of that port are served at once, and protected from when the standby's program
// listens.
func TestSecondPortLater(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		const second = "10.0.0.1:81"
		_, err := extra(s.Active().Node(), second)
		s.must(err)
		client := s.Client()
		c := s.dialAddr(client, second)
		s.promptly(c, "hello")
		s.promptly(c, strings.Repeat("x", 1000))
		s.unprotected(1, "does not listen")
		time.Sleep(10 * time.Second)
		s.promptly(c, "later")
		s.unprotected(1, "does not listen")

		_, err = extra(s.Standby().Node(), second)
		s.must(err)
		s.within(time.Second, "protection", func() bool { return s.Active().Node().Status().Protected == 1 })
		d := s.dialAddr(client, second)
		s.promptly(d, "new")
		if st := s.Active().Node().Status(); st.Protected != 2 || st.Released != 0 {
			t.Errorf("%+v", st)
		}
		s.Active().Kill()
		s.must(ask(c, "still there?"))
		s.must(ask(d, "still there?"))
		s.must(c.Close())
		s.must(d.Close())
	})
}

// A connection to a port on which the standby does not listen is kept for it no further
// than any other.
func TestSecondPortBeyondHistory(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		const second = "10.0.0.1:81"
		l, err := s.Active().Node().Listen("tcp", second)
		s.must(err)
		go serve(func(_ int, c *ftcp.Conn) { io.Copy(io.Discard, c) })(l)
		c := s.dialAddr(s.Client(), second)
		before, chunk := heap(), make([]byte, 1<<20)
		for range 64 {
			_, err := c.Write(chunk)
			s.must(err)
		}
		time.Sleep(time.Second)
		if grown := heap() - before; grown > 24 {
			t.Errorf("64 MiB that the standby has no listener for cost %d MiB", grown)
		}
		_, err = extra(s.Standby().Node(), second)
		s.must(err)
		time.Sleep(time.Second)
		_, err = c.Write(chunk)
		s.must(err)
		s.unprotected(1, "History")
		s.must(c.Close())
	})
}

// The standby's program closes its listener. What it has accepted stays protected; what
// is new is served at once, without; and nothing of it is delayed.
func TestStandbyClosesListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listeners := make(chan net.Listener, 2)
		s := begin(t, &ftcptest.Cluster{Serve: func(l net.Listener) {
			listeners <- l
			echo(l)
		}})
		<-listeners
		standbys := <-listeners
		old := s.dial()
		s.must(ask(old, "hello"))
		standbys.Close()
		for range 10 {
			c := s.dial()
			s.promptly(c, "hello")
			s.promptly(c, "again")
			s.must(c.Close())
		}
		time.Sleep(time.Second)
		c := s.dial()
		s.promptly(c, "hello")
		s.unprotected(1, "does not listen")
		if st := s.Active().Node().Status(); st.Protected != 1 {
			t.Errorf("the connection that the standby has accepted: %+v", st)
		}
		s.allowResets()
		s.Active().Kill()
		s.must(ask(old, "still there?"))
		old.Close()
		c.Close()
	})
}

// The standby's program hangs in its accept loop. Clients wait for MaxLag once, and no
// more as long as it hangs. When it goes on, what is new is protected.
func TestStandbyHangsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hangs atomic.Bool
		var n atomic.Int64
		on := make(chan struct{})
		s := begin(t, &ftcptest.Cluster{Serve: func(l net.Listener) {
			standby := n.Add(1) == 2
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				if standby && hangs.Load() {
					<-on
				}
				go func() {
					io.Copy(c, c)
					c.Close()
				}()
			}
		}})
		old := s.dial()
		s.must(ask(old, "hello"))
		hangs.Store(true)
		c, begin := s.dial(), time.Now()
		s.must(ask(c, "the first waits"))
		if d := time.Since(begin); d > 8*time.Second {
			t.Errorf("the first answer took %v", d)
		}
		s.promptly(old, "this one does not")
		s.must(ask(s.dial(), "the second may wait, too"))
		s.must(ask(s.dial(), "and the third"))
		time.Sleep(6 * time.Second)
		for range 5 {
			c := s.dial()
			s.promptly(c, "hello")
			s.promptly(c, "again")
			s.must(c.Close())
		}
		s.promptly(old, "still there?")

		hangs.Store(false)
		close(on)
		time.Sleep(time.Second)
		before := s.Active().Node().Status().Protected
		d := s.dial()
		s.promptly(d, "hello")
		if st := s.Active().Node().Status(); st.Protected != before+1 {
			t.Errorf("after the program has gone on: %+v, before %d", st, before)
		}
		s.allowResets()
		s.Active().Kill()
		s.must(ask(d, "still there?"))
		s.must(ask(old, "still there?"))
	})
}
