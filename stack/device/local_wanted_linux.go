package device

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// wanted decides exactly what the packet filter decides roughly: whether a packet is
// for a reserved port of an address of this machine. On a router, packets that
// only pass through look the same to the filter.
func (l *Local) wanted(packet []byte) bool {
	ip, payload, err := wire.ParseIP(packet)
	if err != nil {
		return false
	}
	if ip.Proto != wire.ProtoTCP { // an ICMP error; the stack compares the quoted segment
		return l.own.contain(ip.Dst)
	}
	if len(payload) < wire.TCPLen {
		return false
	}
	held, wildcard := l.reserved.holds(ip.Dst, binary.BigEndian.Uint16(payload[2:]))
	return held && (!wildcard || l.own.contain(ip.Dst))
}

// ownAddresses remembers the machine's addresses. One goroutine uses it.
//
// Addresses that the machine answers for without an interface having them (local routes) are not
// among them.
type ownAddresses struct {
	addrs map[netip.Addr]bool
	read  time.Time
}

// ownInterval is how often an unknown address may be a reason to look again.
const ownInterval = time.Second

func (o *ownAddresses) contain(addr netip.Addr) bool {
	if addr.IsLoopback() || o.addrs[addr] {
		return true
	}
	if !o.read.IsZero() && time.Since(o.read) < ownInterval {
		return false
	}
	o.read = time.Now()
	all, err := networks()
	if err != nil {
		return false
	}
	o.addrs = make(map[netip.Addr]bool, len(all))
	for _, n := range all {
		o.addrs[n.prefix.Addr()] = true
	}
	return o.addrs[addr]
}
