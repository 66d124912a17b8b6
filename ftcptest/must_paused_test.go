package ftcptest_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// strange returns what sends the service a segment of a connection that no node has. A node that
// is sure of itself answers it with a RST, which the monitor reports.
func strange(s *scenario, c net.Conn) (send func()) {
	var mu sync.Mutex
	var frame []byte
	s.decide(func(f ftcptest.Frame) ftcptest.Verdict {
		ip, seg, _, ok := parseTCP(f)
		if !ok || ip.Dst != s.service.Addr() {
			return ftcptest.Pass
		}
		eth, _, err := wire.ParseEthernet(f.Data)
		if err != nil {
			return ftcptest.Pass
		}
		forged := wire.TCP{SrcPort: 9, DstPort: seg.DstPort, Seq: seg.Seq, Ack: seg.Ack, Flags: wire.ACK, Window: 1000}
		b := ip.Append(eth.Append(nil), forged.Len())
		start := len(b)
		b = forged.Append(b)
		wire.SetTCPChecksum(b[start:], wire.PseudoHeaderSum(ip.Src, ip.Dst, wire.ProtoTCP, forged.Len()))
		mu.Lock()
		frame = b
		mu.Unlock()
		return ftcptest.Pass
	})
	s.must(ask(c, "what frames look like"))
	time.Sleep(time.Second)
	s.decide(nil)
	port := s.Network.Port("stranger")
	return func() {
		mu.Lock()
		defer mu.Unlock()
		port.Write([]device.Outbound{{Header: frame}})
	}
}

// What a node that was stopped finds in its queue when it wakes up may be for the one that has
// taken over: it answers nothing with a RST.
func TestMustPausedNoReset(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		send := strange(s, c)
		old := s.Active()
		old.Pause()
		send()
		s.within(time.Second, "a takeover", func() bool { return s.Active() != nil && s.Active() != old })
		time.Sleep(3 * time.Second)
		old.Service.Resume() // the clients' frames come first
		time.Sleep(10 * time.Millisecond)
		old.Links.Resume()
		s.inPair()
		s.must(ask(c, "still there?"))
		s.must(c.Close())
	})
}

// The standby's process has ended, or so it looks. Until the active node knows, it answers nothing
// with a RST: not even for as long as the standby would have waited for it.
func TestMustLinkEndsNoReset(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		send := strange(s, c)
		s.Standby().Kill()
		time.Sleep(time.Millisecond)
		send()
		time.Sleep(time.Millisecond)
		if st := s.Active().Node().Status(); st.InSync {
			t.Errorf("the link has not ended: %+v", st)
		}
		time.Sleep(time.Second) // it has become sure
		s.must(ask(c, "still there?"))
		s.must(c.Close())
	})
}

// An old active node that wakes up is told over the link that its reign is over, though it
// hears nothing of the clients' network: it forgets its connections at once.
func TestMustClaimIsTold(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		old := s.Active()
		old.Pause()
		s.within(time.Second, "a takeover", func() bool { return s.Active() != nil && s.Active() != old })
		time.Sleep(3 * time.Second)
		if st := old.Node().Status(); st.Conns != 1 {
			t.Errorf("while it is stopped: %+v", st)
		}
		old.Links.Resume()
		time.Sleep(5 * time.Millisecond)
		if st := old.Node().Status(); st.Role != "starting" || st.Conns != 0 {
			t.Errorf("when it has been told: %+v", st)
		}
		old.Service.Resume()
		s.inPair()
		s.must(ask(c, "still there?"))
		s.must(c.Close())
	})
}

// A standby that does not hear the clients' network claims nothing, though the active node is gone:
// it may be itself that is cut off. When it hears the network again it goes on.
func TestMustDeafDoesNotClaim(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		a, b := s.Active(), s.Standby()
		b.Service.Unplug()
		time.Sleep(time.Second)
		a.Kill()
		time.Sleep(3 * time.Second)
		if st := b.Node().Status(); st.Role != "standby" || st.Conns != 1 {
			t.Errorf("while it is deaf: %+v", st)
		}
		b.Service.Plug()
		s.must(ask(c, "still there?"))
		s.must(c.Close())
	})
}
