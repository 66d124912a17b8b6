package ftcp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/ftcp-project/ftcp/replication"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

// Conn is a connection. It has the methods of *net.TCPConn that make sense without a file
// descriptor, and behaves like one. Its methods may be called at the same time. Errors
// are *net.OpError, but for io.EOF.
type Conn struct {
	c       *stack.Conn
	network string
}

var (
	_ net.Conn      = (*Conn)(nil)
	_ io.ReaderFrom = (*Conn)(nil)
	_ io.WriterTo   = (*Conn)(nil)
)

// keepAlive is package net's default.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 9}

func newConn(c *stack.Conn, network string) *Conn {
	conn := &Conn{c: c, network: network}
	conn.SetKeepAliveConfig(keepAlive)
	return conn
}

// Protected says whether the connection would outlive the loss of this node now.
func (c *Conn) Protected() bool { return c.c.Protected.Load() }

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.c.Read(b)
	if err != nil && err != io.EOF {
		err = c.error("read", err)
	}
	return n, err
}

// Write implements net.Conn. It returns when all of b is in the send buffer.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.c.Write(b)
	return n, c.error("write", err)
}

// copyBuffer is what ReadFrom and WriteTo move at a time.
const copyBuffer = 256 << 10

// ReadFrom implements io.ReaderFrom.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(writeOnly{c}, readOnly{r}, make([]byte, copyBuffer))
}

// WriteTo implements io.WriterTo.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(writeOnly{w}, readOnly{c}, make([]byte, copyBuffer))
}

// Without the other methods, io.Copy would call them again.
type (
	readOnly  struct{ io.Reader }
	writeOnly struct{ io.Writer }
)

// Close closes the connection. What was written is still delivered, in the background.
// Input that was not read makes the peer see a reset, as with the kernel's TCP.
func (c *Conn) Close() error { return c.error("close", c.c.Close()) }

// CloseRead discards the input, now and in the future.
func (c *Conn) CloseRead() error { return c.error("close", c.c.CloseRead()) }

// CloseWrite sends a FIN behind what was written.
func (c *Conn) CloseWrite() error { return c.error("close", c.c.CloseWrite()) }

// LocalAddr returns the address that the peer talks to, a *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.c.LocalAddr()) }

// RemoteAddr returns the peer's address, a *net.TCPAddr.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.c.RemoteAddr()) }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.setError(c.c.SetDeadline(t)) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setError(c.c.SetReadDeadline(t)) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setError(c.c.SetWriteDeadline(t)) }

// SetLinger says what Close does with data that has not been delivered: 0 discards it and
// resets the connection; any other value delivers it in the background, which is the
// default.
func (c *Conn) SetLinger(sec int) error { return c.error("set", c.c.SetLinger(sec)) }

// SetNoDelay turns Nagle's algorithm off, which is the default, or on.
func (c *Conn) SetNoDelay(noDelay bool) error { return c.error("set", c.c.SetNoDelay(noDelay)) }

// SetUserTimeout ends the connection when the peer has acknowledged nothing of what there
// is to send for d, whether it is lost or the peer's window is closed; errors are then
// ETIMEDOUT. It also takes the place of the number of keep-alive probes. Zero, the
// default, retransmits 15 times, and probes a closed window for ever. (RFC 9293 section
// 3.9.1.1; TCP_USER_TIMEOUT in Linux.)
func (c *Conn) SetUserTimeout(d time.Duration) error {
	return c.error("set", c.c.SetUserTimeout(max(d, 0)))
}

// SetTrafficClass sets the differentiated services field of what is sent from now on, in
// the upper six bits of class (RFC 2474), which has taken the place of the type of
// service. The lower two are ECN's, and ignored. The default is Node.TrafficClass. On a
// node of a group, the handler on the standby sets it for the time after a takeover.
func (c *Conn) SetTrafficClass(class uint8) error { return c.setError(c.c.SetTrafficClass(class)) }

// SetReadBuffer fixes the size of the receive buffer, in bytes, which otherwise grows as
// the path needs it.
func (c *Conn) SetReadBuffer(bytes int) error { return c.setError(c.c.SetReadBuffer(bytes)) }

// SetWriteBuffer fixes the size of the send buffer, in bytes, which otherwise grows as
// the path needs it.
func (c *Conn) SetWriteBuffer(bytes int) error { return c.setError(c.c.SetWriteBuffer(bytes)) }

// SetKeepAlive turns probes of a silent peer on or off. They are on by default.
func (c *Conn) SetKeepAlive(on bool) error {
	config := keepAlive
	config.Enable = on
	return c.SetKeepAliveConfig(config)
}

// SetKeepAlivePeriod sets the time before the first probe, and between two.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	config := keepAlive
	config.Idle, config.Interval = d, d
	return c.SetKeepAliveConfig(config)
}

// SetKeepAliveConfig is net.TCPConn's. Values that are not positive stand for the
// defaults: 15 s, 15 s, 9.
func (c *Conn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	if !config.Enable {
		return c.error("set", c.c.SetKeepAlive(0, 0, 0))
	}
	if config.Idle <= 0 {
		config.Idle = keepAlive.Idle
	}
	if config.Interval <= 0 {
		config.Interval = keepAlive.Interval
	}
	if config.Count <= 0 {
		config.Count = keepAlive.Count
	}
	return c.error("set", c.c.SetKeepAlive(config.Idle, config.Interval, config.Count))
}

func (c *Conn) error(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: c.network, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: sysError(op, err)}
}

// setError is the form that package net gives to errors of deadlines and buffers: with
// the one address that they concern.
func (c *Conn) setError(err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "set", Net: c.network, Addr: c.LocalAddr(), Err: sysError("set", err)}
}

func listenError(network string, addr net.Addr, err error) error {
	return &net.OpError{Op: "listen", Net: network, Addr: addr, Err: sysError("bind", err)}
}

func dialError(network string, source, addr net.Addr, err error) error {
	return &net.OpError{Op: "dial", Net: network, Source: source, Addr: addr, Err: sysError("connect", err)}
}

// sysError turns the stack's errors into those of the system call that a user of package
// net would see fail.
func sysError(call string, err error) error {
	switch {
	case errors.Is(err, tcp.ErrReset):
		err = errno.ConnReset
	case errors.Is(err, tcp.ErrRefused):
		err = errno.ConnRefused
	case errors.Is(err, tcp.ErrTimeout):
		err = errno.TimedOut
	case errors.Is(err, tcp.ErrAborted):
		err = errno.ConnAborted
	case errors.Is(err, stack.ErrPipe):
		err = errno.Pipe
	case errors.Is(err, replication.ErrFenced), errors.Is(err, replication.ErrUnprotected), errors.Is(err, tcp.ErrDiverged):
		return fmt.Errorf("%w (%w)", os.NewSyscallError(call, errno.ConnAborted), err)
	case err == errno.AddrInUse, err == errno.AddrNotAvail, err == errno.HostUnreachable, err == errno.NetUnreachable:
	default:
		return err
	}
	return os.NewSyscallError(call, err)
}
