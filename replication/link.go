package replication

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// Version is the version of the protocol that nodes speak on their link. Nodes
// of different versions refuse each other.
const Version = 2

const (
	// maxFrame is the largest encoded frame. It bounds what a peer can make a
	// node allocate, and for how long a frame in transit delays the next.
	maxFrame = 4 << 20

	// maxHello is the largest encoded frame before a Hello was accepted.
	maxHello = 4 << 10

	// closeGrace is how long close waits for room to say that it closes.
	closeGrace = 20 * time.Millisecond
)

var (
	// errNotAccepted is errOtherSecret as seen from the side that was refused.
	errNotAccepted = errors.New("did not accept our key: both need the same secret and group name")

	// errPeerClosed says that the peer's process, which lives, closed the link.
	errPeerClosed = errors.New("closed the link")
)

// A link is a connection between two nodes of a group: TLS 1.3, in which both have
// proved that they know the secret, and in it frames, each prefixed by its
// length. One goroutine may send while another receives; close and
// remoteAddr may be called at any time.
type link struct {
	conn   *tls.Conn
	raw    *recordConn // under conn
	server bool

	in  frameReader
	out []byte // the frame being sent

	sendErr atomic.Pointer[error] // why send has failed first
}

// newLink makes a link of c, which it owns from then on: it is closed if there
// is an error. The node that accepted the connection is its server.
func newLink(ctx context.Context, c net.Conn, keys *Keys, server bool) (*link, error) {
	l := &link{raw: newRecordConn(c), server: server}
	if server {
		l.conn = tls.Server(l.raw, keys.serverTLS())
	} else {
		l.conn = tls.Client(l.raw, keys.clientTLS())
	}
	if err := l.conn.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, l.explain("handshake with", err)
	}
	l.in = newFrameReader(l.conn)
	return l, nil
}

// hello exchanges the first frames and returns the peer's Hello if the two nodes can
// work together. Otherwise, or if ctx ends before, the link can only be closed.
func (l *link) hello(ctx context.Context, ours *replpb.Hello) (theirs *replpb.Hello, err error) {
	stop := context.AfterFunc(ctx, func() { l.conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() {
			theirs, err = nil, fmt.Errorf("replication: the peer at %s sent no hello: %w", l.remoteAddr(), ctx.Err())
		}
	}()

	// The client begins, so that the exchange needs no buffer in between. Both
	// send before they judge, so that both can name what differs.
	var f replpb.Frame
	if l.server {
		if err := l.receive(&f); err != nil {
			return nil, err
		}
		if err := l.send(&replpb.Frame{Hello: ours}); err != nil {
			return nil, err
		}
	} else {
		// A server that refused our key has closed the connection, which send may
		// notice. The reason is still there to be received.
		sendErr := l.send(&replpb.Frame{Hello: ours})
		if err := l.receive(&f); err != nil {
			if sendErr != nil && !errors.Is(err, errNotAccepted) {
				err = sendErr
			}
			return nil, err
		}
		if sendErr != nil {
			return nil, sendErr
		}
	}
	if err := compatible(ours, f.Hello); err != nil {
		return nil, fmt.Errorf("replication: the peer at %s %w", l.remoteAddr(), incompatibleError{err})
	}
	l.in.max = maxFrame
	return f.Hello, nil
}

// compatible returns in what theirs must be like ours and is not.
func compatible(ours, theirs *replpb.Hello) error {
	switch {
	case theirs == nil:
		return errors.New("did not begin with a hello")
	case theirs.Version != ours.Version:
		return fmt.Errorf("speaks version %d of the protocol, this node version %d", theirs.Version, ours.Version)
	case theirs.Group != ours.Group:
		return fmt.Errorf("belongs to the group %q, this node to %q", theirs.Group, ours.Group)
	case theirs.Mode != ours.Mode:
		return fmt.Errorf("continues servers in mode %s, this node in %s", modeName(theirs.Mode), modeName(ours.Mode))
	}
	return nil
}

// incompatibleError says that two nodes cannot work together, whatever else happens.
type incompatibleError struct{ error }

func (e incompatibleError) Unwrap() error { return e.error }

// incompatible reports whether err says that the peer lives but is of another
// group, secret, version or mode.
func incompatible(err error) bool {
	_, ok := errors.AsType[incompatibleError](err)
	return ok || errors.Is(err, errOtherSecret) || errors.Is(err, errNotAccepted)
}

func modeName(mode uint32) string {
	switch mode {
	case 0:
		return "Mirror"
	case 1:
		return "Resume"
	}
	return fmt.Sprint(mode)
}

// send sends one frame. It may block for as long as the peer does not read.
func (l *link) send(f *replpb.Frame) error {
	out, err := appendFrame(l.out[:0], f)
	if err != nil {
		return err
	}
	l.out = out
	l.raw.gather()
	_, err = l.conn.Write(out)
	if e := l.raw.flush(); err == nil {
		err = e
	}
	if err != nil {
		err = l.explain("send to", err)
		l.sendErr.CompareAndSwap(nil, &err)
	}
	return err
}

// receive waits for the next frame and makes it the content of f.
//
// It returns io.EOF itself if the peer's kernel closed the connection between
// two frames, which it does for a process that has died, and io.ErrUnexpectedEOF
// if it did so within one. A peer that lives and closes its link says so, and
// the error is another one. If this node has closed the link because send failed, it is
// send's: a kernel tells only once that the other one has reset the connection.
// After any error the link can only be closed.
func (l *link) receive(f *replpb.Frame) error {
	err := l.in.read(f)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, net.ErrClosed) && l.sendErr.Load() != nil:
		return *l.sendErr.Load()
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		if !l.raw.eof {
			return fmt.Errorf("replication: the peer at %s %w", l.remoteAddr(), errPeerClosed)
		}
		return err
	}
	return l.explain("receive from", err)
}

// buffered returns how many bytes have arrived and wait for receive, which will
// hardly block if there are any. Only the receiving goroutine may call it.
func (l *link) buffered() int {
	return l.in.r.Buffered() + l.raw.buffered()
}

// close closes the link. It tells the peer, but does not wait for one that
// does not read. It unblocks send and receive.
func (l *link) close() error {
	// Left alone, tls.Conn.Close would wait for five seconds.
	t := time.AfterFunc(closeGrace, func() { l.raw.Close() })
	defer t.Stop()
	return l.conn.Close()
}

// interrupt ends a receive, now and in the future. The link can still send.
func (l *link) interrupt() { l.conn.SetReadDeadline(time.Unix(1, 0)) }

// drain waits until the peer has closed the link.
func (l *link) drain() {
	l.conn.SetReadDeadline(time.Time{})
	io.Copy(io.Discard, l.raw)
}

func (l *link) remoteAddr() net.Addr { return l.raw.RemoteAddr() }

// explain says in words of this package what err of TLS means.
func (l *link) explain(doing string, err error) error {
	switch {
	case errors.Is(err, errOtherSecret):
	case refusesKey(err):
		err = errNotAccepted
	case isNotTLS(err):
		err = fmt.Errorf("does not speak TLS: %w", err)
	default:
		return fmt.Errorf("replication: %s %s: %w", doing, l.remoteAddr(), err)
	}
	return fmt.Errorf("replication: the peer at %s %w", l.remoteAddr(), err)
}

// refusesKey reports whether err is an alert with which a peer answers to the
// wrong certificate. In TLS 1.3 the client's handshake may be over when the
// server judges, and then it is the first receive that returns it.
func refusesKey(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return false
	}
	// Package tls does not export the type of op.Err.
	switch op.Err.Error() {
	case alertBadCertificate.Error(), alertUnknownCertificate.Error(), alertUnknownCA.Error():
		return true
	}
	return false
}

// https://www.rfc-editor.org/rfc/rfc8446.html#section-6
const (
	alertBadCertificate     = tls.AlertError(42)
	alertUnknownCertificate = tls.AlertError(46)
	alertUnknownCA          = tls.AlertError(48)
)

func isNotTLS(err error) bool {
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}

// closedByPeer reports whether err, which comes from send or receive, says that the
// peer's kernel closed or reset the connection. It does so for a process that has died.
// A process that lives can look like it if it closes its link while
// the connection is stalled.
func closedByPeer(err error) bool {
	return errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, errno.ConnReset) ||
		errors.Is(err, errno.Pipe)
}

// appendFrame appends f to b, prefixed by its length.
func appendFrame(b []byte, f *replpb.Frame) ([]byte, error) {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b, err := proto.MarshalOptions{}.MarshalAppend(b, f)
	if err != nil {
		return nil, fmt.Errorf("replication: %w", err)
	}
	n := len(b) - start - 4
	if n > maxFrame {
		return nil, fmt.Errorf("replication: frame of %d bytes to send, more than %d", n, maxFrame)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(n))
	return b, nil
}

// A frameReader reads frames that are prefixed by their length.
type frameReader struct {
	r   *bufio.Reader
	max int    // the largest to accept
	buf []byte // of the latest
}

// newFrameReader returns a frameReader that accepts no more than a Hello.
func newFrameReader(r io.Reader) frameReader {
	// TLS returns one record at a time: there is no use in room for more.
	return frameReader{r: bufio.NewReaderSize(r, maxRecord), max: maxHello}
}

// read makes the next frame the content of f. It returns io.EOF or
// io.ErrUnexpectedEOF only if r has ended.
func (fr *frameReader) read(f *replpb.Frame) error {
	var length [4]byte
	if _, err := io.ReadFull(fr.r, length[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > uint32(fr.max) {
		return fmt.Errorf("frame of %d bytes, more than %d", n, fr.max)
	}
	if uint32(cap(fr.buf)) < n {
		fr.buf = make([]byte, n)
	}
	fr.buf = fr.buf[:n]
	if _, err := io.ReadFull(fr.r, fr.buf); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if err := proto.Unmarshal(fr.buf, f); err != nil {
		// Not wrapped, lest an io.ErrUnexpectedEOF of the decoder pass for the end of r.
		return fmt.Errorf("malformed frame: %v", err)
	}
	return nil
}

// The sizes of a TLS record, https://www.rfc-editor.org/rfc/rfc8446.html#section-5.
const (
	recordHeader = 5
	maxRecord    = 1 << 14 // content
)

// A recordConn is the connection under TLS. It reads from the network in large
// pieces and gives them to TLS one record at a time, for two reasons: TLS
// would read each record with two system calls; and it would keep, without a
// way to ask, what it has read ahead. And it writes the records of one frame
// together, for which TLS would use a system call each.
type recordConn struct {
	net.Conn
	r    *bufio.Reader
	left int  // bytes of the current record that TLS has not read
	eof  bool // the connection has ended, and TLS knows

	writing   chan struct{} // full while somebody writes; guards what follows
	gathering bool
	out       []byte // what has been gathered
}

func newRecordConn(c net.Conn) *recordConn {
	return &recordConn{Conn: c, r: bufio.NewReaderSize(c, 128<<10), writing: make(chan struct{}, 1)}
}

func (c *recordConn) Read(b []byte) (int, error) {
	if c.left == 0 {
		h, err := c.r.Peek(recordHeader)
		if len(h) == 0 {
			c.eof = err == io.EOF
			return 0, err
		}
		c.left = recordSize(h)
	}
	n, err := c.r.Read(b[:min(len(b), c.left)])
	c.left -= n
	if err == io.EOF {
		c.eof = true
	}
	return n, err
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

// buffered returns how many bytes there are to read if they begin with a whole record.
func (c *recordConn) buffered() int {
	n := c.r.Buffered()
	if n < recordHeader {
		return 0
	}
	if h, _ := c.r.Peek(recordHeader); n < recordSize(h) {
		return 0
	}
	return n
}

// recordSize is the size of the record that begins with h. Without a whole
// header it is the size of h, which TLS will not accept.
func recordSize(h []byte) int {
	if len(h) < recordHeader {
		return len(h)
	}
	return recordHeader + int(binary.BigEndian.Uint16(h[3:]))
}
