package device

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A portRange is a set of neighbouring ports.
type portRange struct{ from, to uint16 }

// ranges joins sorted ports into at most limit ranges. If that is not possible it
// returns one that spans all of them: the filter is there to save work, and the
// receiver looks again.
func ranges(ports []uint16, limit int) []portRange {
	var r []portRange
	for _, port := range ports {
		if n := len(r); n > 0 && int(port) <= int(r[n-1].to)+1 {
			r[n-1].to = port
		} else {
			r = append(r, portRange{port, port})
		}
	}
	if len(r) > limit {
		r = []portRange{{r[0].from, r[len(r)-1].to}}
	}
	return r
}

// maxRanges keeps the program below the kernel's limit of 4,096 instructions, with up to three a range.
const maxRanges = 1000

// netOffset makes an offset one from the start of the network header, whatever precedes it
// on this interface (SKF_NET_OFF).
const netOffset = 1<<32 - 0x100000

// localRules4 select, of a socket's IPv4 packets to this machine, TCP to the ports and the
// errors that TCP caused. Fragments are not delivered: a packet socket sees them before the kernel puts them
// together, only the first says which port it is for, and to take them all would be to read everybody's.
// The kernel's own whole packet ends at the socket that reserves the port. So a connection whose segments
// are fragmented works with a service address only.
func localRules4(ports []uint16) []rule {
	if len(ports) == 0 {
		return nil
	}
	headerLen := bpf.LoadMemShift{Off: netOffset} // into X
	return append([]rule{
		drop(loadExtension(bpf.ExtType), notEqual(unix.PACKET_HOST)),
		drop(load(netOffset+6, 2), anyBit(0x3fff)), // a fragment, or the first of several
		// ICMP destination unreachable, quoting a TCP segment.
		accept(load(netOffset+9, 1), equal(unix.IPPROTO_ICMP), headerLen,
			loadX(netOffset, 1), equal(3), loadX(netOffset+8+9, 1), equal(unix.IPPROTO_TCP)),
		drop(load(netOffset+9, 1), notEqual(unix.IPPROTO_TCP)),
	}, portRules([]bpf.Instruction{headerLen, loadX(netOffset+2, 2)}, ports)...)
}

// localRules6 are localRules4 for IPv6. Extension headers are out of their scope, that of fragments among them.
func localRules6(ports []uint16) []rule {
	if len(ports) == 0 {
		return nil
	}
	return append([]rule{
		drop(loadExtension(bpf.ExtType), notEqual(unix.PACKET_HOST)),
		// ICMPv6 destination unreachable (1) or packet too big (2), quoting a TCP segment.
		accept(load(netOffset+6, 1), equal(unix.IPPROTO_ICMPV6),
			load(netOffset+40, 1), atLeast(1), atMost(2), load(netOffset+40+8+6, 1), equal(unix.IPPROTO_TCP)),
		drop(load(netOffset+6, 1), notEqual(unix.IPPROTO_TCP)),
	}, portRules([]bpf.Instruction{load(netOffset+40+2, 2)}, ports)...)
}

// portRules accept the ports, sorted. One load serves all rules, as a condition
// leaves the register as it is.
func portRules(loadPort []bpf.Instruction, ports []uint16) []rule {
	var rules []rule
	for _, r := range ranges(ports, maxRanges) {
		when := []bpf.Instruction{equal(uint32(r.from))}
		if r.from != r.to {
			when = []bpf.Instruction{atLeast(uint32(r.from)), atMost(uint32(r.to))}
		}
		rules = append(rules, accept(append(loadPort, when...)...))
		loadPort = nil
	}
	return rules
}
