package ftcptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/ftcp-project/ftcp"
)

// Machine is a computer with two network ports, one for the service and one for the links
// to other nodes, that runs one server process at a time.
type Machine struct {
	Name    string
	Service *Port // carries the service address
	Links   *Port // carries the replication links

	cluster *Cluster
	addr    netip.Addr // of the links' port
	kernel  *ftcp.Node // stands for the machine's own TCP, which carries the links
	serving sync.WaitGroup

	mu      sync.Mutex
	cutOff  bool                 // by Unplug
	node    *ftcp.Node           // nil: no process runs
	sockets map[aborter]struct{} // of the process, in the kernel
}

// aborter is what a process's kernel closes when the process dies.
type aborter interface{ abort() }

func (c *Cluster) newMachine(name string, i int) *Machine {
	m := &Machine{Name: name, cluster: c, sockets: map[aborter]struct{}{}}
	m.addr = netip.AddrFrom4([4]byte{10, 254, byte(i >> 8), byte(i)})
	m.Links = c.Network.Port(name + " links")
	m.kernel = &ftcp.Node{Device: m.Links, LocalAddr: m.addr, Logger: c.Logger}
	return m
}

// Start starts the server process: a new Node, the cluster's Serve with its listener, and its Run. It returns when the
// node's role is clear.
func (m *Machine) Start() error {
	c := m.cluster
	m.mu.Lock()
	if m.node != nil {
		m.mu.Unlock()
		return fmt.Errorf("ftcptest: %s runs already", m.Name)
	}
	m.Service = c.Network.Port(m.Name)
	if m.cutOff {
		m.Service.Unplug()
	}
	n := &ftcp.Node{
		Group:     "ftcptest",
		Secret:    []byte("a secret that is known to all tests"),
		Bind:      netip.AddrPortFrom(m.addr, 7420).String(),
		Device:    m.Service,
		Transport: transport{m},
		Logger:    c.Logger,
	}
	for _, peer := range c.machines {
		if peer != m {
			n.Peers = append(n.Peers, peer.addr.String())
		}
	}
	if c.Configure != nil {
		c.Configure(n)
	}
	m.node = n
	m.mu.Unlock()

	l, err := n.Listen("tcp", c.Address)
	if err != nil {
		n.Close()
		m.mu.Lock()
		m.node = nil
		m.mu.Unlock()
		return fmt.Errorf("ftcptest: %s: %w", m.Name, err)
	}
	m.serving.Go(func() {
		c.Serve(l)
		l.Close()
	})
	if c.Run != nil {
		m.serving.Go(func() { c.Run(n) })
	}
	return nil
}

// Node returns the node of the process that runs; nil if none does.
func (m *Machine) Node() *ftcp.Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node
}

// Kill ends the process at once, as SIGKILL does: it sends nothing more, and the kernel
// resets its links. The machine can Start another.
func (m *Machine) Kill() {
	m.mu.Lock()
	n := m.node
	m.node = nil
	sockets := m.sockets
	m.sockets = map[aborter]struct{}{}
	m.mu.Unlock()
	if n == nil {
		return
	}
	m.Service.Unplug()
	for s := range sockets {
		s.abort()
	}
	// What is left of the process is a matter of this one. It can reach nobody any more.
	m.serving.Go(func() { n.Close() })
}

// Shutdown ends the process in order: the standby, if there is one, goes on.
func (m *Machine) Shutdown() {
	m.mu.Lock()
	n := m.node
	m.node = nil
	m.mu.Unlock()
	if n != nil {
		n.Close()
	}
}

// Unplug pulls both of the machine's cables: nothing goes in or out.
func (m *Machine) Unplug() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cutOff = true
	m.Service.Unplug()
	m.Links.Unplug()
}

// Plug puts both cables back.
func (m *Machine) Plug() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cutOff = false
	m.Links.Plug()
	if m.node != nil { // else the port is that of a process that was killed
		m.Service.Plug()
	}
}

// Pause stops the machine's network, as if the whole machine were stopped: what it
// sends and what is sent to it waits for Resume. Its clocks go on.
func (m *Machine) Pause() {
	m.Service.Pause()
	m.Links.Pause()
}

// Resume ends Pause.
func (m *Machine) Resume() {
	m.Service.Resume()
	m.Links.Resume()
}

// close ends the machine.
func (m *Machine) close() {
	m.Kill()
	m.kernel.Close()
	m.serving.Wait()
}

// transport carries a process's links over its machine's kernel.
type transport struct{ m *Machine }

func (t transport) Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := t.m.kernel.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &processListener{l, t.m}
	return s, t.m.opened(s)
}

func (t transport) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := t.m.kernel.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	s := newProcessConn(c, t.m)
	return s, t.m.opened(s)
}

// opened takes note of a socket. A process that has been killed gets no more.
func (m *Machine) opened(s aborter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.node == nil {
		s.abort()
		return errKilled
	}
	m.sockets[s] = struct{}{}
	return nil
}

func (m *Machine) closed(s aborter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sockets, s)
}

var errKilled = errors.New("ftcptest: the process was killed")

// processListener is a listening socket of a process.
type processListener struct {
	net.Listener
	m *Machine
}

func (l *processListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := newProcessConn(c, l.m)
	return s, l.m.opened(s)
}

func (l *processListener) Close() error {
	l.m.closed(l)
	return l.Listener.Close()
}

func (l *processListener) abort() { l.Listener.Close() }

// processConn is a connected socket of a process.
type processConn struct {
	*ftcp.Conn
	m *Machine
}

// newProcessConn bounds what the kernel takes that cannot leave yet, as the transport of real nodes
// does: signs of life wait behind it.
func newProcessConn(c net.Conn, m *Machine) *processConn {
	c.(*ftcp.Conn).SetWriteBuffer(256 << 10)
	return &processConn{c.(*ftcp.Conn), m}
}

func (c *processConn) Close() error {
	c.m.closed(c)
	return c.Conn.Close()
}

func (c *processConn) abort() {
	c.SetLinger(0)
	c.Conn.Close()
}
