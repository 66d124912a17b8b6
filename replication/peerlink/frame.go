package peerlink

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// The largest parts of a frame that are sent and accepted. They bound what a peer can
// make a node allocate, and for how long a frame in transit delays the next.
const (
	MaxHeader  = 1 << 20 // bytes of an encoded replpb.Frame
	MaxPayload = 1 << 20 // bytes behind it
)

// prefixSize is the size of the two lengths that a frame begins with.
const prefixSize = 8

// limits are the largest parts of a frame.
type limits struct{ header, payload int }

var (
	helloLimits = limits{header: 4 << 10} // before a hello was accepted
	peerLimits  = limits{header: MaxHeader, payload: MaxPayload}
)

// check returns what is wrong with a frame of two parts of these sizes.
func (l limits) check(header, payload uint64) error {
	switch {
	case header > uint64(l.header):
		return fmt.Errorf("frame with a header of %d bytes, more than %d", header, l.header)
	case payload > uint64(l.payload):
		return fmt.Errorf("frame with a payload of %d bytes, more than %d", payload, l.payload)
	}
	return nil
}

// appendHeader appends to b the lengths of a frame, and f.
func appendHeader(b []byte, f *replpb.Frame, payload int, lim limits) ([]byte, error) {
	start := len(b)
	b = append(b, make([]byte, prefixSize)...)
	b, err := proto.MarshalOptions{}.MarshalAppend(b, f)
	if err != nil {
		return b, err
	}
	n := len(b) - start - prefixSize
	if err := lim.check(uint64(n), uint64(payload)); err != nil {
		return b, err
	}
	binary.BigEndian.PutUint32(b[start:], uint32(n))
	binary.BigEndian.PutUint32(b[start+4:], uint32(payload))
	return b, nil
}

// A frameReader reads frames. It reads from TLS, which returns one record at a time,
// right into the buffer in which the frame is then looked at.
type frameReader struct {
	src  io.Reader
	max  limits
	room int // what there is at least room for when reading

	buf  []byte
	r, w int // buf[r:w] has been read and belongs to no frame yet
}

// newFrameReader returns a frameReader that accepts no more than a hello.
func newFrameReader(src io.Reader) frameReader {
	return frameReader{src: src, max: helloLimits, room: 256}
}

// accept makes fr accept all frames.
func (fr *frameReader) accept() {
	fr.max = peerLimits
	fr.room = maxRecord // so that TLS keeps no part of one
}

// A malformedError says that the peer sends what is no frame.
type malformedError struct{ error }

// read makes the next frame the content of f and returns its payload, which is valid
// until the next read. It returns io.EOF or io.ErrUnexpectedEOF only if the source has
// ended.
func (fr *frameReader) read(f *replpb.Frame) ([]byte, error) {
	if err := fr.fill(prefixSize); err != nil {
		return nil, err
	}
	header := binary.BigEndian.Uint32(fr.buf[fr.r:])
	payload := binary.BigEndian.Uint32(fr.buf[fr.r+4:])
	if err := fr.max.check(uint64(header), uint64(payload)); err != nil {
		return nil, malformedError{err}
	}
	if err := fr.fill(prefixSize + int(header) + int(payload)); err != nil {
		return nil, err
	}
	body := fr.r + prefixSize
	rest := body + int(header)
	end := rest + int(payload)
	if err := proto.Unmarshal(fr.buf[body:rest], f); err != nil {
		// Not wrapped, lest an io.ErrUnexpectedEOF of the decoder pass for the end of the
		// source.
		return nil, malformedError{fmt.Errorf("malformed frame: %v", err)}
	}
	fr.r = end
	return fr.buf[rest:end:end], nil
}

// fill reads until n bytes wait.
func (fr *frameReader) fill(n int) error {
	for fr.w-fr.r < n {
		fr.makeRoom(n)
		m, err := fr.src.Read(fr.buf[fr.w:])
		fr.w += m
		if err == nil || fr.w-fr.r >= n {
			continue // an error comes again
		}
		if err == io.EOF && fr.w > fr.r {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

// makeRoom makes room for n bytes in all, and behind what there is for one read. A peer
// ends a record where a frame ends, so that there is next to nothing to move.
func (fr *frameReader) makeRoom(n int) {
	if fr.r == fr.w {
		fr.r, fr.w = 0, 0
	}
	if len(fr.buf)-fr.w >= fr.room && len(fr.buf)-fr.r >= n {
		return
	}
	buf := fr.buf
	if need := n + fr.room; len(buf) < need {
		largest := prefixSize + fr.max.header + fr.max.payload + fr.room
		buf = make([]byte, max(need, min(2*len(buf), largest)))
	}
	fr.w = copy(buf, fr.buf[fr.r:fr.w])
	fr.r, fr.buf = 0, buf
}

func (fr *frameReader) buffered() int { return fr.w - fr.r }
