package ftcptest_test

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/wire"
)

// patient keeps nodes from giving each other up while a test holds their link.
func patient(n *ftcp.Node) { n.Heartbeat, n.Misses, n.MaxLag = time.Second, 60, time.Minute }

// seen is what the service address has shown of a connection.
type seen struct {
	segments  int
	ack, end  uint32 // highest acknowledgement, and end of the highest data, FIN included
	syn, fin  bool
	committed int
}

// shows follows what the service address sends, from now on.
func (s *scenario) shows() *seen {
	v := &seen{}
	s.filter = func(f ftcptest.Frame) ftcptest.Verdict {
		ip, seg, payload, ok := parseTCP(f)
		if ok && netip.AddrPortFrom(ip.Src, seg.SrcPort) == s.service {
			v.segments++
			v.syn = v.syn || seg.Flags&wire.SYN != 0
			v.fin = v.fin || seg.Flags&wire.FIN != 0
			if v.ack == 0 || int32(seg.Ack-v.ack) > 0 {
				v.ack = seg.Ack
			}
			end := seg.Seq + uint32(len(payload))
			if v.end == 0 || int32(end-v.end) > 0 {
				v.end = end
			}
		}
		return ftcptest.Pass
	}
	return v
}

// While the standby confirms nothing, the client sees nothing new: not at any step of a connection's life.
// When it does, all of it comes.
func TestNothingBeyondTheMarks(t *testing.T) {
	// Each step is something that the client does, and what the service must not show before the
	// standby has confirmed.
	play(t, &ftcptest.Cluster{Configure: patient}, func(s *scenario) {
		hold := func() { s.Standby().Links.Pause() }
		release := func() { s.Standby().Links.Resume() }
		const while = 3 * time.Second // long enough for retransmissions

		// A SYN-ACK.
		v := s.shows()
		hold()
		dialed := make(chan ftcptest.Verdict)
		var c interface {
			io.ReadWriteCloser
			CloseWrite() error
		}
		go func() {
			defer close(dialed)
			c = s.dial().(*ftcp.Conn)
		}()
		time.Sleep(while)
		if v.segments > 0 {
			t.Errorf("%d segments before the standby knows of the connection", v.segments)
		}
		release()
		<-dialed

		// An acknowledgement of data, and its echo.
		s.must(ask(c.(*ftcp.Conn), "before"))
		time.Sleep(time.Second)
		v = s.shows()
		hold()
		if _, err := c.Write([]byte("held")); err != nil {
			t.Fatal(err)
		}
		answered := make(chan error, 1)
		go func() { answered <- hear(c.(*ftcp.Conn), "held") }()
		time.Sleep(while)
		w := s.conns[netip.MustParseAddrPort(c.(*ftcp.Conn).LocalAddr().String())]
		if int32(v.ack-(w.irs+7)) > 0 && v.ack != 0 {
			t.Errorf("data was acknowledged before the standby had it")
		}
		if v.end != 0 && int32(v.end-(w.iss+7)) > 0 {
			t.Errorf("output was sent before the standby's handler had produced it")
		}
		release()
		s.must(<-answered)

		// The client's FIN, and the server's.
		time.Sleep(time.Second)
		v = s.shows()
		hold()
		s.must(c.CloseWrite())
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		time.Sleep(while)
		if v.fin || v.ack != 0 && int32(v.ack-(w.irs+11)) > 0 {
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
