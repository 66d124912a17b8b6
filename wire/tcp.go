package wire

import (
	"encoding/binary"
	"net/netip"
)

// Flags are the control bits of a TCP header (RFC 9293 section 3.1).
type Flags uint8

// The control bits.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// String returns the flags as tcpdump shows them: "S.", "P.", ".", "F.", "R", and "none".
func (f Flags) String() string {
	if f == 0 {
		return "none"
	}
	return string(f.append(nil))
}

func (f Flags) append(b []byte) []byte {
	const letters = "FSRP.UEW"
	for i := range len(letters) {
		if f&(1<<i) != 0 {
			b = append(b, letters[i])
		}
	}
	return b
}

// TCPLen is the length of a TCP header without options.
const TCPLen = 20

// TCPChecksumOffset is where in a TCP header the checksum is.
const TCPChecksumOffset = 16

// TCP is a TCP header (RFC 9293 section 3.1), without the checksum, which depends on what surrounds it.
type TCP struct {
	SrcPort, DstPort uint16
	Seq, Ack         uint32
	Flags            Flags
	Window           uint16 // as on the wire, not scaled
	Urgent           uint16
	Options          Options
}

// Parse reads the header of a segment into h, all of which it overwrites, and returns the payload. It does not verify
// the checksum, see [TCPChecksumOK]. Options that are wrong do not make the segment wrong.
func (h *TCP) Parse(b []byte) (payload []byte, err error) {
	*h = TCP{}
	if len(b) < TCPLen {
		return nil, errTCPShort
	}
	offset := int(b[12]>>4) * 4
	if offset < TCPLen {
		return nil, errTCPOffset
	}
	if offset > len(b) {
		return nil, errTCPShort
	}
	h.SrcPort = binary.BigEndian.Uint16(b[0:2])
	h.DstPort = binary.BigEndian.Uint16(b[2:4])
	h.Seq = binary.BigEndian.Uint32(b[4:8])
	h.Ack = binary.BigEndian.Uint32(b[8:12])
	h.Flags = Flags(b[13])
	h.Window = binary.BigEndian.Uint16(b[14:16])
	h.Urgent = binary.BigEndian.Uint16(b[18:20])
	if offset > TCPLen {
		h.Options.parse(b[TCPLen:offset])
	}
	return b[offset:], nil
}

// Len returns the length of the header that Append writes.
func (h *TCP) Len() int {
	return TCPLen + h.Options.Len()
}

// Append appends the header to b. Its checksum is zero, see [SetTCPChecksum] and [SetPartialChecksum].
func (h *TCP) Append(b []byte) []byte {
	b = append(b,
		byte(h.SrcPort>>8), byte(h.SrcPort), byte(h.DstPort>>8), byte(h.DstPort),
		byte(h.Seq>>24), byte(h.Seq>>16), byte(h.Seq>>8), byte(h.Seq),
		byte(h.Ack>>24), byte(h.Ack>>16), byte(h.Ack>>8), byte(h.Ack),
		byte(h.Len()/4)<<4, byte(h.Flags), byte(h.Window>>8), byte(h.Window),
		0, 0, byte(h.Urgent>>8), byte(h.Urgent))
	return h.Options.append(b)
}

// SetTCPChecksum computes the checksum of a segment and stores it. The segment is a header with all, a part or none of
// its payload; sum is that of the pseudo-header ([PseudoHeaderSum]) and of whatever payload the segment leaves out.
// A segment that leaves something out must have an even length.
func SetTCPChecksum(segment []byte, sum uint32) {
	field := segment[TCPChecksumOffset : TCPChecksumOffset+2]
	field[0], field[1] = 0, 0
	binary.BigEndian.PutUint16(field, ^Fold(Sum(segment, sum)))
}

// SetPartialChecksum stores the sum of the pseudo-header, not complemented, where the checksum belongs. A device that
// computes checksums adds the rest: Linux calls this CHECKSUM_PARTIAL and virtio VIRTIO_NET_HDR_F_NEEDS_CSUM.
func SetPartialChecksum(segment []byte, pseudo uint32) {
	binary.BigEndian.PutUint16(segment[TCPChecksumOffset:], Fold(pseudo))
}

// TCPChecksumOK reports whether the checksum of a whole segment between the two addresses is right.
func TCPChecksumOK(segment []byte, src, dst netip.Addr) bool {
	if len(segment) < TCPLen {
		return false
	}
	return Fold(Sum(segment, PseudoHeaderSum(src, dst, ProtoTCP, len(segment)))) == 0xffff
}
