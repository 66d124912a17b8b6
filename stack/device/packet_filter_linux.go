package device

import (
	"net/netip"
	"slices"

	"github.com/ftcp-project/ftcp/wire"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in a frame.
const (
	frameType   = 12
	frameHeader = 14

	ip4Destination = frameHeader + 16
	arpOp          = frameHeader + 6
	arpSender      = frameHeader + 14
	arpTarget      = frameHeader + 24

	ip6NextHeader  = frameHeader + 6
	ip6Destination = frameHeader + 24
	ndType         = frameHeader + 40
	ndTarget       = frameHeader + 40 + 8
)

const arpReply = 2

// packetRules select the frames for a service address: the packets sent to it, and what
// concerns it in ARP or neighbour discovery. The latter includes other stations' claims
// to the address, and their answers to probes, which carry no address of the one who
// asked: by these a standby knows that it is not cut off. What nodes say about themselves
// (wire.Presence) names no address, and is for the services of both versions of IP.
func packetRules(addr netip.Addr, mac wire.MAC) []rule {
	rules := []rule{
		// The kernel has taken a VLAN's tag off already, so that the frame looks as if
		// it belonged to this network. (VLAN 0 does: it only carries a priority.)
		drop(loadExtension(bpf.ExtVLANTag), anyBit(0x0fff)),
	}

	// A promiscuous interface also receives the frames for other stations. To the kernel,
	// frames for the group's MAC are such ones too.
	otherStation := []bpf.Instruction{loadExtension(bpf.ExtType), equal(unix.PACKET_OTHERHOST)}
	if mac.IsZero() {
		rules = append(rules, drop(otherStation...))
	} else {
		high := uint32(mac[0])<<24 | uint32(mac[1])<<16 | uint32(mac[2])<<8 | uint32(mac[3])
		low := uint32(mac[4])<<8 | uint32(mac[5])
		rules = append(rules,
			drop(slices.Concat(otherStation, []bpf.Instruction{load(0, 4), notEqual(high)})...),
			drop(slices.Concat(otherStation, []bpf.Instruction{load(4, 2), notEqual(low)})...))
	}

	ethertype := func(v uint32) []bpf.Instruction {
		return []bpf.Instruction{load(frameType, 2), equal(v)}
	}
	rules = append(rules, accept(ethertype(uint32(wire.EtherTypePresence))...))
	if addr.Is4() {
		return append(rules,
			accept(slices.Concat(ethertype(unix.ETH_P_IP), addressIs(ip4Destination, addr))...),
			accept(slices.Concat(ethertype(unix.ETH_P_ARP), addressIs(arpTarget, addr))...),
			accept(slices.Concat(ethertype(unix.ETH_P_ARP), addressIs(arpSender, addr))...),
			accept(slices.Concat(ethertype(unix.ETH_P_ARP),
				[]bpf.Instruction{load(arpOp, 2), equal(arpReply)},
				addressIs(arpTarget, netip.IPv4Unspecified()))...))
	}
	return append(rules,
		accept(slices.Concat(ethertype(unix.ETH_P_IPV6), addressIs(ip6Destination, addr))...),
		// Neighbour solicitations (135) and advertisements (136) go to groups.
		accept(slices.Concat(ethertype(unix.ETH_P_IPV6),
			[]bpf.Instruction{
				load(ip6NextHeader, 1), equal(unix.IPPROTO_ICMPV6),
				load(ndType, 1), atLeast(135), atMost(136),
			},
			addressIs(ndTarget, addr))...),
		accept(slices.Concat(ethertype(unix.ETH_P_IPV6),
			[]bpf.Instruction{
				load(ip6NextHeader, 1), equal(unix.IPPROTO_ICMPV6),
				load(ndType, 1), equal(136),
			},
			addressIs(ip6Destination, netip.IPv6LinkLocalAllNodes()))...))
}
