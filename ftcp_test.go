package ftcp_test

import (
	"context"
	"errors"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/replication"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

var testSecret = []byte("0123456789abcdef")

// A Node that makes no sense says so, and leaves nothing behind: the bubble would not end
// with a goroutine in it.
func TestNonsense(t *testing.T) {
	group := func(change func(n *ftcp.Node)) *ftcp.Node {
		n := &ftcp.Node{Secret: testSecret, Bind: "10.254.0.1", Peers: []string{"10.254.0.2"}}
		change(n)
		return n
	}
	for _, test := range []struct {
		name    string
		node    *ftcp.Node
		address string // empty: 10.0.0.1:80
		err     string
	}{
		{"mode", &ftcp.Node{Mode: 7}, "", "Node.Mode 7 does not exist"},
		{"secret alone", &ftcp.Node{Secret: testSecret}, "", "a Node with a Secret needs Peers or Bind"},
		{"no secret", group(func(n *ftcp.Node) { n.Secret = nil }), "", "the secret has 0 bytes and needs at least 16"},
		{"short secret", group(func(n *ftcp.Node) { n.Secret = testSecret[:15] }), "", "the secret has 15 bytes and needs at least 16"},
		{"group is no text", group(func(n *ftcp.Node) { n.Group = "\xff" }), "", "Node.Group"},
		{"group is a novel", group(func(n *ftcp.Node) { n.Group = strings.Repeat("a", 256) }), "", "Node.Group"},
		{"peer without host", group(func(n *ftcp.Node) { n.Peers = []string{":7420"} }), "", "Node.Peers: address :7420: missing host"},
		{"empty peer", group(func(n *ftcp.Node) { n.Peers = []string{""} }), "", "Node.Peers"},
		{"peer with two ports", group(func(n *ftcp.Node) { n.Peers = []string{"a:1:2"} }), "", "Node.Peers: address a:1:2: too many colons"},
		{"peer's port too large", group(func(n *ftcp.Node) { n.Peers = []string{"a:65536"} }), "", "Node.Peers: address 65536: invalid port"},
		{"peer's port 0", group(func(n *ftcp.Node) { n.Peers = []string{"a:0"} }), "", "Node.Peers: address a:0: no port"},
		{"bind to no port", group(func(n *ftcp.Node) { n.Bind = ":0" }), "", "Node.Bind: address :0: no port"},
		{"bind to nonsense", group(func(n *ftcp.Node) { n.Bind = "[::1" + ":" }), "", "Node.Bind"},
		{"negative heartbeat", &ftcp.Node{Heartbeat: -1}, "", "Heartbeat"},
		{"heartbeat of a year", &ftcp.Node{Heartbeat: 365 * 24 * time.Hour}, "", "Node.Heartbeat must be at most 1m0s"},
		{"negative misses", &ftcp.Node{Misses: -1}, "", "Misses"},
		{"misses", &ftcp.Node{Misses: math.MaxInt}, "", "Misses 1000"},
		{"negative lag", &ftcp.Node{MaxLag: -1}, "", "MaxLag"},
		{"history", &ftcp.Node{History: 1<<30 + 1}, "", "Node.History must be at most 1 GiB"},
		{"negative receive buffer", &ftcp.Node{ReceiveBuffer: -1}, "", "ReceiveBuffer"},
		{"receive buffer", &ftcp.Node{ReceiveBuffer: 1<<30 + 1}, "", "from 0 to 1 GiB"},
		{"negative send buffer", &ftcp.Node{SendBuffer: -1}, "", "SendBuffer"},
		{"send buffer", &ftcp.Node{SendBuffer: 1<<30 + 1}, "", "from 0 to 1 GiB"},
		{"negative backlog", &ftcp.Node{Backlog: -1}, "", "Node.Backlog must not be negative"},
		{"no congestion control", &ftcp.Node{Congestion: func(int) tcp.Congestion { return nil }}, "", "Node.Congestion returns nil"},
		{"multicast LocalAddr", &ftcp.Node{LocalAddr: netip.MustParseAddr("224.0.0.1")}, "", "Node.LocalAddr is 224.0.0.1"},
		{"unspecified LocalAddr", &ftcp.Node{LocalAddr: netip.IPv4Unspecified()}, "", "Node.LocalAddr is 0.0.0.0"},
		{"group on port 0", group(func(n *ftcp.Node) {}), "10.0.0.1:0", "a port that all nodes know"},
		{"group on all addresses", group(func(n *ftcp.Node) {}), ":80", "a service address, not on all addresses"},
		{"device on all addresses", &ftcp.Node{}, ":80", "not on all addresses"},
		{"multicast", &ftcp.Node{}, "224.0.0.1:80", "cannot assign requested address"},
		{"broadcast", &ftcp.Node{}, "255.255.255.255:80", "cannot assign requested address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &ftcptest.Network{}
				defer network.Close()
				test.node.Device = network.Port("service")
				test.node.Logger = quiet
				address := test.address
				if address == "" {
					address = "10.0.0.1:80"
				}
				l, err := test.node.Listen("tcp", address)
				var op *net.OpError
				switch {
				case err == nil:
					l.Close()
					t.Error("it listens")
				case !errors.As(err, &op) || op.Op != "listen":
					t.Errorf("error is %T (%v)", err, err)
				case !strings.Contains(err.Error(), test.err):
					t.Errorf("error is %v; want %q in it", err, test.err)
				}
				test.node.Close()
			})
		})
	}
}

// A node with a device for one address has no second one.
func TestOneAddressOneDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openMemory(t)
		w.listen(t)
		_, err := w.server.Listen("tcp", "10.0.0.3:80")
		if err == nil || !strings.Contains(err.Error(), "Node.Device carries one address, and that is 10.0.0.1") {
			t.Errorf("error is %v", err)
		}
	})
}

// A group needs an address of its own.
func TestGroupOnKernelsAddress(t *testing.T) {
	n := &ftcp.Node{Secret: testSecret, Bind: "127.0.0.1", Logger: quiet}
	defer n.Close()
	_, err := n.Listen("tcp", "127.0.0.1:80")
	if err == nil || !strings.Contains(err.Error(), "the kernel of this machine owns 127.0.0.1") {
		t.Errorf("error is %v", err)
	}
}

// An address of no network is not listened on.
func TestNoNetwork(t *testing.T) {
	n := &ftcp.Node{Logger: quiet}
	defer n.Close()
	_, err := n.Listen("tcp", "[2001:db8::1]:80") // for documentation: RFC 3849
	if err == nil || !strings.Contains(err.Error(), "2001:db8::1 is not on the network of any interface") {
		t.Errorf("error is %v", err)
	}
}

// All methods work on a node that has not been used yet.
func TestZeroNode(t *testing.T) {
	var n ftcp.Node
	if s := n.Status(); s.Role != "starting" || s.Conns != 0 {
		t.Errorf("status is %+v", s)
	}
	if n.Changed() != nil {
		t.Error("it will tell of changes")
	}
	if err := n.Handover(context.Background()); !errors.Is(err, replication.ErrNoStandby) {
		t.Errorf("Handover: %v", err)
	}
	noError(t, n.Close())
	if s := n.Status(); s.Role != "closed" {
		t.Errorf("status is %+v", s)
	}
	if err := n.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	_, err := n.Listen("tcp", "127.0.0.1:0")
	opError{"listen", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, net.ErrClosed}.check(t, err)
	_, err = n.DialContext(context.Background(), "tcp", "127.0.0.1:1")
	opError{"dial", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, net.ErrClosed}.check(t, err)
}

// A node that stands alone is active while it lives, and its connections end with it.
func TestCloseNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openMemory(t)
		l := w.listen(t)
		c := w.dial(t, l)
		s := accept(t, l)
		n := w.server.(*ftcp.Node)
		if st := n.Status(); st.Role != "active" || st.Conns != 1 {
			t.Errorf("status is %+v", st)
		}
		accepting := blocked(func() error { _, err := l.Accept(); return err })
		reading := blocked(func() error { _, err := s.Read(make([]byte, 1)); return err })
		synctest.Wait()
		noError(t, n.Close())
		if err := <-accepting; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if err := <-reading; err == nil {
			t.Error("Read goes on")
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the client's Read goes on")
		}
	})
}

// While a node asks whether an address is free, it says what it does, its Dial does not
// outlast its context, and it can be closed.
func TestProbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openMemory(t)
		n := w.server.(*ftcp.Node)
		listening := blocked(func() error { _, err := n.Listen("tcp", "10.0.0.1:80"); return err })
		synctest.Wait()
		begin := time.Now()
		if s := n.Status(); s.Role != "active" {
			t.Errorf("status is %+v", s)
		}
		if n.Changed() != nil {
			t.Error("it will tell of changes")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if _, err := n.DialContext(ctx, "tcp", "10.0.0.9:80"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial: %v", err)
		}
		noError(t, n.Close())
		if d := time.Since(begin); d != time.Millisecond {
			t.Errorf("that took %v", d)
		}
		if err := <-listening; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Listen: %v", err)
		}
	})
}

// A node that cannot join its group says why, as often as it is asked.
func TestListenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &ftcptest.Network{}
		defer network.Close()
		failed := errors.New("no link today")
		n := &ftcp.Node{
			Secret: testSecret, Bind: "10.254.0.1", Device: network.Port("service"), Logger: quiet,
			Transport: brokenTransport{failed},
		}
		for range 2 {
			_, err := n.Listen("tcp", "10.0.0.1:80")
			opError{"listen", nil, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}, failed}.check(t, err)
		}
	})
}

type brokenTransport struct{ err error }

func (t brokenTransport) Listen(context.Context, string) (net.Listener, error) { return nil, t.err }
func (t brokenTransport) Dial(context.Context, string) (net.Conn, error)       { return nil, t.err }

// Who asks what a node does never waits for a Listen or Dial under way.
func TestStatusDoesNotWait(t *testing.T) {
	for name, call := range map[string]func(*ftcp.Node) error{
		"Listen": func(n *ftcp.Node) error { _, err := n.Listen("tcp", "10.0.0.1:80"); return err },
		"Dial":   func(n *ftcp.Node) error { _, err := n.DialContext(patient(t), "tcp", "10.0.0.9:80"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			network := &ftcptest.Network{}
			defer network.Close()
			dev := slowDevice{network.Port("service"), make(chan struct{}, 1), make(chan struct{})}
			failed := errors.New("no link today")
			n := &ftcp.Node{
				Secret: testSecret, Bind: "10.254.0.1", Device: dev, LocalAddr: netip.MustParseAddr("10.0.0.1"),
				Transport: brokenTransport{failed}, Logger: quiet,
			}
			calling := blocked(func() error { return call(n) })
			<-dev.asked
			asking := blocked(func() error {
				if s := n.Status(); s.Role != "starting" {
					t.Errorf("status is %+v", s)
				}
				if n.Changed() == nil {
					t.Error("it will tell of no changes")
				}
				return nil
			})
			select {
			case <-asking:
			case <-calling:
				t.Fatal("the device was not waited for")
			case <-patient(t).Done():
				t.Error("Status or Changed waits")
			}
			close(dev.told)
			if err := <-calling; !errors.Is(err, failed) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// A slowDevice says what it is when it has been told to.
type slowDevice struct {
	device.Device
	asked, told chan struct{}
}

func (d slowDevice) Features() device.Features {
	select {
	case d.asked <- struct{}{}:
	default:
	}
	<-d.told
	return d.Device.Features()
}

// The functions of the package are net's.
func TestPackageFunctions(t *testing.T) {
	if err := loopbackWorks(); err != nil {
		t.Skip(err)
	}
	l, err := ftcp.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := ftcp.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := accept(t, l)
	send(t, c, "hello")
	receive(t, s, "hello")
}
