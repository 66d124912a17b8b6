package ftcptest

import (
	"encoding/binary"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// maxGSO is the largest packet that a port with Network.Offload cuts: what the
// length field of IPv4 can say.
const maxGSO = 1<<16 - 1

// appendFrames appends the frames that o becomes on the wire.
func (p *Port) appendFrames(frames [][]byte, o *device.Outbound) [][]byte {
	size := len(o.Header)
	for _, part := range o.Payload {
		size += len(part)
	}
	frame := append(make([]byte, 0, size), o.Header...)
	for _, part := range o.Payload {
		frame = append(frame, part...)
	}
	if !p.net.Offload || o.ChecksumStart == 0 || size > wire.EthernetLen+maxGSO {
		return append(frames, frame)
	}
	if o.SegmentSize == 0 || size <= len(o.Header)+o.SegmentSize {
		completeChecksum(frame, o)
		return append(frames, frame)
	}
	return appendSegments(frames, frame, o)
}

// completeChecksum turns the sum of the pseudo-header into the checksum.
func completeChecksum(frame []byte, o *device.Outbound) {
	transport := frame[o.ChecksumStart:]
	sum := ^wire.Fold(wire.Sum(transport, 0))
	binary.BigEndian.PutUint16(transport[o.ChecksumOffset:], sum)
}

// appendSegments cuts a TCP segment into those of o.SegmentSize bytes. What
// it makes of the header is what Linux and network cards make of it.
func appendSegments(frames [][]byte, frame []byte, o *device.Outbound) [][]byte {
	header, payload := frame[:len(o.Header)], frame[len(o.Header):]
	whole := len(frame) - o.ChecksumStart
	for i, at := 0, 0; at < len(payload); i, at = i+1, at+o.SegmentSize {
		end := min(at+o.SegmentSize, len(payload))
		f := make([]byte, 0, len(header)+end-at)
		f = append(append(f, header...), payload[at:end]...)
		fixIP(f[wire.EthernetLen:], i)

		tcp := f[o.ChecksumStart:]
		binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(at))
		flags := wire.Flags(tcp[13])
		if end < len(payload) {
			flags &^= wire.FIN | wire.PSH
		}
		if i > 0 {
			flags &^= wire.CWR
		}
		tcp[13] = byte(flags)

		// The sum that the stack has stored counts the length of the whole. It
		// is adjusted, not computed anew, so that a wrong one stays wrong.
		field := tcp[o.ChecksumOffset:]
		sum := uint32(binary.BigEndian.Uint16(field)) + uint32(^uint16(whole)) + uint32(len(tcp))
		binary.BigEndian.PutUint16(field, wire.Fold(sum))
		completeChecksum(f, o)
		frames = append(frames, f)
	}
	return frames
}

// fixIP corrects the header of the i-th of the packets that one was cut into.
func fixIP(packet []byte, i int) {
	if packet[0]>>4 == 6 {
		const fixedHeader = 40
		binary.BigEndian.PutUint16(packet[4:], uint16(len(packet)-fixedHeader))
		return
	}
	header := packet[:int(packet[0]&0xf)*4]
	binary.BigEndian.PutUint16(header[2:], uint16(len(packet)))
	binary.BigEndian.PutUint16(header[4:], binary.BigEndian.Uint16(header[4:])+uint16(i))
	binary.BigEndian.PutUint16(header[10:], 0)
	binary.BigEndian.PutUint16(header[10:], ^wire.Fold(wire.Sum(header, 0)))
}
