package replication

import (
	"context"
	"fmt"
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

// act carries out an action of the machine. It returns true if it has made use of the event's link.
//
// All of them run in the goroutine that steps the machine, one after the other, so that no node
// joins while another is being replaced.
func (g *Group) act(a reign.Action, e event) (used bool) {
	switch a := a.(type) {
	case reign.Ask:
		g.wg.Go(g.round)
	case reign.Follow:
		g.follow(a.Peer, e)
		return true
	case reign.Lead:
		g.lead(a.Peer, e)
		return true
	case reign.Admit:
		if l := g.leader.Load(); l != nil {
			l.admit(a.Record)
		}
	case reign.Serve:
		g.sureUntil.Store(alwaysSure)
		g.stack.Activate()
	case reign.TakeOver:
		g.takeOver(a)
	case reign.GoAlone:
		g.goAlone(a)
	case reign.Drop:
		g.drop(a.Why)
	case reign.Fence:
		g.fence(a)
	case reign.Suspend:
		g.notes.warn("ftcp: suspended: silent until the standby says that it has not taken over", "why", a.Why)
		g.stack.Silence()
	case reign.Resume:
		g.notes.info("ftcp: resumes", "why", a.Why)
		g.resume()
	case reign.Release:
		g.notes.info("ftcp: hands over", "why", a.Why)
		g.stack.Silence()
		if l := g.leader.Load(); l != nil {
			l.goodbye()
		}
	case reign.Pronounce:
		g.pronounce(a.To)
	case reign.Swap:
		g.wg.Go(func() {
			g.arbitrate(func(ctx context.Context) (reign.Record, error) { return g.cfg.Arbiter.Swap(ctx, a.Old, a.New) })
		})
	case reign.Load:
		g.wg.Go(func() { g.arbitrate(g.cfg.Arbiter.Load) })
	case reign.Refuse:
		// The link is closed, since nobody uses it.
	default:
		g.notes.error(fmt.Sprintf("ftcp: an action that nobody carries out: %T", a))
	}
	return false
}

// arbitrate asks the arbiter, and tells the machine of the answer. One that does not answer is asked
// again, after a while, by what the machine does then.
func (g *Group) arbitrate(ask func(context.Context) (reign.Record, error)) {
	ctx, cancel := context.WithTimeout(g.ctx, arbiterTimeout)
	defer cancel()
	current, err := ask(ctx)
	if err != nil && g.ctx.Err() == nil {
		g.notes.warn("ftcp: the arbiter has not answered; nobody takes over or goes alone until it does", "err", err)
		select {
		case <-time.After(arbiterAgain):
		case <-g.ctx.Done():
		}
	}
	g.post(reign.Swapped{Known: err == nil, Current: current})
}

const (
	arbiterTimeout = 2 * time.Second
	arbiterAgain   = 100 * time.Millisecond
)

// goAlone lifts what that standby had bound.
func (g *Group) goAlone(a reign.GoAlone) {
	l := g.leader.Load()
	if l == nil || l.mate.Incarnation != a.Peer {
		return
	}
	if l.admitted() {
		g.notes.warn("ftcp: goes on without a standby", "standby", l.link.RemoteAddr(), "why", a.Why)
	} else {
		g.notes.info("ftcp: a node that was joining is gone", "standby", l.link.RemoteAddr(), "why", a.Why)
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

// drop forgets the replicas.
func (g *Group) drop(why string) {
	f := g.follower.Load()
	if f == nil {
		return
	}
	if g.ctx.Err() == nil {
		g.notes.warn("ftcp: gives its replicas up, and looks for who serves", "why", why)
	}
	f.stop()
	f.link.Close()
	g.follower.Store(nil)
	g.stack.Deactivate(ErrUnprotected)
}

// fence ends this node's reign: another one has it.
func (g *Group) fence(a reign.Fence) {
	g.notes.warn("ftcp: fenced: forgets its connections, which another node has", "why", a.Why,
		"lineage", lineageName(a.Reign.Lineage), "epoch", a.Reign.Epoch)
	g.stack.Deactivate(ErrFenced)
	if l := g.leader.Swap(nil); l != nil {
		l.end()
	}
	g.sureUntil.Store(0)
}

// resume makes a node speak again that was silenced with its connections.
func (g *Group) resume() {
	g.stack.Activate()
	for _, c := range g.stack.Conns() {
		c.Do(func(*tcp.Core) {})
	}
}

// tsMargin is how far TCP timestamps jump at a takeover, in milliseconds. They have to go on above
// any value that the old node can have sent; what we know of its clock is as old as the link's delay.
const tsMargin = 2000

// takeOver makes this node go on with the connections of the one before.
func (g *Group) takeOver(a reign.TakeOver) {
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
	g.announcePresence()
	g.wg.Go(func() { f.claim(a.Reign) })
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
	// Replicas of connections that the log never got to.
	for _, c := range g.stack.Conns() {
		replica := false
		c.View(func(core *tcp.Core) { replica = core.Replica() })
		if replica {
			c.Lose(ErrUnprotected)
		}
	}
	say := g.notes.warn
	if f.told() {
		say = g.notes.info // as planned
	}
	say("ftcp: took over", "because", a.Why, "epoch", a.Reign.Epoch, "connections", kept, "lost", lost, "took", time.Since(begin))
}

const (
	wakeWithin    = 5 * time.Second // peers that have been silent for longer are hardly waiting
	takeOverBatch = 64
	takeOverGap   = time.Millisecond
)
