package node

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// withPorts returns the addresses of the peers and of this node with a port: the given
// one, where they have none.
func withPorts(peers []string, bind, port string) ([]string, string, error) {
	full := make([]string, len(peers))
	for i, p := range peers {
		var err error
		if full[i], err = withPort(p, port); err == nil && strings.HasPrefix(full[i], ":") {
			err = &net.AddrError{Err: "missing host in address", Addr: p}
		}
		if err != nil {
			return nil, "", fmt.Errorf("ftcp: Node.Peers: %w", err)
		}
	}
	bind, err := withPort(bind, port)
	if err != nil {
		return nil, "", fmt.Errorf("ftcp: Node.Bind: %w", err)
	}
	return full, bind, nil
}

// withPort adds a port to an address that has none.
func withPort(address, port string) (string, error) {
	if address == "" {
		return ":" + port, nil
	}
	if ip, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil {
		return net.JoinHostPort(ip.String(), port), nil
	}
	if !strings.Contains(address, ":") {
		return net.JoinHostPort(address, port), nil
	}
	_, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if service == "" {
		return address + port, nil
	}
	if p, err := net.LookupPort("tcp", service); err != nil {
		return "", err
	} else if p == 0 {
		return "", &net.AddrError{Err: "no port that others could know in address", Addr: address}
	}
	return address, nil
}
