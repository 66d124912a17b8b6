package replication

import (
	"context"
	"fmt"
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
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
		g.mirror.Follow(a.Peer, e.hello.reign, e.link, e.hello.settings)
		return true
	case reign.Lead:
		g.mirror.Lead(a.Peer, e.link, e.hello.settings)
		return true
	case reign.Admit:
		g.mirror.Admit(a.Record)
	case reign.Serve:
		g.mirror.Serve()
	case reign.TakeOver:
		g.mirror.TakeOver(a.Reign, a.Why, g.announcePresence)
	case reign.GoAlone:
		g.mirror.GoAlone(a.Peer, a.Why)
	case reign.Drop:
		g.mirror.Drop(a.Why)
	case reign.Fence:
		g.notes.Warn("ftcp: fenced: forgets its connections, which another node has", "why", a.Why,
			"lineage", lineageName(a.Reign.Lineage), "epoch", a.Reign.Epoch)
		g.mirror.Fence()
	case reign.Suspend:
		g.notes.Warn("ftcp: suspended: silent until the standby says that it has not taken over", "why", a.Why)
		g.stack.Silence()
	case reign.Resume:
		g.notes.Info("ftcp: resumes", "why", a.Why)
		g.mirror.Resume()
	case reign.Release:
		g.notes.Info("ftcp: hands over", "why", a.Why)
		g.stack.Silence()
		g.mirror.Goodbye()
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
		g.notes.Error(fmt.Sprintf("ftcp: an action that nobody carries out: %T", a))
	}
	return false
}

// arbitrate asks the arbiter, and tells the machine of the answer. One that does not
// answer is asked again, after a while, by what the machine does then.
func (g *Group) arbitrate(ask func(context.Context) (reign.Record, error)) {
	ctx, cancel := context.WithTimeout(g.ctx, arbiterTimeout)
	defer cancel()
	current, err := ask(ctx)
	if err != nil && g.ctx.Err() == nil {
		g.notes.Warn("ftcp: the arbiter has not answered; nobody takes over or goes alone until it does", "err", err)
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
