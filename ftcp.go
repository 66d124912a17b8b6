// Package ftcp makes TCP connections that outlive the machine that serves them.
//
// It is a TCP stack in user space that keeps each connection, synchronously, in the
// memory of a second node, which takes over the same address and sequence numbers when
// the first one crashes, is unplugged, or is being upgraded. Clients are stock kernels;
// their connections go on after a short pause.
//
// A server changes net.Listen to ftcp.Listen:
//
//	l, err := ftcp.Listen("tcp", "10.0.0.5:7000")
//	if err != nil {
//		log.Fatal(err)
//	}
//	for {
//		c, err := l.Accept()
//		if err != nil {
//			log.Fatal(err)
//		}
//		go serve(c) // as with net
//	}
//
// and runs on two machines, with the environment telling each where the other is:
//
//	FTCP_GROUP=orders FTCP_SECRET=... FTCP_PEERS=10.0.0.11:7420,10.0.0.12:7420 server
//
// With nothing set it serves alone. A [Node] is the same with fields instead of
// variables.
//
// # What a server has to be
//
// In Mirror mode, the only one so far, the server runs on both nodes and its handlers
// read the same input on both. What a handler writes has to be a function of what it has
// read from its connection. Output leaves only when the other node's handler has produced
// it too. If the two differ, nothing inconsistent is sent: the connection goes on without
// protection, counted in Status. A server of package net/http has to leave out its Date
// header, w.Header()["Date"] = nil: two clocks differ.
//
// # Connections that are dialed
//
// On a node of a group, Dial is as complete as Listen. The program dials on both nodes.
// On the active one Dial opens the connection; on the standby it waits, and returns the
// same connection, which the program there reads and writes like the active node's,
// unseen. It fails as the active node's does.
//
// Which Dial belongs to which connection is decided by the order of the calls, for each
// pair of a local and a remote address on its own: a Dial on the standby takes the first
// of the active node's connections to the same remote address that no Dial has taken, or
// the error of one that failed. So the program has to dial the same remote addresses on
// both nodes, and those that it dials more than once in the same order, one after the
// other. A program that keeps one connection to each of its remote addresses, and dials
// again when it breaks, does that by itself.
//
//   - A Dial whose context ends on the standby returns the context's error there. If it
//     had a connection under way already, that one goes on without protection.
//   - When the standby takes over, a Dial that waits for a connection that the active
//     node has not begun begins it itself.
//   - A connection that nobody on the new active node has dialed yet waits for that, for
//     30 seconds. Then it is reset.
//   - A standby that joins later replays a connection that was dialed like any other, if
//     its program dials. A node that has been replaced has lost its connections; what its
//     program dials then is the new active node's.
//
// # Service addresses
//
// The address that a group serves belongs to ftcp, not to the kernel: it must not be
// configured on any interface. It has to be in the network of an interface. ftcp answers
// ARP and neighbour discovery for it. That needs CAP_NET_RAW, on Linux. Dial from it goes
// by way of the routers that the kernel has routes to by the same interface. An address
// that the kernel owns (127.0.0.1, the machine's own) can be listened on by a node that
// stands alone.
package ftcp

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/replication"
	"github.com/ftcp-project/ftcp/replication/arbiter"
	"github.com/ftcp-project/ftcp/replication/node"
	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/local"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

// Mode is how a server continues on another node.
type Mode int

// Mirror runs the handlers on every node, on the same input.
const Mirror Mode = 0

// DefaultPort is the port of the links between nodes.
const DefaultPort = "7420"

// A Node answers for service addresses, alone or as one of a group of which one is active
// at a time. The zero value stands alone. Fields must not be changed after the first call
// of a method. Methods may be called at the same time.
type Node struct {
	// Group names the group; all its nodes have the same. Empty is a name too.
	Group string

	// Secret is what the group's nodes know and nobody else: at least 16 bytes that
	// cannot be guessed, such as 32 random ones. A node with Peers or Bind needs it.
	Secret []byte

	// Peers are the addresses, host:port, on which the other nodes are reached. The port
	// is DefaultPort if left out. The node itself may be among them, so that all can have
	// the same list.
	Peers []string

	// Bind is the address, host:port, on which this node is reached by the others. Empty
	// means DefaultPort on all addresses, if there are Peers, and no group otherwise.
	Bind string

	// Mode is how servers continue on another node.
	Mode Mode

	// Interface is the network interface for service addresses. Empty: the one whose
	// network has the address.
	Interface string

	// OwnMAC answers for service addresses with the interface's own Ethernet address,
	// where the network forbids others. Otherwise nodes share an address that is derived
	// from Group and Secret, and a takeover changes nothing in the neighbours' tables.
	OwnMAC bool

	// Device, if not nil, carries the packets of the (one) service address. Package
	// ftcptest has such devices. Nil: a device of the operating system, which only Linux
	// has.
	Device device.Device

	// LocalAddr is the address that Dial uses. Zero: that of the first Listen if the node
	// has a Device or a group, and otherwise the kernel's choice.
	LocalAddr netip.Addr

	// Transport carries the links between nodes. Nil: the kernel's TCP.
	Transport peerlink.Transport

	// Heartbeat is the time between two signs of life on a link, and Misses is how many
	// of them in a row may be missing before the other node counts as dead. Zero: 50 ms
	// and 3.
	Heartbeat time.Duration
	Misses    int

	// MaxLag is for how long a connection may wait for the handler on the standby before
	// it goes on without protection. Zero: 5 s.
	MaxLag time.Duration

	// History is how many bytes of its input each connection keeps after they have been
	// read, for a standby that comes later and has to replay them. A connection that has
	// received more stays unprotected when a standby comes. Zero: 256 KiB; negative:
	// none.
	History int

	// Arbiter keeps the record of who serves, outside of the nodes. Nil: the nodes decide
	// by the pair's rule, whose limits are in the documentation of package
	// replication/reign.
	Arbiter arbiter.Arbiter

	// ClaimAfter is how long a node that knows of an earlier reign, and neither hears of
	// it nor has proof that it is over, waits before it serves anew. Zero: 10 s, and with
	// an Arbiter for ever.
	ClaimAfter time.Duration

	// NoWake leaves out the ICMP messages by which a peer is told at a takeover to
	// re-send at once what it has outstanding. One of them lowers its idea of the path's
	// MTU by 4 bytes for ten minutes.
	NoWake bool

	// ReceiveBuffer and SendBuffer are what a connection's buffers may grow to, in bytes,
	// as its path needs it: they bound what one connection gets through in a round trip.
	// Zero: 4 MiB. All nodes of a group need the same SendBuffer.
	ReceiveBuffer, SendBuffer int

	// Backlog is how many connections of a listener may wait for Accept, and how many
	// handshakes may be under way. Zero: 4096.
	Backlog int

	// Congestion makes the congestion controllers: tcp.NewCubic, tcp.NewReno, tcp.NewBBR
	// or one's own. Nil: tcp.NewCubic.
	Congestion func(mss int) tcp.Congestion

	// ECN makes Dial ask for Explicit Congestion Notification (RFC 3168). Listeners grant
	// it to those who ask, as Linux does.
	ECN bool

	// TrafficClass is the differentiated services field of what connections send, in its
	// upper six bits (RFC 2474; the lower two are ECN's, and ignored), from the first
	// segment on. Conn.SetTrafficClass changes it for one of them.
	TrafficClass uint8

	// Logger is told of changes of role and of what goes wrong. Nil: slog.Default.
	Logger *slog.Logger

	once sync.Once
	node *node.Node // made at the first call of a method
}

// Listen listens on a TCP address, as net.Listen does, with a node that is configured by
// the environment: FTCP_GROUP, FTCP_SECRET, FTCP_PEERS (separated by commas), FTCP_BIND,
// FTCP_INTERFACE, FTCP_MODE ("mirror"), FTCP_HISTORY (bytes) and FTCP_CONGESTION
// ("cubic", "reno" or "bbr") set the fields of the same names. With neither FTCP_PEERS
// nor FTCP_BIND set, the node stands alone.
func Listen(network, address string) (net.Listener, error) {
	n, err := defaultNode()
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	return n.Listen(network, address)
}

// Dial connects to a TCP address, as net.Dial does, with the node that [Listen] uses.
func Dial(network, address string) (net.Conn, error) {
	n, err := defaultNode()
	if err != nil {
		return nil, dialError(network, nil, nil, err)
	}
	return n.DialContext(context.Background(), network, address)
}

var defaultNode = sync.OnceValues(func() (*Node, error) { return fromEnvironment(os.Getenv) })

func fromEnvironment(getenv func(string) string) (*Node, error) {
	e, err := node.FromEnvironment(getenv)
	if err != nil {
		return nil, err
	}
	return &Node{
		Group: e.Group, Secret: e.Secret, Peers: e.Peers, Bind: e.Bind,
		Interface: e.Interface, History: e.History, Congestion: e.Congestion,
	}, nil
}

// inner is the node that does the work.
func (n *Node) inner() *node.Node {
	n.once.Do(func() { n.node = node.New(n.config()) })
	return n.node
}

// config is what the fields say.
func (n *Node) config() node.Config {
	return node.Config{
		Stack: stack.Config{
			ReceiveBuffer: n.ReceiveBuffer, SendBuffer: n.SendBuffer, Backlog: n.Backlog,
			Congestion: n.Congestion, ECN: n.ECN, TrafficClass: n.TrafficClass,
			Logger: n.Logger,
		},
		Local: local.Config{Device: n.Device, Interface: n.Interface},
		Group: replication.Config{
			Group: n.Group, Bind: n.Bind, Peers: n.Peers, Transport: n.Transport,
			Heartbeat: n.Heartbeat, Misses: n.Misses, MaxLag: n.MaxLag, History: n.History,
			Arbiter: n.Arbiter, ClaimAfter: n.ClaimAfter, NoWake: n.NoWake, Logger: n.Logger,
		},
		Secret: n.Secret, Port: DefaultPort, Mode: int(n.Mode), OwnMAC: n.OwnMAC,
		From: n.LocalAddr,
	}
}

// Listen listens on a TCP address, as net.Listen does. The first Listen of a node of a
// group returns when the node's role is clear: it serves, or is a standby, whose listener
// yields the replicas of the active node's connections. It may take seconds if a peer
// does not answer.
//
// As with net.Listen, a host that is empty or unspecified means all of the machine's
// addresses, and of those that a name resolves to, one is used. A node of a group needs
// an IP that no kernel owns, in the network of an interface, and a port. Errors are
// *net.OpError.
//
// A node that could not join its group is closed; every further call returns the same
// error.
func (n *Node) Listen(network, address string) (net.Listener, error) {
	addr, err := local.ListenAddr(network, address)
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	l, err := n.inner().Listen(addr)
	if err != nil {
		return nil, listenError(network, net.TCPAddrFromAddrPort(addr), err)
	}
	return &Listener{l: l, network: network}, nil
}

// DialContext connects to a TCP address, as net.Dialer.DialContext does. Of the addresses
// that a name resolves to it tries one after the other. Errors are *net.OpError.
//
// On a node of a group the connection is protected; on a standby, DialContext returns the
// connection that the active node's program has dialed, see the package's documentation.
// A node of a group that has not listened is started by the first Dial, from its
// LocalAddr; one that will listen, too, should do so before.
func (n *Node) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	addrs, err := local.DialAddrs(ctx, network, address)
	if err != nil {
		return nil, dialError(network, nil, nil, err)
	}
	var first error
	for _, remote := range addrs {
		c, err := n.inner().Dial(ctx, remote)
		if err == nil {
			return newConn(c, network), nil
		}
		if first == nil {
			first = dialError(network, n.source(), net.TCPAddrFromAddrPort(remote), err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// source is what errors of DialContext name: nil unless the user has chosen an address.
func (n *Node) source() net.Addr {
	if !n.LocalAddr.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.LocalAddr, 0))
}

// Handover makes the standby the active node and this node its standby. It waits until
// all connections are protected that can be. It fails if no standby is in sync. If there
// are connections that the standby does not have, they are lost, and the error is a
// *[LostError] that says how many and why. It returns when this node has joined the other,
// or has tried for a second. If the standby is lost before it has taken over, this node
// serves on, and Handover fails.
func (n *Node) Handover(ctx context.Context) error { return n.inner().Handover(ctx, false) }

// HandoverAll is Handover, but changes nothing if a connection would be lost. The error is
// a *[LostError] then, too.
func (n *Node) HandoverAll(ctx context.Context) error { return n.inner().Handover(ctx, true) }

// Errors of a handover: there is no standby that could take over, or it was lost before it
// had, and this node serves on.
var (
	ErrNoStandby = replication.ErrNoStandby
	ErrNotTaken  = replication.ErrNotTaken
)

// LostError says which connections a handover loses.
type LostError = replication.LostError

// Status describes a node.
type Status = replication.Status

// Status returns the node's role, its standby, and how many of its connections are
// protected. A node that stands alone is active, in epoch 0; one that has been closed is
// "closed".
func (n *Node) Status() Status { return n.inner().Status() }

// Changed returns a channel that is closed when the node's role or epoch has changed; nil
// before the first Listen and for a node that stands alone.
func (n *Node) Changed() <-chan struct{} { return n.inner().Changed() }

// Close ends the node. If it is active and has a standby, that one goes on with its
// connections; otherwise their peers see them reset.
func (n *Node) Close() error { return n.inner().Close() }
