package kernel_test

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// serviceFaults are what may happen to an interface, and how it ends.
var serviceFaults = []struct {
	name        string
	begin, over func(h *netns.Host, addr string) error
}{
	{"Down",
		func(h *netns.Host, _ string) error { return h.Down("eth0") },
		func(h *netns.Host, _ string) error { return h.Up("eth0") }},
	{"Unplugged",
		func(h *netns.Host, _ string) error { return h.Unplug() },
		func(h *netns.Host, _ string) error { return h.Plug() }},
	{"Removed",
		func(h *netns.Host, _ string) error { return h.Remove() },
		func(h *netns.Host, addr string) error { return h.Insert(netip.MustParsePrefix(addr + "/24")) }},
}

// few is how long clients may wait for the standby of a node that is cut off from them.
const few = 5 * time.Second

// The active node's machine has another network for the link to its standby. Its service
// interface fails: the standby serves, since clients reach that one. When the interface is
// back its node is a standby.
func TestServiceInterface(t *testing.T) {
	for _, fault := range serviceFaults {
		t.Run(fault.name, func(t *testing.T) {
			l := newLinkedLab(t, serverConfig{Handler: "echo", History: history})
			w := l.tap(resets)
			s := l.startStream()
			check(t, fault.begin(l.hosts[0], "10.0.0.11"))
			l.servers[1].await("active")
			if pause := s.goesOn("the interface is gone"); pause > few {
				t.Errorf("the client waited for %v", pause)
			}
			l.servers[0].awaitThat("without carrier", noCarrier)
			check(t, fault.over(l.hosts[0], "10.0.0.11"))
			l.servers[0].awaitThat("with carrier", func(r report) bool { return r.Network.Carrier })
			l.awaitPair(1, 1)
			s.goesOn("the interface is back")

			// What is a standby again can serve again.
			l.servers[1].kill()
			l.servers[0].await("active")
			s.goesOn("the other one is killed")
			s.end()
			w.none("a reset")
		})
	}
}

func noCarrier(r report) bool { return !r.Network.Carrier }

// The standby's service interface fails, and it says so. It is handed nothing, and takes
// nothing over from an active node that is killed, until it has the interface back.
func TestServiceInterfaceOfStandby(t *testing.T) {
	for _, fault := range serviceFaults {
		t.Run(fault.name, func(t *testing.T) {
			l := newLinkedLab(t, serverConfig{Handler: "echo", History: history})
			w := l.tap(resets)
			s := l.startStream()
			check(t, fault.begin(l.hosts[1], "10.0.0.12"))
			l.servers[1].awaitThat("a standby without carrier", func(r report) bool {
				return noCarrier(r) && r.Role == "standby"
			})
			s.goesOn("the standby's interface is gone")
			l.servers[0].awaitThat("active as before", func(r report) bool {
				return r.Role == "active" && r.Epoch == 1 && r.Network.Carrier
			})

			l.servers[0].kill()
			<-l.servers[0].ended
			l.servers[1].awaitThat("waiting for the network", func(r report) bool {
				return noCarrier(r) && r.Role == "standby" && r.Why != ""
			})
			check(t, fault.over(l.hosts[1], "10.0.0.12"))
			l.servers[1].await("active")
			s.goesOn("the interface is back")
			s.end()
			w.none("a reset")
		})
	}
}

// The interface of a node that stands alone fails and comes back. Its connections go on,
// and it accepts others.
func TestServiceInterfaceAlone(t *testing.T) {
	for _, fault := range serviceFaults {
		t.Run(fault.name, func(t *testing.T) {
			l := newLab(t, serverConfig{Handler: "echo"})
			l.config.Peers = nil
			l.servers[0] = startServer(t, l.hosts[0], l.config)
			l.servers[0].await("active")
			s := l.stream()
			s.goesOn("at first")
			check(t, fault.begin(l.hosts[0], "10.0.0.11"))
			l.servers[0].awaitThat("without carrier", noCarrier)
			check(t, fault.over(l.hosts[0], "10.0.0.11"))
			l.servers[0].awaitThat("with carrier", func(r report) bool { return r.Network.Carrier })
			s.goesOn("the interface is back")
			c := l.dial()
			_, err := io.WriteString(c, "hello")
			check(t, err)
			check(t, c.CloseWrite())
			if b, err := io.ReadAll(c); string(b) != "hello" {
				t.Fatalf("%q, %v", b, err)
			}
			s.end()
		})
	}
}

// The interface of a node that stands alone, and answers by its MAC, gets another one. The
// client is told.
func TestServiceInterfaceMAC(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo"})
	l.config.Peers = nil
	l.servers[0] = startServer(t, l.hosts[0], l.config)
	l.servers[0].await("active")
	s := l.stream()
	s.goesOn("at first")
	check(t, l.hosts[0].SetMAC(net.HardwareAddr{0x02, 0xaa, 0xbb, 0xcc, 0xdd, 1}))
	s.goesOn("by another MAC")
	s.end()
}
