package wire

import (
	"encoding/binary"
	"net/netip"
)

// Protocol says what an IP packet carries.
type Protocol uint8

// The protocols that matter here. See https://www.iana.org/assignments/protocol-numbers.
const (
	ProtoICMP   Protocol = 1
	ProtoTCP    Protocol = 6
	ProtoUDP    Protocol = 17
	ProtoICMPv6 Protocol = 58
)

const (
	ipv4Len = 20 // without options
	ipv6Len = 40 // without extension headers
)

// IP is the header of an IPv4 or IPv6 packet. Where the versions have different names for one thing, IPv4's is used.
type IP struct {
	Src, Dst netip.Addr // both of one version, which is that of the header
	Proto    Protocol
	TTL      uint8 // hop limit; zero is written as it is
	TOS      uint8 // traffic class: six bits of DSCP and two of ECN

	ID         uint16 // identification, IPv4 only
	FragHeader bool   // IPv6 only: there is a fragment header, perhaps of a packet in one piece
	FragID     uint32 // identification in an IPv6 fragment header; zero when there is none
	DF         bool   // don't fragment, IPv4 only: every IPv6 packet is like that
	MF         bool   // more fragments follow
	FragOffset int    // where this fragment's payload belongs, in bytes

	HeaderLen int // set by ParseIP: the length of all that precedes the payload, options and extension headers too
}

// ECN is the codepoint of Explicit Congestion Notification, two bits of the traffic class (RFC 3168 section 5).
type ECN uint8

// The codepoints.
const (
	NotECT ECN = iota // what cannot be marked
	ECT1
	ECT0
	CE // marked: congestion experienced
)

// ECN returns the packet's codepoint.
func (h *IP) ECN() ECN { return ECN(h.TOS & 3) }

// ParseIP splits a packet of either version into header and payload. The payload ends where the header says, so that
// padding added by a link is gone. The checksum of an IPv4 header is verified. The payload of a fragment begins where
// FragOffset counts from: extension headers that follow an IPv6 fragment header are part of it.
//
// IPv4 options and IPv6 extension headers are skipped, but for those that ask for more. See checkOptions4 and walk.
func ParseIP(b []byte) (h IP, payload []byte, err error) {
	return parseIP(b, false)
}

// parseIP is ParseIP, or, when quoted, the same for a packet inside an ICMP message: that one may be cut short, and a
// router on the way may have left its checksum stale.
func parseIP(b []byte, quoted bool) (h IP, payload []byte, err error) {
	if len(b) == 0 {
		return IP{}, nil, errIPShort
	}
	switch b[0] >> 4 {
	case 4:
		payload, err = h.parse4(b, quoted)
	case 6:
		payload, err = h.parse6(b, quoted)
	default:
		err = errIPVersion
	}
	if err != nil {
		return IP{}, nil, err
	}
	return h, payload, nil
}

// parse4 reads an IPv4 packet (RFC 791 section 3.1).
func (h *IP) parse4(b []byte, quoted bool) (payload []byte, err error) {
	if len(b) < ipv4Len {
		return nil, errIPShort
	}
	headerLen := int(b[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(b[2:4]))
	if headerLen < ipv4Len {
		return nil, errIPLength
	}
	if quoted {
		total = len(b)
	}
	if total < headerLen {
		if quoted {
			return nil, errIPShort
		}
		return nil, errIPLength
	}
	if total > len(b) {
		return nil, errIPShort
	}
	if !quoted {
		if Fold(Sum(b[:headerLen], 0)) != 0xffff {
			return nil, errIPChecksum
		}
		if err := checkOptions4(b[ipv4Len:headerLen]); err != nil {
			return nil, err
		}
	}
	frag := binary.BigEndian.Uint16(b[6:8])
	h.Src = netip.AddrFrom4([4]byte(b[12:16]))
	h.Dst = netip.AddrFrom4([4]byte(b[16:20]))
	h.Proto = Protocol(b[9])
	h.TTL = b[8]
	h.TOS = b[1]
	h.ID = binary.BigEndian.Uint16(b[4:6])
	h.DF = frag&0x4000 != 0
	h.MF = frag&0x2000 != 0
	h.FragOffset = int(frag&0x1fff) * 8
	h.HeaderLen = headerLen
	return b[headerLen:total:total], nil
}

// The IPv4 options that matter (RFC 791 section 3.1).
const (
	opt4End         = 0
	opt4NoOperation = 1
	opt4LooseRoute  = 131
	opt4StrictRoute = 137
)

// checkOptions4 walks IPv4 options. None of them means anything to us, and those that are unknown are ignored (RFC 1122
// section 3.2.1.8). A packet with a source route is refused, even when we are its end: RFC 1122 wants a host to take
// it, and TCP to answer along the same route in reverse, which lets anybody speak for any address and hear the answers.
// RFC 7126 section 4.3 says to drop it, and Linux drops it unless accept_source_route is set.
func checkOptions4(b []byte) error {
	for len(b) > 0 && b[0] != opt4End {
		if b[0] == opt4NoOperation {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || len(b) < int(b[1]) {
			return errOption4
		}
		if b[0] == opt4LooseRoute || b[0] == opt4StrictRoute {
			return errSourceRoute
		}
		b = b[b[1]:]
	}
	return nil
}

// Len returns the length of the header that Append writes.
func (h *IP) Len() int {
	if isIPv6(h.Src, h.Dst) {
		return ipv6Len
	}
	return ipv4Len
}

// Append appends a header for a payload of the given length to b, without options or extension headers; an IPv6
// fragment therefore loses what says that it is one. Header and payload of an IPv4 packet, and the payload of an IPv6
// packet, must not exceed 65535 bytes.
func (h *IP) Append(b []byte, payloadLen int) []byte {
	if isIPv6(h.Src, h.Dst) {
		return h.append6(b, payloadLen)
	}
	return h.append4(b, payloadLen)
}

func (h *IP) append4(b []byte, payloadLen int) []byte {
	src, dst := as4(h.Src), as4(h.Dst)
	total := ipv4Len + payloadLen
	frag := uint16(h.FragOffset/8) & 0x1fff
	if h.DF {
		frag |= 0x4000
	}
	if h.MF {
		frag |= 0x2000
	}
	start := len(b)
	b = append(b,
		0x45, h.TOS, byte(total>>8), byte(total),
		byte(h.ID>>8), byte(h.ID), byte(frag>>8), byte(frag),
		h.TTL, byte(h.Proto), 0, 0,
		src[0], src[1], src[2], src[3],
		dst[0], dst[1], dst[2], dst[3])
	header := b[start:]
	binary.BigEndian.PutUint16(header[10:12], ^Fold(Sum(header, 0)))
	return b
}

func (h *IP) append6(b []byte, payloadLen int) []byte {
	src, dst := h.Src.As16(), h.Dst.As16()
	b = append(b,
		6<<4|h.TOS>>4, h.TOS<<4, 0, 0,
		byte(payloadLen>>8), byte(payloadLen), byte(h.Proto), h.TTL)
	b = append(b, src[:]...)
	return append(b, dst[:]...)
}

// Fragment reports whether the packet is a part of a larger one. An IPv6 packet whose fragment header says that it is
// the only part is whole (RFC 6946).
func (h *IP) Fragment() bool {
	return h.MF || h.FragOffset != 0
}
