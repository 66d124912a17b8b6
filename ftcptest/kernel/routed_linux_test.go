package kernel_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// A farNet is a machine beyond the lab's network, and the routers on the way to it, which take the same addresses in the
// lab's network, so that only one of them can be plugged in.
type farNet struct {
	lab     *lab
	machine *netns.Namespace
	routers []*netns.Host
}

// newFar adds such a machine to a lab, behind one router. Its addresses are 10.9.1.1 and fd09:1::1.
func newFar(l *lab) *farNet {
	l.t.Helper()
	machine, err := netns.New()
	check(l.t, err)
	l.t.Cleanup(func() { machine.Close() })
	f := &farNet{lab: l, machine: machine}
	f.addRouter("10.0.0.0/24", "fd00::/64")
	for _, host := range l.hosts {
		check(l.t, host.AddRoute(netip.MustParsePrefix("10.9.0.0/16"), netip.MustParseAddr("10.0.0.254")))
		check(l.t, host.AddRoute(netip.MustParsePrefix("fd09::/16"), netip.MustParseAddr("fd00::254")))
	}
	return f
}

// addRouter adds a router, by way of which the far machine reaches networks of the lab. The first one's far network has the
// addresses that the machine is known by.
func (f *farNet) addRouter(networks ...string) {
	t := f.lab.t
	t.Helper()
	router := newHost(t, f.lab.sw, "10.0.0.254")
	f.routers = append(f.routers, router)
	check(t, router.Sysctl("net.ipv4.ip_forward", "1"))
	check(t, router.Sysctl("net.ipv6.conf.all.forwarding", "1"))

	n := len(f.routers)
	port := fmt.Sprintf("far%d", n)
	check(t, f.machine.AddVeth(port, router.Namespace, port))
	// Who forwards IPv6 looks for neighbors from a link-local address.
	check(t, router.AddAddr("eth0", netip.MustParsePrefix("fe80::254/64")))
	check(t, router.AddAddr(port, netip.MustParsePrefix("fe80::254/64")))
	check(t, f.machine.AddAddr(port, netip.MustParsePrefix("fe80::1/64")))
	for _, pattern := range []string{"10.9.%d.%d/24", "fd09:%d::%d/64"} {
		machine := netip.MustParsePrefix(fmt.Sprintf(pattern, n, 1))
		gateway := netip.MustParsePrefix(fmt.Sprintf(pattern, n, 254))
		check(t, f.machine.AddAddr(port, machine))
		check(t, router.AddAddr(port, gateway))
		for _, text := range networks {
			if network := netip.MustParsePrefix(text); network.Addr().Is4() == gateway.Addr().Is4() {
				check(t, f.machine.AddRoute(network, gateway.Addr()))
			}
		}
		if n > 1 {
			known := netip.MustParsePrefix(fmt.Sprintf(pattern, 1, 1))
			check(t, router.AddRoute(known.Masked(), machine.Addr()))
		}
	}
}

// listenAt listens with the kernel's TCP in a namespace, and not for ever.
func listenAt(t *testing.T, n *netns.Namespace, address string) net.Listener {
	t.Helper()
	var l net.Listener
	check(t, n.Do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	}))
	t.Cleanup(func() { l.Close() })
	l.(*net.TCPListener).SetDeadline(time.Now().Add(*patience))
	return l
}

// The station that a router was is there no more, and another has its address. A server that only sends hears nothing of that: it has to
// ask, when nothing is answered.
func TestRouterReplaced(t *testing.T) {
	const size = 32 << 20
	lab := newLab(t, serverConfig{Dial: "10.9.1.1:9000", Size: size})
	lab.config.Peers = nil
	far := newFar(lab)
	l := listenAt(t, far.machine, lab.config.Dial)
	lab.servers[0] = startServer(t, lab.hosts[0], lab.config)
	c, err := l.Accept()
	check(t, err)
	c.SetDeadline(time.Now().Add(*patience))
	h := sha256.New()
	_, err = io.CopyN(h, c, size/2)
	check(t, err)

	check(t, far.routers[0].Unplug())
	far.addRouter("10.0.0.0/25")
	_, err = io.Copy(h, c)
	check(t, err)
	_, err = c.Write(h.Sum(nil))
	check(t, err)
	check(t, c.(*net.TCPConn).CloseWrite())
	lab.servers[0].awaitThat("satisfied with the answer", func(r report) bool { return r.Received == sha256.Size })
}
