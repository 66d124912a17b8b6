package peerlink

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// closeGrace is how long Close waits for room to say that it closes.
const closeGrace = 20 * time.Millisecond

// A Link is a connection between two nodes of a group: TLS 1.3, in which both have proved
// that they know the secret, and in it frames. One goroutine may send while another
// receives; Close, Interrupt and RemoteAddr may be called at any time.
type Link struct {
	conn   *tls.Conn
	raw    *recordConn // under conn
	server bool

	in  frameReader
	max limits // of what is sent

	sending chan struct{} // full while somebody sends; guards what follows
	header  []byte        // of the frame being sent
	out     *bufio.Writer // makes whole records of it; nil before the first

	sendErr atomic.Pointer[error] // why Send has failed first
}

// Client makes a link of c, a connection that this node has dialed. The link owns c from
// then on: it is closed if there is an error.
func Client(ctx context.Context, c net.Conn, keys *Keys) (*Link, error) {
	raw := newRecordConn(c)
	return newLink(ctx, raw, tls.Client(raw, keys.clientTLS()), false)
}

// Server makes a link of c, a connection that this node has accepted. The link owns c
// from then on: it is closed if there is an error.
func Server(ctx context.Context, c net.Conn, keys *Keys) (*Link, error) {
	raw := newRecordConn(c)
	return newLink(ctx, raw, tls.Server(raw, keys.serverTLS()), true)
}

func newLink(ctx context.Context, raw *recordConn, conn *tls.Conn, server bool) (*Link, error) {
	l := &Link{
		conn: conn, raw: raw, server: server,
		in:      newFrameReader(conn),
		sending: make(chan struct{}, 1), max: helloLimits,
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, l.explain("handshake with", err)
	}
	return l, nil
}

// Send sends one frame: f, and behind it the parts of payload. Both are free for other
// use when it returns. It may block for as long as the peer does not read. After any
// error the link can only be closed; a frame that is too large closes it.
func (l *Link) Send(f *replpb.Frame, payload ...[]byte) error {
	l.sending <- struct{}{}
	bad, err := l.send(f, payload)
	<-l.sending
	if err != nil {
		l.failed(err)
	}
	if bad {
		l.Close() // what was not sent would be missing from what is sent next
	}
	return err
}

func (l *Link) failed(err error) { l.sendErr.CompareAndSwap(nil, &err) }

// send reports, next to the error, whether the frame is to blame.
func (l *Link) send(f *replpb.Frame, payload [][]byte) (bad bool, err error) {
	size := 0
	for _, part := range payload {
		size += len(part)
	}
	l.header, err = appendHeader(l.header[:0], f, size, l.max)
	if err != nil {
		return true, fmt.Errorf("peerlink: send to %s: %w", l.RemoteAddr(), err)
	}
	if l.out == nil {
		// Many small parts fill one record; of large ones only the ends are copied.
		l.out = bufio.NewWriterSize(l.conn, maxRecord)
	}
	l.raw.gather()
	l.out.Write(l.header) // its errors are those of Flush
	for _, part := range payload {
		l.out.Write(part)
	}
	err = l.out.Flush()
	if e := l.raw.flush(); err == nil {
		err = e
	}
	if err != nil {
		err = l.explain("send to", err)
	}
	return false, err
}

// Receive waits for the next frame, makes it the content of f, and returns its payload,
// which is valid until the next Receive.
//
// It returns io.EOF itself if the peer's kernel closed the connection between two frames,
// which it does for a process that has died, and io.ErrUnexpectedEOF if it did so within
// one. A peer that lives and closes its link says so, and the error is another one. If
// this node has closed the link because Send failed, it is Send's: a kernel tells only
// once that the other one has reset the connection. After any error the link can only be
// closed; what is no frame, or too large, closes it.
func (l *Link) Receive(f *replpb.Frame) (payload []byte, err error) {
	payload, err = l.in.read(f)
	switch {
	case err == nil:
		return payload, nil
	case errors.Is(err, net.ErrClosed) && l.sendErr.Load() != nil:
		return nil, *l.sendErr.Load()
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		if !l.raw.eof {
			return nil, fmt.Errorf("peerlink: the peer at %s %w", l.RemoteAddr(), errPeerClosed)
		}
		return nil, err
	}
	if _, ok := errors.AsType[malformedError](err); ok {
		l.Close()
	}
	return nil, l.explain("receive from", err)
}

// Buffered returns how many bytes have arrived and wait for Receive, which will hardly
// block if there are any. Only the receiving goroutine may call it.
func (l *Link) Buffered() int { return l.in.buffered() + l.raw.buffered() }

// Close closes the link. It tells the peer, but does not wait for one that does not read.
// It unblocks Send and Receive.
func (l *Link) Close() error {
	// Left alone, tls.Conn.Close would wait for five seconds.
	t := time.AfterFunc(closeGrace, func() { l.raw.Close() })
	defer t.Stop()

	// While something is sent, tls.Conn.Close would not tell the peer.
	l.sending <- struct{}{}
	defer func() { <-l.sending }()
	return l.conn.Close()
}

// Interrupt ends a Receive, now and in the future. The link can still send.
func (l *Link) Interrupt() { l.conn.SetReadDeadline(time.Unix(1, 0)) }

// Drain waits until the peer has closed the link.
func (l *Link) Drain() {
	l.conn.SetReadDeadline(time.Time{})
	io.Copy(io.Discard, l.raw)
}

// RemoteAddr is the address of the peer.
func (l *Link) RemoteAddr() net.Addr { return l.raw.RemoteAddr() }
