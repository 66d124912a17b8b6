package wire

import (
	"encoding/binary"
	"net/netip"
)

// The IPv6 extension headers that lead to another header (RFC 8200 section 4).
const (
	extHopByHop    Protocol = 0
	extRouting     Protocol = 43
	extFragment    Protocol = 44
	extDestOptions Protocol = 60
)

// maxExtensions bounds the walk along extension headers. RFC 8200 recommends an order that has six; a packet with more
// than this is an attempt to waste our time.
const maxExtensions = 8

// parse6 reads an IPv6 packet (RFC 8200 section 3). A payload length of zero means an empty payload: jumbograms are not
// supported.
func (h *IP) parse6(b []byte, quoted bool) (payload []byte, err error) {
	if len(b) < ipv6Len {
		return nil, errIPShort
	}
	end := ipv6Len + int(binary.BigEndian.Uint16(b[4:6]))
	if quoted {
		end = len(b)
	}
	if end > len(b) {
		return nil, errIPShort
	}
	b = b[:end:end]
	h.Src = netip.AddrFrom16([16]byte(b[8:24]))
	h.Dst = netip.AddrFrom16([16]byte(b[24:40]))
	if h.Src.Is4In6() || h.Dst.Is4In6() {
		return nil, errMapped
	}
	h.TTL = b[7]
	h.TOS = b[0]<<4 | b[1]>>4
	return h.walk(Protocol(b[6]), b)
}

// walk follows the extension headers of packet b, of which next is the first, to the payload. It stops at a fragment:
// what follows there is a piece of a packet, which is looked at when it is whole.
//
// Routing headers are ignored when no segments are left and refused otherwise, whatever their type, as RFC 8200 section
// 4.4 has it for unknown ones. RFC 5095 section 3 asks for just that for type 0, with which packets were sent around in
// circles; of the others a host that is no router knows none.
//
// RFC 8200 lets a host answer what it refuses with a Parameter Problem. It is not done: see package stack.
func (h *IP) walk(next Protocol, b []byte) ([]byte, error) {
	off := ipv6Len
	for n := 0; isExtension(next) && !h.Fragment(); n++ {
		if n == maxExtensions {
			return nil, errExtensionCount
		}
		ext := b[off:]
		if len(ext) < 8 {
			return nil, errIPShort
		}
		length := 8 + int(ext[1])*8
		if next == extFragment {
			length = 8 // the byte that says so elsewhere is reserved here
		}
		if len(ext) < length {
			return nil, errIPShort
		}
		ext = ext[:length]
		var err error
		switch next {
		case extHopByHop:
			if off != ipv6Len { // RFC 8200 section 4.1: only immediately after the IPv6 header
				return nil, errExtension
			}
			err = checkOptions(ext[2:])
		case extDestOptions:
			err = checkOptions(ext[2:])
		case extRouting:
			if ext[3] != 0 { // segments left: we are a host on its way, not its end
				err = errRouting
			}
		case extFragment:
			if h.FragHeader {
				return nil, errExtension
			}
			h.FragHeader = true
			frag := binary.BigEndian.Uint16(ext[2:4])
			h.FragOffset = int(frag &^ 7)
			h.MF = frag&1 != 0
			h.FragID = binary.BigEndian.Uint32(ext[4:8])
		}
		if err != nil {
			return nil, err
		}
		next = Protocol(ext[0])
		off += length
	}
	h.Proto = next
	h.HeaderLen = off
	return b[off:], nil
}

func isExtension(p Protocol) bool {
	return p == extHopByHop || p == extRouting || p == extFragment || p == extDestOptions
}

// checkOptions decides about the options of a hop-by-hop or destination options header (RFC 8200 section 4.2). None
// of them means anything to us; one whose two highest bits are not zero asks for the packet to be discarded by those
// who do not know it.
func checkOptions(b []byte) error {
	for len(b) > 0 {
		if b[0] == 0 { // Pad1, the only option without a length
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return errExtension
		}
		if b[0]&0xc0 != 0 {
			return errOption
		}
		b = b[2+int(b[1]):]
	}
	return nil
}
