package replication

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
)

// LostError says which connections the standby does not have.
type LostError struct {
	Conns map[string]int // how many, by reason
	Over  bool           // the handover has taken place all the same, and they are lost
}

func (e *LostError) Error() string {
	total, why := 0, make([]string, 0, len(e.Conns))
	for reason, n := range e.Conns {
		total += n
		why = append(why, fmt.Sprintf("%d: %s", n, reason))
	}
	slices.Sort(why)
	if e.Over {
		return fmt.Sprintf("replication: %d connections were lost in the handover (%s)", total, strings.Join(why, "; "))
	}
	return fmt.Sprintf("replication: %d connections would be lost in a handover (%s)", total, strings.Join(why, "; "))
}

// awaitProtection waits until all connections are protected that can be, or limit has passed.
func (g *Group) awaitProtection(ctx context.Context, limit time.Duration) {
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	end := time.After(limit)
	for g.mirror.Protectable() > 0 {
		select {
		case <-t.C:
		case <-end:
			return
		case <-ctx.Done():
			return
		case <-g.ctx.Done():
			return
		}
	}
}

// Handover makes the standby the active node and this one its standby. First it waits until all
// connections are protected that can be. With keep, it refuses if any would be lost, with a
// *LostError; without, it goes on, and the *LostError says which were. It returns when this
// node has joined the other, or has tried for a while. If the standby is lost before it has taken
// over, this node serves on, and the error is ErrNotTaken.
func (g *Group) Handover(ctx context.Context, keep bool) error {
	if !g.hasStandby() {
		return ErrNoStandby
	}
	g.awaitProtection(ctx, g.cfg.MaxLag)
	if err := ctx.Err(); err != nil {
		return err
	}
	st := g.Status()
	var lost *LostError
	if len(st.Unprotected) > 0 {
		lost = &LostError{Conns: st.Unprotected}
		if keep {
			return lost
		}
		g.notes.Warn("ftcp: connections will be lost in the handover", "why", lost.Error())
	}
	if !g.hasStandby() {
		return ErrNoStandby
	}
	if err := g.handOver(ctx); err != nil {
		return err
	}
	if lost != nil {
		lost.Over = true
		return lost
	}
	return nil
}

// handOver gives the reign away, and waits until that has come to something.
func (g *Group) handOver(ctx context.Context) error {
	changed, done := g.Changed(), make(chan struct{})
	g.events.push(event{Event: reign.Want{What: reign.HandOver}, done: done})
	select {
	case <-done: // from here on, this node hands over, or cannot
	case <-g.ctx.Done():
		return net.ErrClosed
	}
	var tried <-chan time.Time
	for {
		g.mu.Lock()
		role, serves, handing := g.machine.Role(), g.machine.Record(), g.machine.Handing()
		g.mu.Unlock()
		switch {
		case role == reign.Joining, role == reign.Standby:
			return nil
		case role == reign.Active && !handing:
			return ErrNotTaken
		case role == reign.Starting && serves.Active.Incarnation != 0 && tried == nil:
			tried = time.After(spareAfter)
		}
		select {
		case <-changed:
			changed = g.Changed()
		case <-tried:
			return nil // a third node has joined that one, or the link is broken
		case <-ctx.Done():
			return ctx.Err()
		case <-g.ctx.Done():
			return net.ErrClosed
		}
	}
}

// hasStandby says that there is a standby that may take over, and that this node serves.
func (g *Group) hasStandby() bool {
	return g.mirror.Standby().InSync
}

// stop ends everything but the stack.
func (g *Group) stop() {
	g.cancel()
	if g.listener != nil {
		g.listener.Close()
	}
	g.mirror.Stop()
	g.wg.Wait()
}

// Close leaves the group. If this node is active and has a standby, that one takes over, when all
// connections are protected that can be. The stack is silent afterwards, but not closed.
func (g *Group) Close() {
	if left := g.mirror.Left(); left != nil && g.hasStandby() {
		g.awaitProtection(g.ctx, g.cfg.MaxLag)
		if st := g.Status(); len(st.Unprotected) > 0 {
			g.notes.Warn("ftcp: connections are lost as this node leaves", "why", (&LostError{Conns: st.Unprotected}).Error())
		}
		g.post(reign.Want{What: reign.HandOver})
		select {
		case <-left: // by the standby's word that it has taken over
		case <-time.After(g.cfg.silence() + g.cfg.MaxLag):
		}
	} else {
		g.mirror.Leave()
	}
	g.stop()
}
