package wire

import "encoding/binary"

// EtherType says what an Ethernet frame carries.
type EtherType uint16

// The frames that matter here. See https://www.iana.org/assignments/ieee-802-numbers.
const (
	EtherTypeIPv4 EtherType = 0x0800
	EtherTypeARP  EtherType = 0x0806
	EtherTypeIPv6 EtherType = 0x86dd

	// EtherTypePresence is what Presence is sent in: IEEE 802's Local Experimental
	// EtherType 1, which others may use too.
	EtherTypePresence EtherType = 0x88b5
)

// EthernetLen is the length of an Ethernet header.
const EthernetLen = 14

// Ethernet is the header of an Ethernet II frame, without a VLAN tag.
type Ethernet struct {
	Dst, Src MAC
	Type     EtherType
}

// ParseEthernet splits a frame into header and payload. The payload includes any padding to the minimum frame length;
// the formats inside know their own.
func ParseEthernet(b []byte) (h Ethernet, payload []byte, err error) {
	if len(b) < EthernetLen {
		return Ethernet{}, nil, errEthernetShort
	}
	h.Dst = MAC(b[0:6])
	h.Src = MAC(b[6:12])
	h.Type = EtherType(binary.BigEndian.Uint16(b[12:14]))
	return h, b[EthernetLen:], nil
}

// Append appends the header to b. It does not pad the frame: the device does.
func (h Ethernet) Append(b []byte) []byte {
	b = append(b, h.Dst[:]...)
	b = append(b, h.Src[:]...)
	return binary.BigEndian.AppendUint16(b, uint16(h.Type))
}
