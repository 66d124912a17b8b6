package replication

import (
	"context"
	"net"
)

// A Transport carries links between nodes.
type Transport interface {
	Listen(ctx context.Context, address string) (net.Listener, error)
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// tcpTransport is the kernel's TCP.
type tcpTransport struct{}

func (tcpTransport) Listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", address)
}

func (tcpTransport) Dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}
