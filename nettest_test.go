package ftcp_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// The conformance tests of golang.org/x/net, with each end in the part of c1.
func TestConn(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		if w.kernel() {
			t.Skip("the Go project's to test")
		}
		l := w.listen(t)
		for _, c1 := range []string{"client", "server"} {
			t.Run(c1, func(t *testing.T) {
				nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
					client, err := w.client.DialContext(patient(t), "tcp", l.Addr().String())
					if err != nil {
						return nil, nil, nil, err
					}
					server, err := l.Accept()
					if err != nil {
						client.Close()
						return nil, nil, nil, err
					}
					stop := func() {
						client.Close()
						server.Close()
					}
					if c1 == "client" {
						return client, server, stop, nil
					}
					return server, client, stop, nil
				})
			})
		}
	})
}

// end is one end of a network: package net's, or a Node's.
type end interface {
	Listen(network, address string) (net.Listener, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// kernel is package net.
type kernel struct{ net.Dialer }

func (*kernel) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

// world is a server's and a client's end that can reach each other.
type world struct {
	server, client end
	host           string // of the server
}

// kernel says that there is nothing of ours in it.
func (w world) kernel() bool {
	_, server := w.server.(*kernel)
	_, client := w.client.(*kernel)
	return server && client
}

// worlds are all of them. What a test expects in the first, package net on both ends, it
// may expect in every one.
var worlds = []struct {
	name string
	open func(t *testing.T) world
}{
	{"kernel", func(t *testing.T) world { return world{&kernel{}, &kernel{}, "127.0.0.1"} }},
	{"memory", openMemory},
	{"loopback", func(t *testing.T) world { return world{loopback(t), loopback(t), "127.0.0.1"} }},
	{"kernel client", func(t *testing.T) world { return world{loopback(t), &kernel{}, "127.0.0.1"} }},
	{"kernel server", func(t *testing.T) world { return world{&kernel{}, loopback(t), "127.0.0.1"} }},
}

// everywhere runs test in all worlds.
func everywhere(t *testing.T, test func(t *testing.T, w world)) {
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) { test(t, w.open(t)) })
	}
}

var quiet = slog.New(slog.DiscardHandler)

// openMemory is two nodes on a network in memory.
func openMemory(t *testing.T) world {
	network := &ftcptest.Network{}
	server := &ftcp.Node{Device: network.Port("server"), Logger: quiet}
	client := &ftcp.Node{Device: network.Port("client"), LocalAddr: netip.MustParseAddr("10.0.0.2"), Logger: quiet}
	t.Cleanup(func() {
		client.Close()
		server.Close()
		network.Close()
	})
	return world{server, client, "10.0.0.1"}
}

// loopback is a node for the machine's own addresses.
func loopback(t *testing.T) *ftcp.Node {
	if err := loopbackWorks(); err != nil {
		t.Skip("this needs CAP_NET_RAW, on Linux: ", err)
	}
	n := &ftcp.Node{Logger: quiet}
	t.Cleanup(func() { n.Close() })
	return n
}

var loopbackWorks = sync.OnceValue(func() error {
	var n ftcp.Node
	defer n.Close()
	l, err := n.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		l.Close()
	}
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil // any other error is the tests' to report
})

// listen returns a listener on a port that was free.
func (w world) listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := w.server.Listen("tcp", net.JoinHostPort(w.host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// testLimit is for what should happen soon. A test that has to wait so long has failed.
const testLimit = time.Minute

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// dial connects to l.
func (w world) dial(t *testing.T, l net.Listener) conn {
	t.Helper()
	c, err := w.client.DialContext(patient(t), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(conn)
}

// accept takes a connection from l.
func accept(t *testing.T, l net.Listener) conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(conn)
}

// pair returns both ends of a connection.
func (w world) pair(t *testing.T) (client, server conn) {
	t.Helper()
	l := w.listen(t)
	client = w.dial(t, l)
	return client, accept(t, l)
}

// conn is what *net.TCPConn and *ftcp.Conn have in common.
type conn interface {
	net.Conn
	CloseRead() error
	CloseWrite() error
	SetLinger(sec int) error
	SetNoDelay(bool) error
	SetKeepAlive(bool) error
	SetKeepAlivePeriod(time.Duration) error
	SetKeepAliveConfig(net.KeepAliveConfig) error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

// opError is what an error of package net says.
type opError struct {
	op           string
	source, addr net.Addr
	err          error // in the sense of errors.Is
}

func (want opError) check(t *testing.T, err error) {
	t.Helper()
	var got *net.OpError
	if !errors.As(err, &got) {
		t.Errorf("error is %T (%v); want *net.OpError", err, err)
		return
	}
	if got.Op != want.op || got.Net != "tcp" || !same(got.Source, want.source) || !same(got.Addr, want.addr) {
		t.Errorf("error is of %s %s %v -> %v; want %s tcp %v -> %v",
			got.Op, got.Net, got.Source, got.Addr, want.op, want.source, want.addr)
	}
	if !errors.Is(err, want.err) {
		t.Errorf("error is %v; want %v", err, want.err)
	}
	if timeout := errors.Is(want.err, os.ErrDeadlineExceeded) || errors.Is(want.err, context.DeadlineExceeded); got.Timeout() != timeout {
		t.Errorf("Timeout() of %v is %v", err, got.Timeout())
	}
}

// same compares addresses; a *net.TCPAddr may also be nil.
func same(a, b net.Addr) bool {
	return a == nil && b == nil || a != nil && b != nil && a.String() == b.String()
}
