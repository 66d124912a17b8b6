package node

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"github.com/ftcp-project/ftcp/replication"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/local"
)

// A Node is a stack with its links, and a group if there is one. Its methods may be
// called at the same time.
type Node struct {
	cfg Config

	// joining is a lock, for one Listen or join at a time; taken before mu. Whoever has
	// sent to it holds it. (To wait for a mutex stops the virtual time of
	// testing/synctest.)
	joining chan struct{}

	mu     sync.Mutex // guards what follows; nobody waits while it is held
	built  parts
	closed bool
	failed error // why the node closed itself
}

// parts are what a node is built of.
type parts struct {
	links *local.Links       // nil: not built yet
	group *replication.Group // nil: the node stands alone
}

// New returns a node that has neither checked its configuration nor built anything.
func New(cfg Config) *Node { return &Node{cfg: cfg, joining: make(chan struct{}, 1)} }

// Listen listens on an address. The first Listen of a node of a group returns when the
// node's role is clear. A node that could not join its group is closed; every further
// call returns the same error.
func (n *Node) Listen(addr netip.AddrPort) (*stack.Listener, error) {
	n.joining <- struct{}{}
	defer func() { <-n.joining }()
	p, err := n.build()
	if err != nil {
		return nil, err
	}
	l, err := p.links.Listen(addr)
	if err != nil {
		return nil, err
	}
	if err := n.join(p.group); err != nil { // the listener is there first: nobody shall be refused
		return nil, err
	}
	return l, nil
}

// Dial opens a connection, or returns the one that the active node's program has dialed:
// see [stack.Stack.Dial].
func (n *Node) Dial(ctx context.Context, remote netip.AddrPort) (*stack.Conn, error) {
	p, err := n.build()
	if err != nil {
		return nil, err
	}
	from, err := p.links.Source(ctx, n.cfg.From, remote)
	if err != nil {
		return nil, err
	}
	defer from.Done()
	if err := n.joinWithin(ctx, p.group); err != nil {
		return nil, err
	}
	return from.Dial(ctx, remote)
}

// join starts the group, if there is one and it has not been started. joining is held.
func (n *Node) join(g *replication.Group) error {
	if g == nil || g.Started() {
		return nil
	}
	err := g.Start(context.Background())
	if err != nil {
		n.close(err) // it would not find its role later either
	}
	return err
}

// joinWithin is join for a Dial, which waits no longer than ctx. The node goes on
// joining.
func (n *Node) joinWithin(ctx context.Context, g *replication.Group) error {
	if g == nil || g.Started() {
		return nil
	}
	joined := make(chan error, 1)
	go func() {
		n.joining <- struct{}{}
		defer func() { <-n.joining }()
		joined <- n.join(g)
	}()
	select {
	case err := <-joined:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Handover makes the standby the active node and this node its standby. With keep, it
// refuses if a connection would be lost.
func (n *Node) Handover(ctx context.Context, keep bool) error {
	p, _ := n.parts()
	if p.group == nil {
		return replication.ErrNoStandby
	}
	return p.group.Handover(ctx, keep)
}

// Status says what the node does. One that stands alone is active, in epoch 0; one that
// has been closed is "closed".
func (n *Node) Status() replication.Status {
	p, closed := n.parts()
	switch {
	case closed:
		return replication.Status{Role: "closed"}
	case p.group != nil:
		return p.group.Status()
	case p.links != nil:
		return replication.Status{
			Role: "active", Conns: len(p.links.Stack.Conns()),
			Network: replication.NetworkOf(p.links.Stack),
		}
	}
	return replication.Status{Role: "starting"}
}

// Changed returns a channel that is closed when the node's role or epoch has changed; nil
// if there is no group, or not yet.
func (n *Node) Changed() <-chan struct{} {
	p, _ := n.parts()
	if p.group == nil {
		return nil
	}
	return p.group.Changed()
}

// Stack is the node's stack; nil before there is one.
func (n *Node) Stack() *stack.Stack {
	p, _ := n.parts()
	if p.links == nil {
		return nil
	}
	return p.links.Stack
}

// parts returns what has been built, and whether the node has been closed.
func (n *Node) parts() (p parts, closed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.built, n.closed
}

// Close ends the node. If it is active and has a standby, that one goes on.
func (n *Node) Close() error { return n.close(nil) }

// close closes the node, which failed if there is a reason why.
func (n *Node) close(why error) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return net.ErrClosed
	}
	n.closed, n.failed = true, why
	p := n.built
	n.mu.Unlock() // to leave a group takes time, in which the other methods shall fail and not wait
	if p.group != nil && p.group.Started() {
		p.group.Close()
	}
	if p.links == nil {
		return nil
	}
	err := p.links.Stack.Close()
	p.links.Close()
	return err
}
