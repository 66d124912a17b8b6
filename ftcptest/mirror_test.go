package ftcptest_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// serve calls handle for each connection, with the number of the machine, counted by the order
// in which they started.
func serve(handle func(machine int, c *ftcp.Conn)) func(net.Listener) {
	var machines atomic.Int64
	return func(l net.Listener) {
		machine := int(machines.Add(1)) - 1
		var handlers sync.WaitGroup
		defer handlers.Wait()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			handlers.Go(func() {
				defer c.Close()
				handle(machine, c.(*ftcp.Conn))
			})
		}
	}
}

// A handler whose output is not a function of its input costs its connection the protection,
// nothing else: the client sees the output of one node, and a reset if that one dies.
func TestHandlerThatDiverges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conns := make(chan *ftcp.Conn, 2)
		cluster := &ftcptest.Cluster{Serve: serve(func(machine int, c *ftcp.Conn) {
			if machine == 0 {
				conns <- c
			}
			b := make([]byte, 100)
			for {
				n, err := c.Read(b)
				if err != nil {
					return
				}
				if strings.HasPrefix(string(b[:n]), "who") {
					fmt.Fprintf(c, "machine %d\n", machine)
				} else {
					c.Write(b[:n])
				}
			}
		})}
		s := begin(t, cluster)
		steady, c := s.dial(), s.dial()
		s.must(ask(steady, "the same"))
		s.must(ask(c, "the same"))
		if st := s.Active().Node().Status(); st.Protected != 2 || st.Released != 0 {
			t.Fatalf("%+v", st)
		}
		for range 3 {
			if _, err := io.WriteString(c, "who are you?"); err != nil {
				t.Fatal(err)
			}
			s.must(hear(c, "machine 0\n"))
		}
		if st := s.Active().Node().Status(); st.Conns != 2 || st.Protected != 1 || st.Released != 1 {
			t.Errorf("%+v", st)
		}
		protected := 0
		for range 2 {
			if (<-conns).Protected() {
				protected++
			}
		}
		if protected != 1 {
			t.Errorf("%d connections say that they are protected", protected)
		}

		s.allowResets()
		s.Active().Kill()
		s.must(ask(steady, "still the same"))
		if err := ask(c, "who are you?"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the death of its node: %v", err)
		}
		s.must(steady.Close())
		c.Close()
	})
}

// A handler that is behind on the standby holds the client up for MaxLag, not longer.
func TestHandlerThatLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{}, 1) // a mutex, in the eyes of synctest
		cluster := &ftcptest.Cluster{
			Configure: func(n *ftcp.Node) { n.MaxLag = 2 * time.Second },
			Serve: serve(func(machine int, c *ftcp.Conn) {
				b := make([]byte, 100)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					if machine == 1 {
						stuck <- struct{}{}
						<-stuck
					}
					c.Write(b[:n])
				}
			}),
		}
		s := begin(t, cluster)
		c := s.dial()
		s.must(ask(c, "hello"))
		// A short lag is waited for.
		unstick := func() { <-stuck }
		stuck <- struct{}{}
		time.AfterFunc(time.Second, unstick)
		begin := time.Now()
		s.must(ask(c, "slow"))
		if d := time.Since(begin); d < 900*time.Millisecond || d > 1100*time.Millisecond {
			t.Errorf("the answer took %v", d)
		}
		if st := s.Active().Node().Status(); st.Protected != 1 {
			t.Errorf("%+v", st)
		}
		stuck <- struct{}{}
		begin = time.Now()
		s.must(ask(c, "too slow"))
		if d := time.Since(begin); d < 2*time.Second || d > 3*time.Second {
			t.Errorf("the answer took %v", d)
		}
		begin = time.Now()
		s.must(ask(c, "does not matter any more"))
		if d := time.Since(begin); d > 100*time.Millisecond {
			t.Errorf("the answer took %v", d)
		}
		if st := s.Active().Node().Status(); st.Protected != 0 || st.Released != 1 {
			t.Errorf("%+v", st)
		}
		<-stuck
		// Others are protected as before.
		d := s.dial()
		s.must(ask(d, "hello"))
		s.allowResets()
		s.Active().Kill()
		s.must(ask(d, "still there"))
		s.must(d.Close())
		c.Close()
	})
}

// A standby whose handler does not read costs the client its window, not for longer than MaxLag.
func TestHandlerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		cluster := &ftcptest.Cluster{
			Configure: func(n *ftcp.Node) { n.MaxLag, n.ReceiveBuffer = 2*time.Second, 64<<10 },
			Serve: serve(func(machine int, c *ftcp.Conn) {
				if machine == 1 {
					<-done
					return
				}
				io.Copy(io.Discard, c)
			}),
		}
		s := begin(t, cluster)
		c := s.dial()
		begin := time.Now()
		if _, err := c.Write(make([]byte, 8<<20)); err != nil {
			t.Fatal(err)
		}
		s.must(c.(*ftcp.Conn).CloseWrite())
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%d bytes, %v", n, err)
		}
		if d := time.Since(begin); d < 2*time.Second || d > 4*time.Second {
			t.Errorf("took %v", d)
		}
		c.Close()
		close(done)
	})
}
