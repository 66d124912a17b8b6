package ftcptest_test

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/wire"
)

// patient keeps nodes from giving each other up while a test holds their link.
func patient(n *ftcp.Node) { n.Heartbeat, n.Misses, n.MaxLag = time.Second, 60, time.Minute }

// seen is what the service address has shown since the test began to look.
type seen struct {
	segments int
	ack, end uint32 // highest acknowledgement, and end of the highest data; 0: none
	fin      bool
}

// look follows what the service address sends. What it returns says what that was, so far.
func (s *scenario) look() func() seen {
	var mu sync.Mutex
	var v seen
	s.decide(func(f ftcptest.Frame) ftcptest.Verdict {
		ip, seg, payload, ok := parseTCP(f)
		if !ok || netip.AddrPortFrom(ip.Src, seg.SrcPort) != s.service {
			return ftcptest.Pass
		}
		mu.Lock()
		defer mu.Unlock()
		v.segments++
		v.fin = v.fin || seg.Flags&wire.FIN != 0
		v.ack = later(v.ack, seg.Ack)
		v.end = later(v.end, seg.Seq+uint32(len(payload)))
		return ftcptest.Pass
	})
	return func() seen {
		mu.Lock()
		defer mu.Unlock()
		return v
	}
}

// later returns the higher one of two sequence numbers; 0 is none.
func later(a, b uint32) uint32 {
	if a == 0 || int32(b-a) > 0 {
		return b
	}
	return a
}

// start returns the initial sequence numbers of a client's connection, the service's first.
func (s *scenario) start(c *ftcp.Conn) (iss, irs uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.conns[watch{s.service, c.LocalAddr().(*net.TCPAddr).AddrPort()}]
	return w.iss, w.irs
}

// While the standby confirms nothing, the client sees nothing new: not at any step of a connection's life.
// When it does, all of it comes.
func TestNothingBeyondTheMarks(t *testing.T) {
	play(t, &ftcptest.Cluster{Configure: patient}, func(s *scenario) {
		hold := func() { s.Standby().Links.Pause() }
		release := func() { s.Standby().Links.Resume() }
		const while = 3 * time.Second // long enough for retransmissions

		// A SYN-ACK.
		shown := s.look()
		hold()
		dialed := make(chan *ftcp.Conn)
		go func() { dialed <- s.dial().(*ftcp.Conn) }()
		time.Sleep(while)
		if n := shown().segments; n > 0 {
			t.Errorf("%d segments before the standby knows of the connection", n)
		}
		release()
		c := <-dialed
		iss, irs := s.start(c)

		// An acknowledgement of data, and its echo.
		s.must(ask(c, "before"))
		time.Sleep(time.Second)
		shown = s.look()
		hold()
		if _, err := c.Write([]byte("held")); err != nil {
			t.Fatal(err)
		}
		answered := make(chan error, 1)
		go func() { answered <- hear(c, "held") }()
		time.Sleep(while)
		if v := shown(); v.ack != 0 && int32(v.ack-(irs+7)) > 0 {
			t.Errorf("data was acknowledged before the standby had it")
		} else if v.end != 0 && int32(v.end-(iss+7)) > 0 {
			t.Errorf("output was sent before the standby's handler had produced it")
		}
		release()
		s.must(<-answered)

		// The client's FIN, and the server's.
		time.Sleep(time.Second)
		shown = s.look()
		hold()
		s.must(c.CloseWrite())
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		time.Sleep(while)
		if v := shown(); v.fin || v.ack != 0 && int32(v.ack-(irs+11)) > 0 {
			t.Errorf("the end was shown before the standby knew of it: %+v", v)
		}
		release()
		if err := <-ended; err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		c.Close()
	})
}

// What the client was shown before its server died is what it is shown afterwards, even if
// the link was stalled at that moment.
func TestKillWithStalledLink(t *testing.T) {
	for _, stall := range []time.Duration{0, time.Millisecond, 300 * time.Millisecond} {
		play(t, &ftcptest.Cluster{Configure: patient}, func(s *scenario) {
			c := s.dial()
			s.must(ask(c, "before"))
			active, standby := s.Active(), s.Standby()
			standby.Links.Pause()
			if _, err := c.Write([]byte("during")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(stall)
			active.Kill()
			standby.Links.Resume()
			s.must(hear(c, "during"))
			s.must(ask(c, "after"))
			s.must(c.Close())
		})
	}
}
