package wire

import (
	"encoding/binary"
	"net/netip"
)

// The operations of ARP.
const (
	ARPRequest = 1
	ARPReply   = 2
)

// arpLen is the length of an ARP message for IPv4 over Ethernet.
const arpLen = 28

// arpPrefix begins every such message: hardware Ethernet, protocol IPv4, and the lengths of their addresses.
const arpPrefix = 0x0001_0800_0604_0000

// ARP is an Address Resolution Protocol message for IPv4 over Ethernet (RFC 826).
type ARP struct {
	Op        uint16 // ARPRequest or ARPReply
	SenderMAC MAC
	SenderIP  netip.Addr
	TargetMAC MAC
	TargetIP  netip.Addr
}

// ParseARP reads the payload of an Ethernet frame of type EtherTypeARP.
func ParseARP(b []byte) (ARP, error) {
	if len(b) < arpLen {
		return ARP{}, errARPShort
	}
	prefix := binary.BigEndian.Uint64(b)
	if prefix&^0xffff != arpPrefix {
		return ARP{}, errARPType
	}
	return ARP{
		Op:        uint16(prefix),
		SenderMAC: MAC(b[8:14]),
		SenderIP:  netip.AddrFrom4([4]byte(b[14:18])),
		TargetMAC: MAC(b[18:24]),
		TargetIP:  netip.AddrFrom4([4]byte(b[24:28])),
	}, nil
}

// Append appends the message to b. An address that is not IPv4 is written as 0.0.0.0.
func (a ARP) Append(b []byte) []byte {
	sender, target := as4(a.SenderIP), as4(a.TargetIP)
	b = binary.BigEndian.AppendUint64(b, arpPrefix|uint64(a.Op))
	b = append(b, a.SenderMAC[:]...)
	b = append(b, sender[:]...)
	b = append(b, a.TargetMAC[:]...)
	return append(b, target[:]...)
}

// Probe reports whether a asks if an address is free without claiming it: a request from 0.0.0.0
// (RFC 5227 section 1.1).
func (a ARP) Probe() bool {
	return a.Op == ARPRequest && as4(a.SenderIP) == [4]byte{}
}

// Gratuitous reports whether a announces an address rather than asking for one: sender and target are the same.
// An announcement may be a request or a reply (RFC 5227 section 3).
func (a ARP) Gratuitous() bool {
	return a.SenderIP == a.TargetIP && as4(a.SenderIP) != [4]byte{}
}
