package mirror

import (
	"context"
	"net"

	"github.com/ftcp-project/ftcp/replication/reign"
)

// What package replication tells a Mirror, and asks it.

// New returns a Mirror without a link to another node.
func New(cfg Config) *Mirror {
	g := &Mirror{cfg: cfg, stack: cfg.Stack, digest: cfg.Digest, notes: cfg.Notes, post: cfg.Post}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// Serve takes note that this node serves, from nothing.
func (g *Mirror) Serve() {
	g.sureUntil.Store(alwaysSure)
	g.stack.Activate()
}

// Resume makes a node speak again that was silenced with its connections.
func (g *Mirror) Resume() {
	g.stack.Activate()
	g.touch()
}

// Admit makes the standby a member: it is told so behind all of the log so far.
func (g *Mirror) Admit(r reign.Record) {
	if l := g.leader.Load(); l != nil {
		l.admit(r)
	}
}

// Goodbye tells the standby, behind all of the log, that this node is silent and that it
// takes over.
func (g *Mirror) Goodbye() {
	if l := g.leader.Load(); l != nil {
		l.goodbye()
	}
}

// Left is closed when the standby's link has ended; nil without a standby.
func (g *Mirror) Left() <-chan struct{} {
	if l := g.leader.Load(); l != nil {
		return l.done
	}
	return nil
}

// Leave tells the active node, if this one is its standby, to go on alone, and waits until it has
// been told.
func (g *Mirror) Leave() {
	if f := g.follower.Load(); f != nil {
		f.goodbye()
	}
}

// Heard is a Tick with what is known of the other end of the link.
func (g *Mirror) Heard() (t reign.Tick) {
	if f := g.follower.Load(); f != nil {
		t.Heard, t.Arrived = f.heardAt()
	} else if l := g.leader.Load(); l != nil {
		t.Heard, t.Theirs = l.heardAt(), l.port()
	}
	return t
}

// Paired says that there is a link to another node.
func (g *Mirror) Paired() bool { return g.leader.Load() != nil || g.follower.Load() != nil }

// Stop ends everything but the stack, and waits for that.
func (g *Mirror) Stop() {
	g.cancel()
	if l := g.leader.Load(); l != nil {
		l.end()
	}
	if f := g.follower.Load(); f != nil {
		f.link.Close()
	}
	g.wg.Wait()
}

// Standby describes the standby of an active node.
type Standby struct {
	Addr   net.Addr // nil: there is none
	InSync bool     // it may take over
	Lag    int64    // input that it has not confirmed yet, in bytes
}

// Standby returns what is known of the standby.
func (g *Mirror) Standby() (s Standby) {
	if l := g.leader.Load(); l != nil {
		s.Addr = l.link.RemoteAddr()
		s.InSync, s.Lag = l.status()
	}
	return s
}
