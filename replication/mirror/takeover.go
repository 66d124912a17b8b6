package mirror

import (
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

// GoAlone lifts what that standby had bound.
func (g *Mirror) GoAlone(peer uint64, why string) {
	l := g.leader.Load()
	if l == nil || l.mate.Incarnation != peer {
		return
	}
	if l.admitted() {
		g.notes.Warn("ftcp: goes on without a standby", "standby", l.link.RemoteAddr(), "why", why)
	} else {
		g.notes.Info("ftcp: a node that was joining is gone", "standby", l.link.RemoteAddr(), "why", why)
	}
	g.leader.Store(nil) // connections that begin from here on do not know it
	l.end()
	g.sureUntil.Store(alwaysSure)
	for _, c := range g.stack.Conns() {
		if gd, ok := c.Attachment().(*guarded); ok {
			c.Do(func(core *tcp.Core) { gd.leave(g, core, l) })
		}
	}
}

// Drop forgets the replicas.
func (g *Mirror) Drop(why string) {
	f := g.follower.Load()
	if f == nil {
		return
	}
	if g.ctx.Err() == nil {
		g.notes.Warn("ftcp: gives its replicas up, and looks for who serves", "why", why)
	}
	f.stop()
	f.link.Close()
	g.follower.Store(nil)
	g.stack.Deactivate(ErrUnprotected)
}

// Fence forgets the connections: another node has them.
func (g *Mirror) Fence() {
	g.stack.Deactivate(ErrFenced)
	if l := g.leader.Swap(nil); l != nil {
		l.end()
	}
	g.sureUntil.Store(0)
}

// touch lets every connection do what has become possible.
func (g *Mirror) touch() {
	for _, c := range g.stack.Conns() {
		c.Do(func(*tcp.Core) {})
	}
}

// tsMargin is how far TCP timestamps jump at a takeover, in milliseconds. They have to go on above
// any value that the old node can have sent; what we know of its clock is as old as the
// link's delay.
const tsMargin = 2000

// TakeOver makes this node go on with the connections of the one before. Announce tells
// other nodes.
func (g *Mirror) TakeOver(r reign.Reign, why string, announce func()) {
	f := g.follower.Load()
	if f == nil {
		return
	}
	begin := time.Now()
	f.stop()
	g.sureUntil.Store(alwaysSure)
	shift := g.stack.AdvanceTimestamp(f.timestamp() + tsMargin)
	replicas := f.replicas()
	g.follower.Store(nil)
	// The others are told before any client is: a node that dies in between must not look like
	// one that has not claimed.
	announce()
	g.wg.Go(func() { f.claim(r) })
	g.stack.Activate()
	kept, lost := 0, 0
	for i, r := range replicas {
		if !r.usable() {
			lost++
			r.conn.Lose(ErrUnprotected)
			continue
		}
		kept++
		r.conn.TakeOver(shift, !g.cfg.NoWake && begin.Sub(r.recent) < wakeWithin)
		if i%takeOverBatch == takeOverBatch-1 {
			// All of them at once would overflow the queues on the way.
			time.Sleep(takeOverGap)
		}
	}
	g.loseReplicas()
	say := g.notes.Warn
	if f.told() {
		say = g.notes.Info // as planned
	}
	say("ftcp: took over", "because", why, "epoch", r.Epoch, "connections", kept, "lost", lost, "took", time.Since(begin))
}

// loseReplicas ends the replicas of connections that the log never got to.
func (g *Mirror) loseReplicas() {
	for _, c := range g.stack.Conns() {
		replica := false
		c.View(func(core *tcp.Core) { replica = core.Replica() })
		if replica {
			c.Lose(ErrUnprotected)
		}
	}
}

const (
	wakeWithin    = 5 * time.Second // peers that have been silent for longer are hardly waiting
	takeOverBatch = 64
	takeOverGap   = time.Millisecond
)
