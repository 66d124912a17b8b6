package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// From linux/veth.h, linux/if.h, linux/if_link.h and linux/if_bridge.h.
const (
	vethInfoPeer         = 1 // VETH_INFO_PEER
	ifOperUp             = 6 // IF_OPER_UP
	in6AddrGenModeNone   = 1 // IN6_ADDR_GEN_MODE_NONE
	bridgePortForwarding = 3 // BR_STATE_FORWARDING
)

// AddVeth joins n and peer, which may be the same, by a cable with an Ethernet
// interface at each end. Both are up.
func (n *Namespace) AddVeth(name string, peer *Namespace, peerName string) error {
	err := withFD(peer.file, func(peerFD int) error {
		req := newLink(name)
		req.nest(unix.IFLA_LINKINFO, func() {
			req.attr(unix.IFLA_INFO_KIND, "veth")
			req.nest(unix.IFLA_INFO_DATA, func() {
				req.nest(vethInfoPeer, func() {
					req.append(unix.IfInfomsg{})
					req.attr(unix.IFLA_IFNAME, peerName)
					req.attr(unix.IFLA_NET_NS_FD, uint32(peerFD))
				})
			})
		})
		_, err := n.nl.call(req)
		return err
	})
	if err != nil {
		return fmt.Errorf("netns: add veth %s to %s: %w", name, peerName, err)
	}
	n.silenceIPv6(name)
	peer.silenceIPv6(peerName)
	err = errors.Join(
		n.setFlags(name, unix.IFF_UP),
		peer.setFlags(peerName, unix.IFF_UP),
		n.await(name, link.operational),
		peer.await(peerName, link.operational),
	)
	if err != nil {
		n.delLink(name)
		return fmt.Errorf("netns: up veth %s to %s: %w", name, peerName, err)
	}
	return nil
}

// AddBridge adds a bridge that joins the interfaces named in ports, which must
// be in n. It forwards at once, and has no spanning tree and no multicast snooping.
// Bridge and ports are up.
func (n *Namespace) AddBridge(name string, ports ...string) error {
	req := newLink(name)
	req.nest(unix.IFLA_LINKINFO, func() {
		req.attr(unix.IFLA_INFO_KIND, "bridge")
		req.nest(unix.IFLA_INFO_DATA, func() {
			req.attr(unix.IFLA_BR_STP_STATE, uint32(0))
			req.attr(unix.IFLA_BR_FORWARD_DELAY, uint32(0))
			req.attr(unix.IFLA_BR_MCAST_SNOOPING, uint8(0))
		})
	})
	if _, err := n.nl.call(req); err != nil {
		return fmt.Errorf("netns: add bridge %s: %w", name, err)
	}
	n.silenceIPv6(name)
	if err := n.setFlags(name, unix.IFF_UP); err != nil {
		return fmt.Errorf("netns: up bridge %s: %w", name, err)
	}
	for _, port := range ports {
		if err := n.addPort(name, port); err != nil {
			return err
		}
	}
	return nil
}

// addPort makes an interface a port of a bridge and waits until it forwards.
func (n *Namespace) addPort(bridge, port string) error {
	l, err := n.link(bridge)
	if err == nil {
		req := setLink(port)
		req.attr(unix.IFLA_MASTER, uint32(l.index))
		_, err = n.nl.call(req)
	}
	if err == nil {
		err = n.setFlags(port, unix.IFF_UP)
	}
	if err == nil {
		err = n.await(port, link.forwarding)
	}
	if err != nil {
		return fmt.Errorf("netns: add port %s to bridge %s: %w", port, bridge, err)
	}
	return nil
}

// AddAddr adds an address to an interface, and with it the route to its subnet.
// An IPv6 address is used at once, without duplicate address detection.
func (n *Namespace) AddAddr(ifname string, p netip.Prefix) error {
	if !p.IsValid() {
		return fmt.Errorf("netns: add address to %s: %w: %v", ifname, unix.EINVAL, p)
	}
	l, err := n.link(ifname)
	if err == nil {
		addr := p.Addr().AsSlice()
		req := newRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, unix.IfAddrmsg{
			Family:    family(p.Addr()),
			Prefixlen: uint8(p.Bits()),
			Flags:     unix.IFA_F_NODAD, // means nothing in IPv4
			Index:     uint32(l.index),
		})
		req.attr(unix.IFA_LOCAL, addr)
		req.attr(unix.IFA_ADDRESS, addr)
		_, err = n.nl.call(req)
	}
	if err != nil {
		return fmt.Errorf("netns: add address %v to %s: %w", p, ifname, err)
	}
	return nil
}

// AddRoute adds a route to dst by way of the router gw.
func (n *Namespace) AddRoute(dst netip.Prefix, gw netip.Addr) error {
	if !dst.IsValid() || !gw.IsValid() || dst.Addr().Is4() != gw.Is4() {
		return fmt.Errorf("netns: add route to %v via %v: %w", dst, gw, unix.EINVAL)
	}
	req := newRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, unix.RtMsg{
		Family:   family(gw),
		Dst_len:  uint8(dst.Bits()),
		Table:    unix.RT_TABLE_MAIN,
		Protocol: unix.RTPROT_STATIC,
		Type:     unix.RTN_UNICAST,
	})
	req.attr(unix.RTA_DST, dst.Masked().Addr().AsSlice())
	req.attr(unix.RTA_GATEWAY, gw.AsSlice())
	if _, err := n.nl.call(req); err != nil {
		return fmt.Errorf("netns: add route to %v via %v: %w", dst, gw, err)
	}
	return nil
}

// Up switches an interface on. If the other end of its cable is on too, frames pass when
// Up returns.
func (n *Namespace) Up(ifname string) error {
	err := n.setFlags(ifname, unix.IFF_UP)
	if err == nil {
		err = n.await(ifname, link.operational)
	}
	if err != nil {
		return fmt.Errorf("netns: up %s: %w", ifname, err)
	}
	return nil
}

// Down switches an interface off. It loses its routes and its IPv6 addresses.
func (n *Namespace) Down(ifname string) error {
	if err := n.setFlags(ifname, 0); err != nil {
		return fmt.Errorf("netns: down %s: %w", ifname, err)
	}
	return nil
}

// SetMTU sets the length of the longest packet that an interface sends.
func (n *Namespace) SetMTU(ifname string, mtu int) error {
	req := setLink(ifname)
	req.attr(unix.IFLA_MTU, uint32(mtu))
	if _, err := n.nl.call(req); err != nil {
		return fmt.Errorf("netns: set MTU of %s to %d: %w", ifname, mtu, err)
	}
	return nil
}

// newLink begins a request that adds an interface.
func newLink(name string) *request {
	req := newRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, unix.IfInfomsg{})
	req.attr(unix.IFLA_IFNAME, name)
	return req
}

// setLink begins a request that changes an interface.
func setLink(name string) *request {
	req := newRequest(unix.RTM_NEWLINK, 0, unix.IfInfomsg{})
	req.attr(unix.IFLA_IFNAME, name)
	return req
}

// setFlags makes an interface up or down: flags is IFF_UP or 0.
func (n *Namespace) setFlags(name string, flags uint32) error {
	req := newRequest(unix.RTM_NEWLINK, 0, unix.IfInfomsg{Flags: flags, Change: unix.IFF_UP})
	req.attr(unix.IFLA_IFNAME, name)
	_, err := n.nl.call(req)
	return err
}

// delLink removes an interface, and if it is one end of a cable, the other.
func (n *Namespace) delLink(name string) error {
	req := newRequest(unix.RTM_DELLINK, 0, unix.IfInfomsg{})
	req.attr(unix.IFLA_IFNAME, name)
	_, err := n.nl.call(req)
	return err
}

// silenceIPv6 keeps an interface from giving itself an address and announcing it. On a kernel
// without IPv6 this fails, and is not needed.
func (n *Namespace) silenceIPv6(name string) {
	req := setLink(name)
	req.nest(unix.IFLA_AF_SPEC, func() {
		req.nest(unix.AF_INET6, func() {
			req.attr(unix.IFLA_INET6_ADDR_GEN_MODE, uint8(in6AddrGenModeNone))
		})
	})
	n.nl.call(req)
}

// A link is the state of an interface.
type link struct {
	index     int32
	kind      string // such as "veth", empty for loopback
	carrier   bool   // up, and so is the other end of the cable
	operState uint8
	port      bool // of a bridge
	portState uint8
}

// link returns the state of an interface.
func (n *Namespace) link(name string) (link, error) {
	req := newRequest(unix.RTM_GETLINK, 0, unix.IfInfomsg{})
	req.attr(unix.IFLA_IFNAME, name)
	b, err := n.nl.call(req)
	if err != nil {
		return link{}, err
	}
	if len(b) < unix.SizeofIfInfomsg {
		return link{}, fmt.Errorf("description of %d bytes", len(b))
	}
	var (
		attrs = parseAttrs(b[unix.SizeofIfInfomsg:])
		info  = parseAttrs(attrs[unix.IFLA_LINKINFO])
		port  = parseAttrs(info[unix.IFLA_INFO_SLAVE_DATA])
	)
	return link{
		index:     int32(binary.NativeEndian.Uint32(b[4:])),
		kind:      cstring(info[unix.IFLA_INFO_KIND]),
		carrier:   first(attrs[unix.IFLA_CARRIER]) == 1,
		operState: first(attrs[unix.IFLA_OPERSTATE]),
		port:      cstring(info[unix.IFLA_INFO_SLAVE_KIND]) == "bridge",
		portState: first(port[unix.IFLA_BRPORT_STATE]),
	}, nil
}

// first returns the first byte of b, 0 if there is none.
func first(b []byte) uint8 {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// operational reports whether the kernel has drawn the consequences of the
// cable's state. It does so a little later, and until then drops what is sent.
func (l link) operational() bool {
	return l.kind != "veth" || !l.carrier || l.operState == ifOperUp
}

// forwarding reports whether that is so for the bridge too.
func (l link) forwarding() bool {
	return l.operational() && (!l.port || !l.carrier || l.portState == bridgePortForwarding)
}

// await waits until an interface is in a state that it reaches without further ado.
func (n *Namespace) await(name string, reached func(link) bool) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		l, err := n.link(name)
		if err != nil {
			return err
		}
		if reached(l) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not ready: %+v", name, l)
		}
	}
}

// family returns the address family of addr.
func family(addr netip.Addr) uint8 {
	if addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
