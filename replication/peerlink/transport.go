package peerlink

import (
	"context"
	"net"
	"syscall"
)

// A Transport carries links between nodes. Once a listener is closed, its Accept returns
// net.ErrClosed.
type Transport interface {
	Listen(ctx context.Context, address string) (net.Listener, error)
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// TCP is the kernel's TCP, set up for a link between neighbors. On Linux a lost packet is
// sent again after a few milliseconds and not after 200, from Linux 6.11 on, and the
// congestion control is CUBIC where there is one, whatever the system's default is.
type TCP struct{}

// Listen listens on a port of this host.
func (TCP) Listen(ctx context.Context, address string) (net.Listener, error) {
	lc := net.ListenConfig{Control: control}
	lc.SetMultipathTCP(false) // it knows no bound of the retransmission timer
	return lc.Listen(ctx, "tcp", address)
}

// Dial connects to a port of another host.
func (TCP) Dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Control: control}
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, "tcp", address)
}

// control sets up a socket before it is used. What is accepted inherits it. Package net
// turns on TCP_NODELAY.
func control(network, address string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { tune(int(fd)) })
}
