package ftcp

import (
	"net"
	"time"

	"github.com/ftcp-project/ftcp/stack"
)

// Listener is a net.Listener. Its methods may be called at the same time. Errors are
// *net.OpError.
type Listener struct {
	l       *stack.Listener
	network string
}

var _ net.Listener = (*Listener)(nil)

// Accept waits for the next connection, which is a [*Conn]. After Close, the error wraps
// net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.l.Accept()
	if err != nil {
		return nil, l.error("accept", err)
	}
	return newConn(c, l.network), nil
}

// Close stops listening. Connections that were accepted go on.
func (l *Listener) Close() error {
	if err := l.l.Close(); err != nil {
		return l.error("close", err)
	}
	return nil
}

// Addr returns the address, a *net.TCPAddr.
func (l *Listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.l.Addr()) }

// SetDeadline sets the time after which Accept fails with os.ErrDeadlineExceeded. Zero:
// never.
func (l *Listener) SetDeadline(t time.Time) error {
	if err := l.l.SetDeadline(t); err != nil {
		return l.error("set", err)
	}
	return nil
}

func (l *Listener) error(op string, err error) error {
	return &net.OpError{Op: op, Net: l.network, Addr: l.Addr(), Err: sysError(op, err)}
}
