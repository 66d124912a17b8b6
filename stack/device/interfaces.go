package device

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// InterfaceFor returns the interface whose network contains addr, and that
// network. If there are several, the longest prefix wins, as in routing. A link-local
// IPv6 address is on every link: it needs a zone, as in fe80::1%eth0.
func InterfaceFor(addr netip.Addr) (name string, prefix netip.Prefix, err error) {
	addr = addr.Unmap()
	if !addr.IsValid() {
		return "", netip.Prefix{}, fmt.Errorf("device: no address to find an interface for")
	}
	networks, err := networks()
	if err != nil {
		return "", netip.Prefix{}, err
	}
	return choose(addr, networks)
}

// KernelOwns reports whether addr is one of the machine's own addresses, which the
// kernel answers for.
func KernelOwns(addr netip.Addr) (bool, error) {
	addr = addr.Unmap()
	if addr.IsLoopback() { // all of 127.0.0.0/8, of which interfaces list one
		return true, nil
	}
	networks, err := networks()
	if err != nil {
		return false, err
	}
	for _, n := range networks {
		if n.prefix.Addr() == addr.WithZone("") && (addr.Zone() == "" || addr.Zone() == n.name) {
			return true, nil
		}
	}
	return false, nil
}

// A network is an address of an interface with the length of its prefix.
type network struct {
	name   string
	prefix netip.Prefix // not masked: its Addr is the interface's own
}

func networks() ([]network, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	var all []network
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue // the interface went away meanwhile
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				all = append(all, network{i.Name, p})
			}
		}
	}
	return all, nil
}

func choose(addr netip.Addr, networks []network) (string, netip.Prefix, error) {
	var best network
	ambiguous := false
	for _, n := range networks {
		if !n.prefix.Contains(addr.WithZone("")) || (addr.Zone() != "" && addr.Zone() != n.name) {
			continue
		}
		switch {
		case !best.prefix.IsValid() || n.prefix.Bits() > best.prefix.Bits():
			best, ambiguous = n, false
		case n.prefix.Bits() == best.prefix.Bits() && n.name != best.name:
			ambiguous = true
		}
	}
	switch {
	case !best.prefix.IsValid():
		return "", netip.Prefix{}, fmt.Errorf("device: %v is not on the network of any interface (%s)", addr, list(networks))
	case ambiguous:
		return "", netip.Prefix{}, fmt.Errorf("device: %v is on the network of several interfaces (%s); name one", addr, list(networks))
	}
	return best.name, best.prefix.Masked(), nil
}

func list(networks []network) string {
	if len(networks) == 0 {
		return "no interface has an address"
	}
	var s []string
	for _, n := range networks {
		s = append(s, n.name+" "+n.prefix.String())
	}
	return strings.Join(s, ", ")
}

// SourceFor asks the kernel from which of its addresses it would go to remote.
func SourceFor(remote netip.AddrPort) (netip.Addr, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote)) // which sends nothing
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return netip.Addr{}, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}
