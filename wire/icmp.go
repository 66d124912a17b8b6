package wire

import (
	"encoding/binary"
	"math"
	"net/netip"
)

// Types of ICMP messages (RFC 792).
const (
	ICMPEchoReply        = 0
	ICMPUnreachable      = 3
	ICMPEchoRequest      = 8
	ICMPTimeExceeded     = 11
	ICMPParameterProblem = 12
)

// Codes of ICMPUnreachable (RFC 792, RFC 1122 section 3.2.2.1).
const (
	ICMPCodeNetUnreachable      = 0
	ICMPCodeHostUnreachable     = 1
	ICMPCodeProtocolUnreachable = 2
	ICMPCodePortUnreachable     = 3
	ICMPCodeFragmentationNeeded = 4
)

// Types of ICMPv6 messages (RFC 4443, RFC 4861).
const (
	ICMPv6Unreachable           = 1
	ICMPv6PacketTooBig          = 2
	ICMPv6TimeExceeded          = 3
	ICMPv6ParameterProblem      = 4
	ICMPv6EchoRequest           = 128
	ICMPv6EchoReply             = 129
	ICMPv6NeighborSolicitation  = 135
	ICMPv6NeighborAdvertisement = 136
)

// Codes of ICMPv6Unreachable (RFC 4443 section 3.1).
const (
	ICMPv6CodeNoRoute            = 0
	ICMPv6CodeProhibited         = 1
	ICMPv6CodeAddressUnreachable = 3
	ICMPv6CodePortUnreachable    = 4
)

// icmpLen is the length of an ICMP message without a body.
const icmpLen = 8

// The longest packets that carry an ICMP error: RFC 1812 section 4.3.2.3 for IPv4, RFC 4443 section 2.4 (c) for IPv6.
const (
	maxICMPErrorPacket   = 576
	maxICMPv6ErrorPacket = 1280
)

// ICMP is a message of ICMP or ICMPv6. They share a layout, not their numbers.
type ICMP struct {
	V6         bool // Type and Code are those of ICMPv6
	Type, Code uint8
	Rest       uint32 // the second word: identifier and sequence number of an echo, an MTU, or flags
	Body       []byte // echo data, the packet that an error quotes, or a neighbor message
}

// ParseICMP reads the payload of a packet between the two addresses, whose version is also that of the message, and
// verifies its checksum. The Body is a part of b.
func ParseICMP(b []byte, src, dst netip.Addr) (ICMP, error) {
	if len(b) < icmpLen {
		return ICMP{}, errICMPShort
	}
	v6 := isIPv6(src, dst)
	if Fold(Sum(b, icmpInitialSum(v6, src, dst, len(b)))) != 0xffff {
		return ICMP{}, errICMPChecksum
	}
	return ICMP{V6: v6, Type: b[0], Code: b[1], Rest: binary.BigEndian.Uint32(b[4:8]), Body: b[icmpLen:]}, nil
}

// Append appends the message, with its checksum, to b.
func (m *ICMP) Append(b []byte, src, dst netip.Addr) []byte {
	start := len(b)
	b = append(b, m.Type, m.Code, 0, 0)
	b = binary.BigEndian.AppendUint32(b, m.Rest)
	b = append(b, m.Body...)
	message := b[start:]
	sum := Sum(message, icmpInitialSum(m.V6, src, dst, len(message)))
	binary.BigEndian.PutUint16(message[2:4], ^Fold(sum))
	return b
}

// icmpInitialSum is what the checksum of a message includes besides the message: a pseudo-header in ICMPv6
// (RFC 4443 section 2.3), nothing in ICMP.
func icmpInitialSum(v6 bool, src, dst netip.Addr, length int) uint32 {
	if !v6 {
		return 0
	}
	return PseudoHeaderSum(src, dst, ProtoICMPv6, length)
}

// EchoRequest reports whether m asks for an echo.
func (m *ICMP) EchoRequest() bool {
	if m.V6 {
		return m.Type == ICMPv6EchoRequest && m.Code == 0
	}
	return m.Type == ICMPEchoRequest && m.Code == 0
}

// EchoReply returns the answer to m, an echo request, whose Body it shares.
func (m *ICMP) EchoReply() ICMP {
	reply := ICMP{V6: m.V6, Type: ICMPEchoReply, Rest: m.Rest, Body: m.Body}
	if m.V6 {
		reply.Type = ICMPv6EchoReply
	}
	return reply
}

// MTU returns the size of packet that would have got through, when m says that one was too big. IPv4 routers older
// than RFC 1191 send zero. What to believe is the caller's: anyone can send this.
func (m *ICMP) MTU() (mtu int, ok bool) {
	switch {
	case m.V6 && m.Type == ICMPv6PacketTooBig:
		return int(min(m.Rest, math.MaxInt32)), true
	case !m.V6 && m.Type == ICMPUnreachable && m.Code == ICMPCodeFragmentationNeeded:
		return int(m.Rest & 0xffff), true
	}
	return 0, false
}

// ReportsError reports whether m is an error message, which quotes the packet that caused it and must not itself be
// answered with another (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)).
func (m *ICMP) ReportsError() bool {
	if m.V6 {
		return m.Type < 128
	}
	return m.Type == ICMPUnreachable || m.Type == ICMPTimeExceeded || m.Type == ICMPParameterProblem
}

// QuotedTCP is what an ICMP error is sure to quote of a TCP header.
type QuotedTCP struct {
	SrcPort, DstPort uint16
	Seq              uint32
}

// Quoted returns the headers of the TCP segment that an error message is about, as its sender, that is, probably we,
// sent it. Only the first eight bytes after the IP header are needed.
func (m *ICMP) Quoted() (ip IP, tcp QuotedTCP, err error) {
	if !m.ReportsError() {
		return IP{}, QuotedTCP{}, errNotQuoting
	}
	ip, b, err := parseIP(m.Body, true)
	if err != nil {
		return IP{}, QuotedTCP{}, err
	}
	if ip.Src.Is6() != m.V6 {
		return IP{}, QuotedTCP{}, errQuoteVersion
	}
	if ip.Proto != ProtoTCP || ip.FragOffset != 0 {
		return IP{}, QuotedTCP{}, errQuoteProtocol
	}
	if len(b) < 8 {
		return IP{}, QuotedTCP{}, errQuoteShort
	}
	tcp.SrcPort = binary.BigEndian.Uint16(b[0:2])
	tcp.DstPort = binary.BigEndian.Uint16(b[2:4])
	tcp.Seq = binary.BigEndian.Uint32(b[4:8])
	return ip, tcp, nil
}

// FragmentationNeeded returns the message that tells the sender of the packet quote to send none longer than mtu. For
// an IPv6 packet that is PacketTooBig.
func FragmentationNeeded(mtu int, quote []byte) ICMP {
	if len(quote) > 0 && quote[0]>>4 == 6 {
		return PacketTooBig(mtu, quote)
	}
	return ICMP{
		Type: ICMPUnreachable,
		Code: ICMPCodeFragmentationNeeded,
		Rest: uint32(mtu) & 0xffff,
		Body: truncateQuote(false, quote),
	}
}

// PacketTooBig is FragmentationNeeded for IPv6.
func PacketTooBig(mtu int, quote []byte) ICMP {
	return ICMP{V6: true, Type: ICMPv6PacketTooBig, Rest: uint32(mtu), Body: truncateQuote(true, quote)}
}

// HostUnreachable returns the message that tells the sender of the packet quote that nobody answers for its
// destination's address.
func HostUnreachable(v6 bool, quote []byte) ICMP {
	m := ICMP{V6: v6, Type: ICMPUnreachable, Code: ICMPCodeHostUnreachable, Body: truncateQuote(v6, quote)}
	if v6 {
		m.Type, m.Code = ICMPv6Unreachable, ICMPv6CodeAddressUnreachable
	}
	return m
}

// truncateQuote cuts a packet to what may be quoted.
func truncateQuote(v6 bool, quote []byte) []byte {
	n := maxICMPErrorPacket - ipv4Len - icmpLen
	if v6 {
		n = maxICMPv6ErrorPacket - ipv6Len - icmpLen
	}
	return quote[:min(n, len(quote))]
}
