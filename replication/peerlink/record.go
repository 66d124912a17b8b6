package peerlink

import (
	"encoding/binary"
	"io"
	"net"
)

// The sizes of a TLS record, https://www.rfc-editor.org/rfc/rfc8446.html#section-5.
const (
	recordHeader = 5
	maxRecord    = 1 << 14 // content
)

const (
	// strangerBuffer is the room for what a peer sends before it is known. A ClientHello
	// needs two reads of it.
	strangerBuffer = 1 << 10

	// peerBuffer is the room for what a known peer sends. A burst of it takes one system
	// call.
	peerBuffer = 128 << 10
)

// A recordConn is the connection under TLS. It reads from the network in large pieces and
// gives them to TLS one record at a time, for two reasons: TLS would read each record
// with two system calls; and it would keep, without a way to ask, what it has read ahead.
// And it writes the records of one frame together, for which TLS would use a system call
// each.
type recordConn struct {
	net.Conn
	in   []byte // read from the network; of it,
	r, w int    // in[r:w] is still to be given to TLS
	left int    // bytes of the current record that TLS has not read
	eof  bool   // the connection has ended, and TLS knows

	writing   chan struct{} // full while somebody writes; guards what follows
	gathering bool
	out       []byte // what has been gathered
}

func newRecordConn(c net.Conn) *recordConn {
	return &recordConn{Conn: c, in: make([]byte, strangerBuffer), writing: make(chan struct{}, 1)}
}

// grow makes the room for reading what it is for a known peer. Only who reads may call
// it.
func (c *recordConn) grow() {
	in := make([]byte, peerBuffer)
	c.w = copy(in, c.in[c.r:c.w])
	c.in, c.r = in, 0
}

// fill reads from the network, once unless nothing comes of it.
func (c *recordConn) fill() error {
	if c.r > 0 {
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
	}
	for range 100 {
		n, err := c.Conn.Read(c.in[c.w:])
		c.w += n
		if n > 0 {
			return nil // err, if any, comes again
		}
		if err != nil {
			c.eof = err == io.EOF
			return err
		}
	}
	return io.ErrNoProgress
}

func (c *recordConn) Read(b []byte) (int, error) {
	if c.left == 0 {
		for c.w-c.r < recordHeader {
			if err := c.fill(); err != nil {
				if c.w == c.r {
					return 0, err
				}
				break // TLS is given the part
			}
		}
		c.left = recordSize(c.in[c.r:c.w])
	}
	if c.r == c.w {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.in[c.r:min(c.w, c.r+c.left)])
	c.r += n
	c.left -= n
	return n, nil
}

// buffered returns how many bytes there are to read if they begin with a whole record.
func (c *recordConn) buffered() int {
	n := c.w - c.r
	if n < recordHeader || n < recordSize(c.in[c.r:c.w]) {
		return 0
	}
	return n
}

// recordSize is the size of the record that b begins with. Without a whole header it is
// the size of b, which TLS will not accept.
func recordSize(b []byte) int {
	if len(b) < recordHeader {
		return len(b)
	}
	return recordHeader + int(binary.BigEndian.Uint16(b[3:]))
}

// gather makes writes wait for flush.
func (c *recordConn) gather() {
	c.writing <- struct{}{}
	c.gathering = true
	<-c.writing
}

// flush writes what has been gathered.
func (c *recordConn) flush() error {
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	c.gathering = false
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

func (c *recordConn) Write(b []byte) (int, error) {
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	if c.gathering {
		c.out = append(c.out, b...)
		return len(b), nil
	}
	return c.Conn.Write(b)
}
