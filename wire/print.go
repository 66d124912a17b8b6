package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// Format describes an Ethernet frame in one line, in the manner of tcpdump. It accepts any bytes.
func Format(frame []byte) string {
	h, payload, err := ParseEthernet(frame)
	if err != nil {
		return string(appendError(nil, err, len(frame)))
	}
	switch h.Type {
	case EtherTypeARP:
		return formatARP(payload)
	case EtherTypeIPv4, EtherTypeIPv6:
		return FormatIP(payload)
	case EtherTypePresence:
		return formatPresence(h, payload)
	}
	return formatOther(h, payload)
}

// formatOther is Format for a frame of which nothing but the header is understood.
func formatOther(h Ethernet, payload []byte) string {
	return fmt.Sprintf("%v > %v, ethertype %#04x, length %d", h.Src, h.Dst, uint16(h.Type), len(payload))
}

// FormatIP is Format for a packet without an Ethernet header:
//
//	10.0.0.1.1234 > 10.0.0.2.80: Flags [P.], seq 1:11, ack 5, win 502, options [TS val 1 ecr 0], length 10
//
// Sequence numbers are as on the wire. Checksums are mentioned when they are wrong.
func FormatIP(packet []byte) string {
	ip, payload, err := ParseIP(packet)
	if err != nil {
		return string(appendError(nil, err, len(packet)))
	}
	var b []byte
	if ip.Fragment() {
		b = appendAddrs(b, &ip)
		b = fmt.Appendf(b, "frag id %d, offset %d, ", uint32(ip.ID)|ip.FragID, ip.FragOffset)
		if ip.MF {
			b = append(b, "more, "...)
		}
		return string(appendProtocol(b, ip.Proto, len(payload)))
	}
	switch ip.Proto {
	case ProtoTCP:
		b = appendTCP(b, &ip, payload)
	case ProtoUDP:
		b = appendUDP(b, &ip, payload)
	case ProtoICMP, ProtoICMPv6:
		if (ip.Proto == ProtoICMPv6) != ip.Src.Is6() {
			b = appendProtocol(appendAddrs(b, &ip), ip.Proto, len(payload))
			break
		}
		b = appendICMP(appendAddrs(b, &ip), &ip, payload)
	default:
		b = appendProtocol(appendAddrs(b, &ip), ip.Proto, len(payload))
	}
	return string(b)
}

// String returns the header as FormatIP shows it, without what it does not know: addresses and length.
func (h *TCP) String() string {
	b := strconv.AppendUint(nil, uint64(h.SrcPort), 10)
	b = append(b, " > "...)
	b = strconv.AppendUint(b, uint64(h.DstPort), 10)
	b = append(b, ": "...)
	return string(h.appendText(b, 0))
}

func appendTCP(b []byte, ip *IP, segment []byte) []byte {
	var h TCP
	payload, err := h.Parse(segment)
	if err != nil {
		return appendError(appendAddrs(b, ip), err, len(segment))
	}
	b = appendEndpoints(b, ip, h.SrcPort, h.DstPort)
	b = h.appendText(b, len(payload))
	if !TCPChecksumOK(segment, ip.Src, ip.Dst) {
		pseudo := PseudoHeaderSum(ip.Src, ip.Dst, ProtoTCP, len(segment))
		got := binary.BigEndian.Uint16(segment[TCPChecksumOffset:])
		if got == Fold(pseudo) {
			b = append(b, ", partial checksum"...)
		} else {
			// What is there is a part of the sum; taking it out again leaves what it should be.
			want := ^Fold(Sum(segment, pseudo) + uint32(^got))
			b = appendBadChecksum(b, got, want)
		}
	}
	b = append(b, ", length "...)
	return strconv.AppendInt(b, int64(len(payload)), 10)
}

// appendText appends the header of a segment with the given length of payload. Like tcpdump it leaves out a sequence
// number that says nothing.
func (h *TCP) appendText(b []byte, length int) []byte {
	b = append(b, "Flags ["...)
	b = append(b, h.Flags.String()...)
	b = append(b, ']')
	if length > 0 || h.Flags&(SYN|FIN|RST) != 0 {
		b = append(b, ", seq "...)
		b = strconv.AppendUint(b, uint64(h.Seq), 10)
		if length > 0 {
			b = append(b, ':')
			b = strconv.AppendUint(b, uint64(h.Seq+uint32(length)), 10)
		}
	}
	if h.Flags&ACK != 0 {
		b = append(b, ", ack "...)
		b = strconv.AppendUint(b, uint64(h.Ack), 10)
	}
	b = append(b, ", win "...)
	b = strconv.AppendUint(b, uint64(h.Window), 10)
	if h.Flags&URG != 0 {
		b = append(b, ", urg "...)
		b = strconv.AppendUint(b, uint64(h.Urgent), 10)
	}
	return h.Options.appendText(b)
}

// appendText appends the options, or nothing when there are none.
func (o *Options) appendText(b []byte) []byte {
	sep := ", options ["
	if o.MSS != 0 {
		b = fmt.Appendf(b, "%smss %d", sep, o.MSS)
		sep = ","
	}
	if o.SACKPermitted {
		b = append(b, sep+"sackOK"...)
		sep = ","
	}
	if o.HasTimestamps {
		b = fmt.Appendf(b, "%sTS val %d ecr %d", sep, o.TSVal, o.TSEcr)
		sep = ","
	}
	if o.HasWindowScale {
		b = fmt.Appendf(b, "%swscale %d", sep, o.WindowScale)
		sep = ","
	}
	if o.NumSACK != 0 {
		b = fmt.Appendf(b, "%ssack %d ", sep, len(o.Blocks()))
		for _, s := range o.Blocks() {
			b = fmt.Appendf(b, "{%d:%d}", s.Left, s.Right)
		}
		sep = ","
	}
	if sep == "," {
		b = append(b, ']')
	}
	return b
}

func appendUDP(b []byte, ip *IP, datagram []byte) []byte {
	if len(datagram) < 8 {
		return appendError(appendAddrs(b, ip), errUDPShort, len(datagram))
	}
	b = appendEndpoints(b, ip, binary.BigEndian.Uint16(datagram[0:]), binary.BigEndian.Uint16(datagram[2:]))
	return fmt.Appendf(b, "UDP, length %d", len(datagram)-8)
}

func appendICMP(b []byte, ip *IP, message []byte) []byte {
	name := "ICMP"
	if ip.Src.Is6() {
		name = "ICMP6"
	}
	m, err := ParseICMP(message, ip.Src, ip.Dst)
	if errors.Is(err, ErrChecksum) {
		got := binary.BigEndian.Uint16(message[2:])
		sum := Sum(message, icmpInitialSum(ip.Src.Is6(), ip.Src, ip.Dst, len(message)))
		b = append(b, name...)
		b = append(b, ' ')
		b = strconv.AppendUint(b, uint64(message[0]), 10)
		b = appendBadChecksum(b, got, ^Fold(sum+uint32(^got)))
		return fmt.Appendf(b, ", length %d", len(message))
	}
	if err != nil {
		return appendError(b, err, len(message))
	}
	b = append(b, name...)
	b = append(b, ", "...)
	b = m.appendText(b)
	return fmt.Appendf(b, ", length %d", len(message))
}

func (m *ICMP) appendText(b []byte) []byte {
	if n, err := ParseNeighbor(*m); err == nil {
		return n.appendText(b)
	}
	id, seq := m.Rest>>16, m.Rest&0xffff
	if m.EchoRequest() {
		return fmt.Appendf(b, "echo request, id %d, seq %d", id, seq)
	}
	if !m.V6 && m.Type == ICMPEchoReply || m.V6 && m.Type == ICMPv6EchoReply {
		return fmt.Appendf(b, "echo reply, id %d, seq %d", id, seq)
	}
	b = append(b, m.errorName()...)
	if mtu, ok := m.MTU(); ok {
		b = fmt.Appendf(b, ", mtu %d", mtu)
	}
	if ip, tcp, err := m.Quoted(); err == nil {
		b = append(b, ", quoting "...)
		b = appendAddr(b, ip.Src)
		b = fmt.Appendf(b, ".%d > ", tcp.SrcPort)
		b = appendAddr(b, ip.Dst)
		b = fmt.Appendf(b, ".%d seq %d", tcp.DstPort, tcp.Seq)
	}
	return b
}

// errorName names the errors that matter to TCP, and numbers the others.
func (m *ICMP) errorName() string {
	type message struct {
		v6         bool
		kind, code uint8
	}
	switch (message{m.V6, m.Type, m.Code}) {
	case message{false, ICMPUnreachable, ICMPCodeNetUnreachable}:
		return "net unreachable"
	case message{false, ICMPUnreachable, ICMPCodeHostUnreachable}:
		return "host unreachable"
	case message{false, ICMPUnreachable, ICMPCodeProtocolUnreachable}:
		return "protocol unreachable"
	case message{false, ICMPUnreachable, ICMPCodePortUnreachable}, message{true, ICMPv6Unreachable, ICMPv6CodePortUnreachable}:
		return "port unreachable"
	case message{false, ICMPUnreachable, ICMPCodeFragmentationNeeded}:
		return "fragmentation needed"
	case message{false, ICMPTimeExceeded, 0}, message{true, ICMPv6TimeExceeded, 0}:
		return "time exceeded"
	case message{true, ICMPv6Unreachable, ICMPv6CodeNoRoute}:
		return "no route"
	case message{true, ICMPv6Unreachable, ICMPv6CodeAddressUnreachable}:
		return "address unreachable"
	case message{true, ICMPv6PacketTooBig, 0}:
		return "packet too big"
	}
	return fmt.Sprintf("type %d code %d", m.Type, m.Code)
}

func (n *Neighbor) appendText(b []byte) []byte {
	if !n.Advertisement {
		b = append(b, "neighbor solicitation, who has "...)
		b = appendAddr(b, n.Target)
		if !n.LinkAddr.IsZero() {
			b = fmt.Appendf(b, " from %v", n.LinkAddr)
		}
		return b
	}
	b = append(b, "neighbor advertisement, tgt is "...)
	b = appendAddr(b, n.Target)
	if !n.LinkAddr.IsZero() {
		b = fmt.Appendf(b, " at %v", n.LinkAddr)
	}
	if n.Router {
		b = append(b, ", router"...)
	}
	if n.Solicited {
		b = append(b, ", solicited"...)
	}
	if n.Override {
		b = append(b, ", override"...)
	}
	return b
}

func formatARP(b []byte) string {
	a, err := ParseARP(b)
	if err != nil {
		return string(appendError(nil, err, len(b)))
	}
	switch {
	case a.Op == ARPRequest && a.Probe():
		return fmt.Sprintf("ARP, Probe %v from %v", a.TargetIP, a.SenderMAC)
	case a.Op == ARPRequest && a.Gratuitous():
		return fmt.Sprintf("ARP, Announcement %v is-at %v", a.SenderIP, a.SenderMAC)
	case a.Op == ARPRequest:
		return fmt.Sprintf("ARP, Request who-has %v tell %v", a.TargetIP, a.SenderIP)
	case a.Op == ARPReply:
		return fmt.Sprintf("ARP, Reply %v is-at %v", a.SenderIP, a.SenderMAC)
	}
	return fmt.Sprintf("ARP, op %d", a.Op)
}

// appendAddr appends an address of a packet.
func appendAddr(b []byte, a netip.Addr) []byte { return a.AppendTo(b) }

func appendAddrs(b []byte, ip *IP) []byte {
	b = appendAddr(b, ip.Src)
	b = append(b, " > "...)
	b = appendAddr(b, ip.Dst)
	return append(b, ": "...)
}

func appendEndpoints(b []byte, ip *IP, src, dst uint16) []byte {
	b = appendAddr(b, ip.Src)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(src), 10)
	b = append(b, " > "...)
	b = appendAddr(b, ip.Dst)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(dst), 10)
	return append(b, ": "...)
}

func appendProtocol(b []byte, p Protocol, length int) []byte {
	return fmt.Appendf(b, "proto %d, length %d", uint8(p), length)
}

func appendBadChecksum(b []byte, got, want uint16) []byte {
	return fmt.Appendf(b, ", bad cksum %#04x (->%#04x)", got, want)
}

func appendError(b []byte, err error, length int) []byte {
	return fmt.Appendf(b, "%v, length %d", err, length)
}
