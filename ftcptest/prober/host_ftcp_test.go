package prober

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
)

// ftcpHost is a stack with a tunnel for each IP version.
type ftcpHost struct {
	stack *stack.Stack
	links map[bool]*stack.Link // by version: true is IPv6
	ends  map[bool]*tunnel
}

var ftcpAddrs = map[bool]netip.Addr{
	false: netip.MustParseAddr("10.77.0.1"),
	true:  netip.MustParseAddr("fd77::1"),
}

func newFTCP(t *testing.T, n *network, o options) *ftcpHost {
	h := &ftcpHost{
		stack: stack.New(stack.Config{ReceiveBuffer: o.buffer, Backlog: o.backlog}),
		links: map[bool]*stack.Link{}, ends: map[bool]*tunnel{},
	}
	for v6, addr := range ftcpAddrs {
		dev := &tunnel{net: n, in: make(chan []byte, 1<<14), done: make(chan struct{})}
		link, err := h.stack.AddLink(dev, stack.LinkConfig{Addr: addr})
		if err != nil {
			t.Fatal(err)
		}
		h.links[v6], h.ends[v6] = link, dev
	}
	return h
}

func (h *ftcpHost) addr(v6 bool) netip.Addr { return ftcpAddrs[v6] }

func (h *ftcpHost) send(packet []byte) { h.ends[packet[0]>>4 == 6].in <- packet }

func (h *ftcpHost) close() { h.stack.Close() }

func (h *ftcpHost) listen(port uint16, o options) (listener, error) {
	l, err := h.stack.Listen(netip.AddrPortFrom(h.addr(o.v6), port))
	if err != nil {
		return nil, err
	}
	return ftcpListener{l}, nil
}

func (h *ftcpHost) dial(ctx context.Context, remote netip.AddrPort) (conn, error) {
	v6 := remote.Addr().Is6()
	c, err := h.stack.Dial(ctx, h.links[v6], netip.AddrPortFrom(h.addr(v6), 0), remote)
	if err != nil {
		return nil, err
	}
	return ftcpConn{c}, nil
}

type ftcpListener struct{ *stack.Listener }

func (l ftcpListener) port() uint16 { return l.Addr().Port() }
func (l ftcpListener) close()       { l.Close() }

func (l ftcpListener) accept(timeout time.Duration) (conn, error) {
	l.SetDeadline(time.Now().Add(timeout))
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	return ftcpConn{c}, nil
}

type ftcpConn struct{ *stack.Conn }

func (c ftcpConn) keepAlive(idle, interval time.Duration, count int) error {
	return c.SetKeepAlive(idle, interval, count)
}

// A tunnel is a device for bare IP packets.
type tunnel struct {
	net    *network
	in     chan []byte
	done   chan struct{}
	closed sync.Once
}

func (d *tunnel) Features() device.Features { return device.Features{MTU: mtu} }

func (d *tunnel) Read(pkts []device.Inbound) (n int, err error) {
	select {
	case b := <-d.in:
		for {
			pkts[n].N = copy(pkts[n].Buf, b)
			if n++; n == len(pkts) {
				return n, nil
			}
			select {
			case b = <-d.in:
			default:
				return n, nil
			}
		}
	case <-d.done:
		return 0, net.ErrClosed
	}
}

func (d *tunnel) Write(pkts []device.Outbound) error {
	for i := range pkts {
		b := append([]byte(nil), pkts[i].Header...)
		for _, part := range pkts[i].Payload {
			b = append(b, part...)
		}
		d.net.deliver(b)
	}
	return nil
}

func (d *tunnel) Close() error {
	d.closed.Do(func() { close(d.done) })
	return nil
}

const mtu = 1500
