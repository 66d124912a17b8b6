package wire

import "net/netip"

// The link-layer address options of Neighbor Discovery (RFC 4861 section 4.6.1).
const (
	optSourceLinkAddr = 1
	optTargetLinkAddr = 2
)

// The flags of a neighbor advertisement (RFC 4861 section 4.4).
const (
	neighborRouter    = 1 << 31
	neighborSolicited = 1 << 30
	neighborOverride  = 1 << 29
)

// Neighbor is a neighbor solicitation or advertisement: what ARP is to IPv4 (RFC 4861 sections 4.3 and 4.4).
// A receiver must ignore one whose hop limit is not 255, which proves that no router forwarded it; a sender sets that.
type Neighbor struct {
	Advertisement bool // an answer or an announcement, not a question
	Target        netip.Addr
	LinkAddr      MAC // of the sender of a solicitation, or of an advertisement's target; zero: the option is absent

	Router, Solicited, Override bool // of an advertisement
}

// ParseNeighbor reads a message whose checksum ParseICMP has found right.
func ParseNeighbor(m ICMP) (Neighbor, error) {
	if !m.V6 || m.Code != 0 || m.Type != ICMPv6NeighborSolicitation && m.Type != ICMPv6NeighborAdvertisement {
		return Neighbor{}, errNotNeighbor
	}
	if len(m.Body) < 16 {
		return Neighbor{}, errNeighborShort
	}
	n := Neighbor{
		Advertisement: m.Type == ICMPv6NeighborAdvertisement,
		Target:        netip.AddrFrom16([16]byte(m.Body)),
	}
	if n.Target.IsMulticast() || n.Target.Is4In6() {
		return Neighbor{}, errNeighborTarget
	}
	if n.Advertisement {
		n.Router = m.Rest&neighborRouter != 0
		n.Solicited = m.Rest&neighborSolicited != 0
		n.Override = m.Rest&neighborOverride != 0
	}
	for b := m.Body[16:]; len(b) > 0; {
		// An option counts its length in units of eight bytes. One of length zero makes the whole message invalid.
		if len(b) < 2 || b[1] == 0 || len(b) < 8*int(b[1]) {
			return Neighbor{}, errNeighborOption
		}
		if b[0] == n.linkAddrOption() && b[1] == 1 {
			n.LinkAddr = MAC(b[2:8])
		}
		b = b[8*int(b[1]):]
	}
	return n, nil
}

// ICMP returns the message that says n. Its hop limit must be 255.
func (n *Neighbor) ICMP() ICMP {
	m := ICMP{V6: true, Type: ICMPv6NeighborSolicitation}
	if n.Advertisement {
		m.Type = ICMPv6NeighborAdvertisement
		if n.Router {
			m.Rest |= neighborRouter
		}
		if n.Solicited {
			m.Rest |= neighborSolicited
		}
		if n.Override {
			m.Rest |= neighborOverride
		}
	}
	target := n.Target.As16()
	m.Body = append(make([]byte, 0, 24), target[:]...)
	if !n.LinkAddr.IsZero() {
		m.Body = append(m.Body, n.linkAddrOption(), 1)
		m.Body = append(m.Body, n.LinkAddr[:]...)
	}
	return m
}

func (n *Neighbor) linkAddrOption() byte {
	if n.Advertisement {
		return optTargetLinkAddr
	}
	return optSourceLinkAddr
}

// SolicitedNode returns the multicast group that a node with IPv6 address a listens to for solicitations
// (RFC 4291 section 2.7.1).
func SolicitedNode(a netip.Addr) netip.Addr {
	from := a.As16()
	group := [16]byte{0: 0xff, 1: 0x02, 11: 0x01, 12: 0xff}
	copy(group[13:], from[13:])
	return netip.AddrFrom16(group)
}

// MulticastMAC returns the Ethernet address to which packets for the multicast group a are sent
// (RFC 1112 section 6.4, RFC 2464 section 7).
func MulticastMAC(a netip.Addr) MAC {
	b := a.As16() // an IPv4 address is in its last four bytes
	if isIPv6(a, a) {
		return MAC{0x33, 0x33, b[12], b[13], b[14], b[15]}
	}
	return MAC{0x01, 0x00, 0x5e, b[13] & 0x7f, b[14], b[15]}
}
