package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
)

const (
	switchBridge = "switch" // the bridge in a switch's namespace
	hostEthernet = "eth0"   // the interface in a host's namespace
)

// A Switch joins hosts as an Ethernet switch does. Its methods may be called
// by several goroutines at once.
type Switch struct {
	ns *Namespace

	mu    sync.Mutex
	hosts []*Host // that this switch has ever had
}

// NewSwitch makes a switch with nothing plugged in.
func NewSwitch() (*Switch, error) {
	ns, err := New()
	if err != nil {
		return nil, err
	}
	if err := ns.AddBridge(switchBridge); err != nil {
		ns.Close()
		return nil, err
	}
	return &Switch{ns: ns}, nil
}

// Host makes a host and plugs it in. Its interface eth0 has the address p, or
// none if p is the zero Prefix; AddAddr adds more.
func (s *Switch) Host(p netip.Prefix) (*Host, error) {
	ns, err := New()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	h := &Host{Namespace: ns, sw: s.ns, port: fmt.Sprintf("port%d", len(s.hosts)+1)}
	s.hosts = append(s.hosts, h)
	s.mu.Unlock()

	err = s.ns.AddVeth(h.port, ns, hostEthernet)
	if err == nil {
		err = s.ns.addPort(switchBridge, h.port)
	}
	if err == nil && p.IsValid() {
		err = ns.AddAddr(hostEthernet, p)
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Close closes the switch and all its hosts.
func (s *Switch) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, h := range s.hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(append(errs, s.ns.Close())...)
}

// A Host is a namespace with an interface eth0 that is plugged into a switch.
type Host struct {
	*Namespace
	sw   *Namespace
	port string // the other end of eth0, in sw
}

// Unplug pulls the host's cable: no frame passes any more. The
// host keeps its addresses and routes, but notices.
func (h *Host) Unplug() error { return h.sw.Down(h.port) }

// Plug puts the cable in again. Frames pass when Plug returns. A host that has
// asked for a neighbor's address meanwhile, in vain, asks again a second after it
// first did: see net.ipv4.neigh.eth0.retrans_time_ms and its likeness for IPv6.
func (h *Host) Plug() error {
	err := h.sw.Up(h.port)
	if err == nil {
		err = h.sw.await(h.port, link.forwarding)
	}
	if err == nil {
		err = h.await(hostEthernet, link.operational)
	}
	if err != nil {
		return fmt.Errorf("netns: plug in: %w", err)
	}
	return nil
}

// Close removes the host from the network: its cable at once, the rest as
// [Namespace.Close] does.
func (h *Host) Close() error {
	h.sw.delLink(h.port) // fails if it is gone already
	return h.Namespace.Close()
}
