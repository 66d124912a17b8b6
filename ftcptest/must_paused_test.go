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

// strange returns what sends the service a segment of a connection that no node has. A
// node that is sure of itself answers it with a RST, which the monitor reports.
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

// What a node that was stopped finds in its queue when it wakes up may be for the one
// that has taken over: it answers nothing with a RST.
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

// A node that has not heard its standby for as long as that waits, and does not know yet
// that it goes on alone, serves its connections, but answers nothing with a RST.
func TestMustUnsureNoReset(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		send := strange(s, c)
		a := s.Active()
		a.Links.Unplug()
		time.Sleep(200 * time.Millisecond)
		if st := a.Node().Status(); st.Role != "active" || st.Standby == "" || st.InSync || st.Protected != 0 {
			t.Errorf("the link has not ended, but there is doubt: %+v", st)
		}
		send()
		time.Sleep(time.Millisecond)
		a.Links.Plug()
		s.inPair()
		s.must(ask(c, "still there?"))
		s.must(c.Close())
	})
}

// The standby's process has ended, or so it looks. Until the active node knows, it
// answers nothing with a RST: not even for as long as the standby would have waited for
// it.
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

// An old active node that wakes up learns over the link that its reign is over, though it
// hears nothing of the clients' network: at once it forgets its connections, and can
// follow.
func TestMustFallsSilent(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		old := s.Active()
		old.Pause()
		s.within(time.Second, "a takeover", func() bool { return s.Active() != nil && s.Active() != old })
		if st := old.Node().Status(); st.Conns != 1 || st.Epoch != 1 {
			t.Errorf("while it is stopped: %+v", st)
		}
		old.Links.Resume()
		time.Sleep(time.Millisecond)
		if st := old.Node().Status(); st.Role != "starting" && st.Role != "joining" && st.Role != "standby" || st.Epoch != 2 {
			t.Errorf("when it has been told: %+v", st)
		}
		old.Service.Resume()
		s.inPair()
		time.Sleep(time.Second)
		if st := s.Active().Node().Status(); st.Protected != 1 || st.Released != 0 {
			t.Errorf("when it is a standby: %+v", st)
		}
		s.must(ask(c, "still there?"))
		s.must(c.Close())
	})
}

// Two nodes have begun to serve without having heard of each other, and there is no link
// between them. When they hear each other, one of the two yields: by the other's word, or
// by its own judgement if it is the one that judges, which their random names decide.
func TestMustVerdict(t *testing.T) {
	for range 12 {
		play(t, &ftcptest.Cluster{}, verdict)
	}
}

func verdict(s *scenario) {
	a, b := s.Machine(0), s.Machine(1)
	a.Kill()
	b.Kill()
	a.Links.Unplug()
	s.allowResets()
	time.Sleep(5 * time.Second)
	s.decide(func(f ftcptest.Frame) ftcptest.Verdict {
		if f.From == a.Name || f.From == b.Name {
			return ftcptest.Drop
		}
		return ftcptest.Pass
	})
	started := make(chan error, 2)
	for _, m := range []*ftcptest.Machine{a, b} {
		go func() { started <- m.Start() }()
	}
	station := s.Network.Port("station") // whom both of them hear
	hello := wire.Ethernet{Dst: wire.Broadcast, Src: station.Features().MAC, Type: 0x88b5}.Append(nil)
	hello = append(hello, make([]byte, 46)...)
	for range 400 {
		station.Write([]device.Outbound{{Header: hello}})
		time.Sleep(5 * time.Millisecond)
	}
	s.must(<-started)
	s.must(<-started)
	active := func() (n int) {
		for _, m := range []*ftcptest.Machine{a, b} {
			if m.Node().Status().Role == "active" {
				n++
			}
		}
		return n
	}
	s.within(10*time.Second, "two that are active", func() bool { return active() == 2 })
	s.decide(nil)
	time.Sleep(5 * time.Second)
	if active() != 1 {
		s.t.Errorf("5 s later:\n%s", s.roles())
	}
	s.must(ask2echo(s))
}

// A standby that does not hear the clients' network claims nothing, though the active
// node is gone: it may be itself that is cut off. When it hears the network again it goes
// on.
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
