package ftcptest_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// A standby that comes later learns of the connections that there are: idle ones, busy ones,
// ones that are half closed, and ones whose handshake is under way.
func TestStandbyComesLater(t *testing.T) {
	play(t, &ftcptest.Cluster{Serve: echoAtEnd}, func(s *scenario) {
		s.Standby().Kill()
		s.within(time.Second, "an active node that is alone", func() bool { return !s.Active().Node().Status().InSync })

		idle := s.dial()
		talking := s.dial().(*ftcp.Conn)
		half := s.dial().(*ftcp.Conn)
		s.must(ask(idle, "hello\n"))
		s.must(ask(half, "hello\n"))
		_, err := io.WriteString(half, "what I said last\n")
		s.must(err)
		s.must(half.CloseWrite())
		s.must(hear(half, "what I said last\n"))
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() {
			for i := 0; ; i++ {
				if err := ask(talking, fmt.Sprintf("%d %s\n", i, strings.Repeat("x", i))); err != nil || closed(stop) {
					stopped <- err
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		time.Sleep(200 * time.Millisecond)
		if st := s.Active().Node().Status(); st.Conns != 3 || st.Protected != 0 {
			t.Errorf("without a standby: %+v", st)
		}
		s.must(s.Machine(1).Start())
		s.within(2*time.Second, "protection of all connections", func() bool {
			st := s.Active().Node().Status()
			return st.Conns == 3 && st.Protected == 3
		})
		s.Active().Kill()
		s.must(ask(idle, "still there?\n"))
		time.Sleep(200 * time.Millisecond)
		close(stop)
		s.must(<-stopped)
		s.must(ask(idle, "bye\n"))
		s.must(idle.(*ftcp.Conn).CloseWrite())
		s.must(hear(idle, "the end"))
		s.must(hear(half, "the end"))
		if n, err := half.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%d bytes, %v", n, err)
		}
		s.must(half.Close())
		s.must(talking.Close())
		s.must(idle.Close())
	})
}

// echoAtEnd echoes, and says something more a second after its client has finished.
var echoAtEnd = serve(func(_ int, c *ftcp.Conn) {
	io.Copy(c, c)
	time.Sleep(time.Second)
	io.WriteString(c, "the end")
})

// A connection whose beginning is forgotten stays without protection, and says so.
func TestHistoryThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conns := make(chan *ftcp.Conn, 2)
		cluster := &ftcptest.Cluster{
			Configure: func(n *ftcp.Node) { n.History = 10000 },
			Serve: serve(func(machine int, c *ftcp.Conn) {
				if machine == 0 {
					conns <- c
				}
				io.Copy(c, c)
			}),
		}
		s := begin(t, cluster)
		s.Standby().Kill()
		s.within(time.Second, "an active node that is alone", func() bool { return !s.Active().Node().Status().InSync })
		long := s.dial()
		served := <-conns
		short := s.dial()
		s.must(ask(long, strings.Repeat("x", 20000)))
		s.must(ask(short, "y"))
		s.must(s.Machine(1).Start())
		s.inPair()
		s.within(2*time.Second, "protection of one connection", func() bool { return s.Active().Node().Status().Protected == 1 })
		time.Sleep(10 * time.Second)
		if st := s.Active().Node().Status(); st.Conns != 2 || st.Protected != 1 || served.Protected() {
			t.Errorf("%+v, %v", st, served.Protected())
		}
		s.must(ask(long, "it goes on"))
		s.allowResets()
		s.Active().Kill()
		s.must(ask(short, "z"))
		if err := ask(long, "and is lost"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v", err)
		}
		s.must(short.Close())
		long.Close()
	})
}
