package wire

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Sum adds b to the ones-complement sum initial, as a sequence of 16-bit words in network order (RFC 1071). The result
// is not folded to 16 bits and may be the initial sum of a further part. When b has an odd length it is taken to end
// with a zero byte, so only the last of several parts may be odd.
func Sum(b []byte, initial uint32) uint32 {
	// The sum does not depend on the byte order in which words are added, but for a swap of the result (RFC 1071
	// section 2 (B)), nor on the width of the words as long as carries wrap around. So: little-endian, because most
	// machines load that as it is, eight bytes at a time, with the carry of each addition going into the next.
	var sum, carry uint64
	for len(b) >= 64 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[0:8]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[8:16]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[16:24]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[24:32]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[32:40]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[40:48]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[48:56]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b[56:64]), carry)
		b = b[64:]
	}
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b), carry)
		b = b[8:]
	}
	var tail uint64
	if len(b) >= 4 {
		tail = uint64(binary.LittleEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		tail += uint64(binary.LittleEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) > 0 {
		tail += uint64(b[0])
	}
	sum, carry = bits.Add64(sum, tail, carry)
	sum += carry // cannot carry again: tail is far below 1<<64

	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = uint64(bits.ReverseBytes16(Fold(uint32(sum)))) + uint64(initial)
	return uint32(sum>>32 + sum&0xffffffff)
}

// Fold reduces a sum to 16 bits. The checksum that goes on the wire is its complement.
func Fold(sum uint32) uint16 {
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}

// PseudoHeaderSum returns the sum of the pseudo-header that the checksums of TCP, UDP and ICMPv6 include
// (RFC 9293 section 3.1, RFC 8200 section 8.1). The length is that of the transport header and its payload.
func PseudoHeaderSum(src, dst netip.Addr, proto Protocol, length int) uint32 {
	sum := uint32(proto) + uint32(length)>>16 + uint32(length)&0xffff
	if !isIPv6(src, dst) {
		s, d := as4(src), as4(dst)
		// Four words of 16 bits cannot overflow 32.
		sum += uint32(s[0])<<8 + uint32(s[1]) + uint32(s[2])<<8 + uint32(s[3])
		sum += uint32(d[0])<<8 + uint32(d[1]) + uint32(d[2])<<8 + uint32(d[3])
		return sum
	}
	s, d := src.As16(), dst.As16()
	return Sum(s[:], Sum(d[:], sum))
}

// isIPv6 reports whether a packet between the two addresses is an IPv6 packet. It is when either address says so;
// the zero Addr and an IPv4-mapped one do not.
func isIPv6(src, dst netip.Addr) bool {
	return src.Is6() && !src.Is4In6() || dst.Is6() && !dst.Is4In6()
}

// as4 is a.As4 without its panic: an address that is not IPv4 gives 0.0.0.0.
func as4(a netip.Addr) [4]byte {
	if !a.Is4() && !a.Is4In6() {
		return [4]byte{}
	}
	return a.As4()
}
