package ftcptest

import (
	"encoding/binary"
	"io"
	"time"
)

// pcapWriter writes a capture file:
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
//
// Without a writer, or after its first error, it does nothing.
type pcapWriter struct {
	w   io.Writer
	buf []byte
}

func (p *pcapWriter) begin() {
	const (
		nanoseconds = 0xa1b23c4d // the magic number
		snapLen     = 256 << 10  // more than any frame
		ethernet    = 1          // the link type
	)
	b := binary.LittleEndian.AppendUint32(p.buf[:0], nanoseconds)
	b = binary.LittleEndian.AppendUint16(b, 2) // version 2.4
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...) // reserved
	b = binary.LittleEndian.AppendUint32(b, snapLen)
	b = binary.LittleEndian.AppendUint32(b, ethernet)
	p.write(b)
}

func (p *pcapWriter) frame(at time.Time, data []byte) {
	b := binary.LittleEndian.AppendUint32(p.buf[:0], uint32(at.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(at.Nanosecond()))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data))) // captured
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data))) // on the wire
	p.write(append(b, data...))
}

// write writes in one call, so that a file holds whole records even if the
// program is killed.
func (p *pcapWriter) write(b []byte) {
	p.buf = b
	if p.w == nil {
		return
	}
	if _, err := p.w.Write(b); err != nil {
		p.w = nil
	}
}
