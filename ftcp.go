// Package ftcp makes TCP connections that outlive the machine that serves them.
//
// It is a TCP stack in user space that keeps each connection, synchronously, in the memory of a
// second node, which takes over the same address and sequence numbers when the
// first one crashes, is unplugged, or is being upgraded. Clients are stock
// kernels; their connections go on after a short pause.
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
// With nothing set it serves alone. A [Node] is the same with fields instead of variables.
//
// # What a server has to be
//
// In Mirror mode, the only one so far, the server runs on both nodes and its handlers
// read the same input on both. What a handler writes has to be a function of what it has read from its
// connection. Output leaves only when the other node's handler has produced it too. If the
// two differ, nothing inconsistent is sent: the connection goes on without
// protection, counted in Status. A server of package net/http has to leave out its Date
// header, w.Header()["Date"] = nil: two clocks differ.
//
// # Connections that are dialed
//
// On a node of a group, Dial is as complete as Listen. The program dials on both nodes. On the
// active one Dial opens the connection; on the standby it waits, and returns the same connection, which the program there
// reads and writes like the active node's, unseen. It fails as the active node's does.
//
// Which Dial belongs to which connection is decided by the order of the calls, for each pair of
// a local and a remote address on its own: a Dial on the standby takes the first of the active node's connections to the same
// remote address that no Dial has taken, or the error of one that failed. So the program has to dial the same remote addresses on
// both nodes, and those that it dials more than once in the same order, one after the other. A program that keeps one
// connection to each of its remote addresses, and dials again when it breaks, does that by itself.
//
//   - A Dial whose context ends on the standby returns the context's error there. If it had a connection under way
//     already, that one goes on without protection.
//   - When the standby takes over, a Dial that waits for a connection that the active node has not begun begins it itself.
//   - A connection that nobody on the new active node has dialed yet waits for that, for 30 seconds. Then it is reset.
//   - A standby that joins later replays a connection that was dialed like any other, if its program dials.
//     A node that has been replaced has lost its connections; what its program dials then is the new active node's.
//
// # Service addresses
//
// The address that a group serves belongs to ftcp, not to the kernel: it must not be configured on any
// interface. It has to be in the network of an interface. ftcp answers ARP and neighbour
// discovery for it. That needs CAP_NET_RAW, on Linux. Dial from it goes by way of the routers that the kernel has
// routes to by the same interface. An address that the kernel owns (127.0.0.1, the machine's own)
// can be listened on by a node that stands alone.
package ftcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ftcp-project/ftcp/replication"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// Mode is how a server continues on another node.
type Mode int

// Mirror runs the handlers on every node, on the same input.
const Mirror Mode = 0

// DefaultPort is the port of the links between nodes.
const DefaultPort = "7420"

// A Node answers for service addresses, alone or as one of a group of which one is
// active at a time. The zero value stands alone. Fields must not be changed after the first call of a
// method. Methods may be called at the same time.
type Node struct {
	// Group names the group; all its nodes have the same. Empty is a name too.
	Group string

	// Secret is what the group's nodes know and nobody else: at least 16 bytes that cannot be
	// guessed, such as 32 random ones. A node with Peers or Bind needs it.
	Secret []byte

	// Peers are the addresses, host:port, on which the other nodes are reached. The port is
	// DefaultPort if left out. The node itself may be among them, so that all can have the same list.
	Peers []string

	// Bind is the address, host:port, on which this node is reached by the others. Empty
	// means DefaultPort on all addresses, if there are Peers, and no group otherwise.
	Bind string

	// Mode is how servers continue on another node.
	Mode Mode

	// Interface is the network interface for service addresses. Empty: the one
	// whose network has the address.
	Interface string

	// OwnMAC answers for service addresses with the interface's own Ethernet address,
	// where the network forbids others. Otherwise nodes share an address that is derived from Group and Secret, and
	// a takeover changes nothing in the neighbours' tables.
	OwnMAC bool

	// Device, if not nil, carries the packets of the (one) service address. Package
	// ftcptest has such devices. Nil: a device of the operating system, which
	// only Linux has.
	Device device.Device

	// LocalAddr is the address that Dial uses. Zero: that of the first Listen if the node has
	// a Device or a group, and otherwise the kernel's choice.
	LocalAddr netip.Addr

	// Transport carries the links between nodes. Nil: the kernel's TCP.
	Transport replication.Transport

	// Heartbeat is the time between two signs of life on a link, and Misses is
	// how many of them in a row may be missing before the other node counts as dead. Zero: 50 ms and 3.
	Heartbeat time.Duration
	Misses    int

	// MaxLag is for how long a connection may wait for the handler on the standby
	// before it goes on without protection. Zero: 5 s.
	MaxLag time.Duration

	// History is how many bytes of its input each connection keeps after they have been
	// read, for a standby that comes later and has to replay them. A connection
	// that has received more stays unprotected when a standby comes. Zero: 256 KiB; negative: none.
	History int

	// NoWake leaves out the ICMP messages by which a peer is told at a takeover to
	// re-send at once what it has outstanding. One of them lowers its idea of the path's MTU by 4 bytes for ten minutes.
	NoWake bool

	// ReceiveBuffer and SendBuffer are what a connection's buffers may grow to, in bytes, as its path needs it:
	// they bound what one connection gets through in a round trip. Zero: 4 MiB. All nodes of a
	// group need the same SendBuffer.
	ReceiveBuffer, SendBuffer int

	// Backlog is how many connections of a listener may wait for Accept, and how many handshakes may
	// be under way. Zero: 4096.
	Backlog int

	// Congestion makes the congestion controllers: tcp.NewCubic, tcp.NewReno, tcp.NewBBR or one's own. Nil: tcp.NewCubic.
	Congestion func(mss int) tcp.Congestion

	// ECN makes Dial ask for Explicit Congestion Notification (RFC 3168). Listeners grant it to those who ask, as Linux does.
	ECN bool

	// TrafficClass is the differentiated services field of what connections send, in its upper six bits (RFC 2474; the
	// lower two are ECN's, and ignored), from the first segment on. Conn.SetTrafficClass changes it for one of them.
	TrafficClass uint8

	// Logger is told of changes of role and of what goes wrong. Nil: slog.Default.
	Logger *slog.Logger

	listening sync.Mutex // one Listen at a time; taken before mu

	mu     sync.Mutex // guards what follows
	stack  *stack.Stack
	keys   *replication.Keys
	group  *replication.Group
	links  map[netip.Addr]*stack.Link // by service address; the zero Addr is the local device's
	first  *stack.Link                // of the first Listen
	ports  *device.Ports              // of the local device
	closed bool
	failed error // why the node closed itself
}

// Listen listens on a TCP address, as net.Listen does, with a node that is
// configured by the environment: FTCP_GROUP, FTCP_SECRET, FTCP_PEERS (separated by
// commas), FTCP_BIND, FTCP_INTERFACE, FTCP_MODE ("mirror"), FTCP_HISTORY (bytes) and FTCP_CONGESTION ("cubic", "reno" or
// "bbr") set the fields of the same names. With neither FTCP_PEERS nor FTCP_BIND set, the node stands alone.
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
	n := &Node{
		Group:     getenv("FTCP_GROUP"),
		Secret:    []byte(getenv("FTCP_SECRET")),
		Bind:      getenv("FTCP_BIND"),
		Interface: getenv("FTCP_INTERFACE"),
	}
	for _, p := range strings.Split(getenv("FTCP_PEERS"), ",") {
		if p = strings.TrimSpace(p); p != "" {
			n.Peers = append(n.Peers, p)
		}
	}
	if m := getenv("FTCP_MODE"); m != "" && m != "mirror" {
		return nil, fmt.Errorf("ftcp: FTCP_MODE is %q; the only mode is mirror", m)
	}
	if h := getenv("FTCP_HISTORY"); h != "" {
		v, err := strconv.Atoi(h)
		if err != nil {
			return nil, fmt.Errorf("ftcp: FTCP_HISTORY is %q, not a number of bytes", h)
		}
		n.History = v
	}
	switch c := getenv("FTCP_CONGESTION"); c {
	case "":
	case "cubic":
		n.Congestion = tcp.NewCubic
	case "reno":
		n.Congestion = tcp.NewReno
	case "bbr":
		n.Congestion = tcp.NewBBR
	default:
		return nil, fmt.Errorf("ftcp: FTCP_CONGESTION is %q; there are cubic, reno and bbr", c)
	}
	return n, nil
}

// grouped says that the node is, or can become, one of several.
func (n *Node) grouped() bool { return len(n.Peers) > 0 || n.Bind != "" }

// init checks the fields and makes the stack; mu is held.
func (n *Node) init() error {
	switch {
	case n.failed != nil:
		return n.failed
	case n.closed:
		return net.ErrClosed
	case n.stack != nil:
		return nil
	case !utf8.ValidString(n.Group) || len(n.Group) > maxGroup:
		return fmt.Errorf("ftcp: Node.Group must be text of at most %d bytes", maxGroup)
	case n.Mode != Mirror:
		return fmt.Errorf("ftcp: Node.Mode %d does not exist", n.Mode)
	case n.Heartbeat < 0 || n.Misses < 0 || n.MaxLag < 0:
		return errors.New("ftcp: Node.Heartbeat, Misses and MaxLag must not be negative")
	case n.Heartbeat > maxHeartbeat || n.Misses > maxMisses:
		return fmt.Errorf("ftcp: Node.Heartbeat must be at most %v, and Misses %d", maxHeartbeat, maxMisses)
	case n.ReceiveBuffer < 0 || n.ReceiveBuffer > 1<<30 || n.SendBuffer < 0 || n.SendBuffer > 1<<30:
		return errors.New("ftcp: Node.ReceiveBuffer and SendBuffer must be from 0 to 1 GiB")
	case n.Backlog < 0:
		return errors.New("ftcp: Node.Backlog must not be negative")
	case n.History > 1<<30:
		return errors.New("ftcp: Node.History must be at most 1 GiB")
	case n.LocalAddr.IsValid() && (n.LocalAddr.IsUnspecified() || !unicast(n.LocalAddr)):
		return fmt.Errorf("ftcp: Node.LocalAddr is %s, which is no station's address", n.LocalAddr)
	case n.Congestion != nil && n.Congestion(1000) == nil:
		return errors.New("ftcp: Node.Congestion returns nil")
	case !n.grouped() && len(n.Secret) > 0:
		return errors.New("ftcp: a Node with a Secret needs Peers or Bind")
	}
	cfg := stack.Config{
		ReceiveBuffer: n.ReceiveBuffer, SendBuffer: n.SendBuffer, Backlog: n.Backlog,
		Congestion: n.Congestion, ECN: n.ECN, TrafficClass: n.TrafficClass, Logger: n.Logger, PortFree: n.portFree,
	}
	if !n.grouped() {
		n.stack = stack.New(cfg)
		return nil
	}
	keys, err := replication.DeriveKeys(n.Group, n.Secret)
	if err != nil {
		return err
	}
	peers := make([]string, len(n.Peers))
	for i, p := range n.Peers {
		if peers[i], err = withPort(p); err == nil && strings.HasPrefix(peers[i], ":") {
			err = &net.AddrError{Err: "missing host in address", Addr: p}
		}
		if err != nil {
			return fmt.Errorf("ftcp: Node.Peers: %w", err)
		}
	}
	bind, err := withPort(n.Bind)
	if err != nil {
		return fmt.Errorf("ftcp: Node.Bind: %w", err)
	}
	n.keys = keys
	cfg.Key, cfg.Digest = keys.ISN(), true
	n.stack = stack.New(cfg)
	n.group = replication.New(replication.Config{
		Group: n.Group, Keys: keys, Bind: bind, Peers: peers, Transport: n.Transport,
		Heartbeat: n.Heartbeat, Misses: n.Misses, MaxLag: n.MaxLag, History: n.History,
		NoWake: n.NoWake, Logger: n.Logger,
	}, n.stack)
	return nil
}

// Limits beyond which a value can only be a mistake.
const (
	maxGroup     = 255
	maxHeartbeat = time.Minute
	maxMisses    = 1000
)

// withPort adds DefaultPort to an address that has no port.
func withPort(address string) (string, error) {
	if address == "" {
		return ":" + DefaultPort, nil
	}
	if ip, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil {
		return net.JoinHostPort(ip.String(), DefaultPort), nil
	}
	if !strings.Contains(address, ":") {
		return net.JoinHostPort(address, DefaultPort), nil
	}
	_, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if service == "" {
		return address + DefaultPort, nil
	}
	if p, err := net.LookupPort("tcp", service); err != nil {
		return "", err
	} else if p == 0 {
		return "", &net.AddrError{Err: "no port that others could know in address", Addr: address}
	}
	return address, nil
}

// Listen listens on a TCP address, as net.Listen does. The first Listen of a node of a group returns when
// the node's role is clear: it serves, or is a standby, whose listener yields
// the replicas of the active node's connections. It may take seconds if a peer does not answer.
//
// As with net.Listen, a host that is empty or unspecified means all of the machine's addresses, and of
// those that a name resolves to, one is used. A node of a group
// needs an IP that no kernel owns, in the network of an interface, and a port. Errors are *net.OpError.
//
// A node that could not join its group is closed; every further call returns the same error.
func (n *Node) Listen(network, address string) (net.Listener, error) {
	addr, err := listenAddr(network, address)
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	n.listening.Lock()
	defer n.listening.Unlock()
	l, err := n.listen(addr)
	if err == nil {
		err = n.join() // the listener is there before the node serves: nobody shall be refused
	}
	if err != nil {
		return nil, listenError(network, net.TCPAddrFromAddrPort(addr), err)
	}
	return &Listener{l: l, network: network}, nil
}

// join starts the group, if there is one and it has not been started. listening is held, and not mu.
func (n *Node) join() error {
	if n.group == nil || n.group.Started() {
		return nil
	}
	err := n.group.Start(context.Background())
	if err != nil {
		n.close(err) // it would not find its role later either
	}
	return err
}

func (n *Node) listen(addr netip.AddrPort) (*stack.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.init(); err != nil {
		return nil, err
	}
	switch {
	case !unicast(addr.Addr()):
		return nil, errno.AddrNotAvail
	case n.grouped() && addr.Port() == 0:
		return nil, errors.New("ftcp: a node of a group has to listen on a port that all nodes know, not 0")
	case n.grouped() && addr.Addr().IsUnspecified():
		return nil, errors.New("ftcp: a node of a group has to listen on a service address, not on all addresses")
	case n.Device != nil && addr.Addr().IsUnspecified():
		return nil, errors.New("ftcp: a node with a Device has to listen on the one address that it carries, not on all addresses")
	}
	link, err := n.link(addr.Addr(), probeFirst)
	if err != nil {
		return nil, err
	}
	if n.first == nil {
		n.first = link
	}
	if link == n.links[netip.Addr{}] {
		if addr, err = n.ports.Hold(addr); err != nil {
			return nil, err
		}
		defer n.ports.Done(addr.Port())
	}
	addr = netip.AddrPortFrom(addr.Addr().WithZone(""), addr.Port()) // packets have none
	var l *stack.Listener
	if addr.Port() != 0 {
		l, err = n.stack.Listen(addr)
	}
	for tries := 0; addr.Port() == 0; tries++ {
		free := netip.AddrPortFrom(addr.Addr(), uint16(32768+rand.IntN(28232)))
		if l, err = n.stack.Listen(free); err == nil || tries == 100 {
			addr = free
		}
	}
	return l, err
}

// probeFirst is for how long a node that stands alone asks whether an address is free before it serves
// there. A group asks by itself.
const probeFirst = 100 * time.Millisecond

// link returns the link for a local address, which it makes if there is none yet.
func (n *Node) link(addr netip.Addr, probe time.Duration) (*stack.Link, error) {
	if l := n.links[addr]; l != nil {
		return l, nil
	}
	if n.grouped() {
		probe = 0
	}
	if n.Device != nil {
		if len(n.links) > 0 {
			return nil, fmt.Errorf("ftcp: Node.Device carries one address, and that is %s", n.first.Addr())
		}
		return n.addLink(addr, n.Device, stack.LinkConfig{Addr: addr.WithZone(""), MAC: n.mac(addr), Probe: probe})
	}
	owned := addr.IsUnspecified() || addr.IsLoopback()
	if !owned {
		var err error
		if owned, err = device.KernelOwns(addr); err != nil {
			return nil, err
		}
	}
	if owned && n.grouped() {
		return nil, fmt.Errorf("ftcp: the kernel of this machine owns %s; a group needs a service address that is on no interface", addr)
	}
	if owned {
		return n.localLink()
	}
	name, prefix, err := device.InterfaceFor(addr)
	if err != nil && n.Interface == "" {
		return nil, err
	}
	if n.Interface != "" {
		name = n.Interface
	}
	dev, err := device.OpenPacket(device.PacketConfig{Interface: name, Addr: addr, MAC: n.mac(addr)})
	if err != nil {
		return nil, err
	}
	return n.addLink(addr, dev, stack.LinkConfig{
		Addr: addr.WithZone(""), MAC: n.mac(addr), Prefix: prefix.Masked(), Probe: probe,
		NextHop: func(dst netip.Addr) (netip.Addr, error) { return device.NextHop(name, dst) },
	})
}

// localLink is the link for addresses that the kernel owns.
func (n *Node) localLink() (*stack.Link, error) {
	if l := n.links[netip.Addr{}]; l != nil {
		return l, nil
	}
	dev, err := device.OpenLocal()
	if err != nil {
		return nil, err
	}
	n.ports = device.NewPorts(dev, n.stack.PortUsed)
	return n.addLink(netip.Addr{}, dev, stack.LinkConfig{})
}

func (n *Node) addLink(addr netip.Addr, dev device.Device, cfg stack.LinkConfig) (*stack.Link, error) {
	l, err := n.stack.AddLink(dev, cfg)
	if err != nil {
		dev.Close()
		return nil, err
	}
	if n.links == nil {
		n.links = map[netip.Addr]*stack.Link{}
	}
	n.links[addr] = l
	return l, nil
}

// mac is the Ethernet address that goes with a service address; zero: the device's own.
func (n *Node) mac(addr netip.Addr) wire.MAC {
	if n.keys == nil || n.OwnMAC {
		return wire.MAC{}
	}
	return n.keys.MAC(addr)
}

// portFree is called by the stack when it does not use a port any more.
func (n *Node) portFree(number uint16) {
	n.mu.Lock()
	ports := n.ports
	n.mu.Unlock()
	if ports != nil {
		ports.Free(number)
	}
}

// DialContext connects to a TCP address, as net.Dialer.DialContext does. Of the addresses that a
// name resolves to it tries one after the other. Errors are *net.OpError.
//
// On a node of a group the connection is protected; on a standby, DialContext returns the connection that the active
// node's program has dialed, see the package's documentation. A node of a group that has not
// listened is started by the first Dial, from its LocalAddr; one that will listen, too, should do so before.
func (n *Node) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address == "" {
		return nil, dialError(network, nil, nil, errors.New("missing address"))
	}
	addrs, err := resolve(ctx, network, address)
	if err != nil {
		return nil, dialError(network, nil, nil, err)
	}
	var first error
	for _, remote := range addrs {
		if remote.Addr().IsUnspecified() {
			// As in package net: the local system.
			ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
			if network == "tcp6" {
				ip = netip.IPv6Loopback()
			}
			remote = netip.AddrPortFrom(ip, remote.Port())
		}
		c, err := n.dial(ctx, remote)
		if err == nil {
			return newConn(c, network), nil
		}
		if first == nil {
			var source net.Addr
			if n.LocalAddr.IsValid() {
				source = net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.LocalAddr, 0))
			}
			first = dialError(network, source, net.TCPAddrFromAddrPort(remote), err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

func (n *Node) dial(ctx context.Context, remote netip.AddrPort) (*stack.Conn, error) {
	link, local, err := n.dialFrom(remote)
	if err != nil {
		return nil, err
	}
	if local.Port() != 0 {
		defer n.ports.Done(local.Port())
	}
	if err := n.joinFor(ctx); err != nil {
		return nil, err
	}
	return n.stack.Dial(ctx, link, local, remote)
}

// joinFor is join for a Dial, which waits no longer than ctx. The node goes on joining.
func (n *Node) joinFor(ctx context.Context) error {
	if n.group == nil || n.group.Started() {
		return nil
	}
	joined := make(chan error, 1)
	go func() {
		n.listening.Lock()
		defer n.listening.Unlock()
		joined <- n.join()
	}()
	select {
	case err := <-joined:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dialFrom chooses the link and the local address of a connection to remote. If the
// address has a port, that is held until Done.
func (n *Node) dialFrom(remote netip.AddrPort) (link *stack.Link, local netip.AddrPort, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.init(); err != nil {
		return nil, local, err
	}
	ip := n.LocalAddr.Unmap()
	if !ip.IsValid() && (n.Device != nil || n.grouped()) {
		if n.first == nil {
			return nil, local, errors.New("ftcp: Dial needs Node.LocalAddr, or a Listen before it")
		}
		ip = n.first.Addr()
	}
	if !ip.IsValid() {
		if ip, err = device.SourceFor(remote); err != nil {
			return nil, local, err
		}
	}
	if ip.Is4() != remote.Addr().Is4() {
		return nil, local, &net.AddrError{Err: "no address of this node is of the same IP version as", Addr: remote.Addr().String()}
	}
	if link, err = n.link(ip, 0); err != nil {
		return nil, local, err
	}
	if n.first == nil {
		n.first = link
	}
	local = netip.AddrPortFrom(ip.WithZone(""), 0)
	if link == n.links[netip.Addr{}] {
		local, err = n.ports.Hold(local)
	}
	return link, local, err
}

// Handover makes the standby the active node and this node its standby, without
// the loss of a connection. It fails if no standby is in sync.
func (n *Node) Handover(ctx context.Context) error {
	n.mu.Lock()
	g := n.group
	n.mu.Unlock()
	if g == nil {
		return replication.ErrNoStandby
	}
	return g.Handover(ctx)
}

// Status describes a node.
type Status = replication.Status

// Status returns the node's role, its standby, and how many of its connections are protected. A
// node that stands alone is active, in epoch 0; one that has been closed is "closed".
func (n *Node) Status() Status {
	n.mu.Lock()
	s, g, closed := n.stack, n.group, n.closed
	n.mu.Unlock()
	switch {
	case closed:
		return Status{Role: "closed"}
	case g != nil:
		return g.Status()
	case s != nil:
		return Status{Role: "active", Conns: len(s.Conns())}
	}
	return Status{Role: "starting"}
}

// Changed returns a channel that is closed when the node's role or epoch has changed; nil before the first
// Listen and for a node that stands alone.
func (n *Node) Changed() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.group == nil {
		return nil
	}
	return n.group.Changed()
}

// Close ends the node. If it is active and has a standby, that one goes on with its connections; otherwise
// their peers see them reset.
func (n *Node) Close() error { return n.close(nil) }

// close closes the node, which failed if there is a reason why.
func (n *Node) close(why error) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return net.ErrClosed
	}
	n.closed, n.failed = true, why
	n.mu.Unlock() // to leave a group takes time, in which the other methods shall fail and not wait
	if n.group != nil && n.group.Started() {
		n.group.Close()
	}
	if n.stack == nil {
		return nil
	}
	err := n.stack.Close()
	if n.ports != nil {
		n.ports.Close()
	}
	return err
}

// unicast says that ip may be a single station's. Whether the unspecified address
// is any good depends on what for.
func unicast(ip netip.Addr) bool {
	return !ip.IsMulticast() && ip.Unmap() != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// listenAddr turns what net.Listen takes into an address.
func listenAddr(network, address string) (netip.AddrPort, error) {
	addrs, err := resolve(context.Background(), network, address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr := addrs[0]
	for _, a := range addrs {
		if a.Addr().Is4() {
			addr = a
			break
		}
	}
	if addr.Addr().IsUnspecified() && network == "tcp" {
		// As in package net: tcp4 is for those who want no more than IPv4.
		addr = netip.AddrPortFrom(netip.IPv6Unspecified(), addr.Port())
	}
	return addr, nil
}

// resolve turns what package net takes into addresses, of which there is at least one.
func resolve(ctx context.Context, network, address string) ([]netip.AddrPort, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, net.UnknownNetworkError(network)
	}
	var host, service string
	var err error
	if address != "" {
		if host, service, err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
	}
	number, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return nil, err
	}
	ips := []netip.Addr{netip.IPv6Unspecified()}
	switch {
	case host != "":
		if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip"+network[len("tcp"):], host); err != nil {
			return nil, err
		}
	case network == "tcp4":
		ips[0] = netip.IPv4Unspecified()
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip.Unmap(), uint16(number))
	}
	return addrs, nil
}
