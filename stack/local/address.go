package local

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// ListenAddr turns what net.Listen takes into an address.
func ListenAddr(network, address string) (netip.AddrPort, error) {
	addrs, err := resolve(context.Background(), network, address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr := addrs[0]
	for _, a := range addrs {
		if a.Addr().Is4() {
			addr = a
			break
		}
	}
	if addr.Addr().IsUnspecified() && network == "tcp" {
		// As in package net: tcp4 is for those who want no more than IPv4.
		addr = netip.AddrPortFrom(netip.IPv6Unspecified(), addr.Port())
	}
	return addr, nil
}

// DialAddrs turns what net.Dial takes into addresses, of which there is at least one. The
// unspecified address is the local system's, as in package net.
func DialAddrs(ctx context.Context, network, address string) ([]netip.AddrPort, error) {
	if address == "" {
		return nil, errors.New("missing address")
	}
	addrs, err := resolve(ctx, network, address)
	if err != nil {
		return nil, err
	}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if network == "tcp6" {
		loopback = netip.IPv6Loopback()
	}
	for i, a := range addrs {
		if a.Addr().IsUnspecified() {
			addrs[i] = netip.AddrPortFrom(loopback, a.Port())
		}
	}
	return addrs, nil
}

// resolve turns what package net takes into addresses, of which there is at least one.
func resolve(ctx context.Context, network, address string) ([]netip.AddrPort, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, net.UnknownNetworkError(network)
	}
	var host, service string
	var err error
	if address != "" {
		if host, service, err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
	}
	number, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return nil, err
	}
	ips := []netip.Addr{netip.IPv6Unspecified()}
	switch {
	case host != "":
		if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip"+network[len("tcp"):], host); err != nil {
			return nil, err
		}
	case network == "tcp4":
		ips[0] = netip.IPv4Unspecified()
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip.Unmap(), uint16(number))
	}
	return addrs, nil
}

// unicast says that ip can be a single station's. The unspecified address passes; callers
// decide.
func unicast(ip netip.Addr) bool {
	return !ip.IsMulticast() && ip.Unmap() != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
