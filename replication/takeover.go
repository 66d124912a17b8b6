package replication

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// activeLost decides what a standby does when its link has ended: it takes over, and returns true, or forgets
// its replicas and starts over.
func (g *Group) activeLost(f *follower, err error) bool {
	// From here on nothing is confirmed any more: what the active node can have
	// shown its peers is in our memory.
	f.mu.Lock()
	silent := f.stopped
	f.stopped = true
	bye := f.bye
	f.mu.Unlock()

	why := "its process has ended"
	switch {
	case g.ctx.Err() != nil || !f.inSync.Load():
		why = ""
	case bye:
		why = "it has left"
	case silent:
		why = "it is silent"
	case !closedByPeer(err):
		why = "" // it lives, and wants no standby, or speaks nonsense
	}
	if why != "" && !bye && (silent && !g.heardAlone(f) || !silent && g.served(probeWait)) {
		g.log.Warn("ftcp: the link to the active node is broken, but it lives")
		why = ""
	}
	if why != "" && g.takeOver(f, why) {
		return true
	}
	if g.ctx.Err() == nil {
		g.log.Warn("ftcp: lost the active node", "err", err)
	}
	f.link.close()
	g.follower.Store(nil)
	g.stack.Deactivate(ErrUnprotected)
	_, epoch, _ := g.state()
	g.setRole(replpb.Role_ROLE_STARTING, epoch)
	return false
}

// served says that another node answers for the service address. It wants to hear that twice, since one answer may
// have waited somewhere since an earlier question, or be the last word of a node that has been fenced.
func (g *Group) served(wait time.Duration) bool {
	if !g.stack.Probe(wait) {
		return false
	}
	select {
	case <-g.ctx.Done():
	case <-time.After(servedGap):
	}
	return g.stack.Probe(wait)
}

const servedGap = 10 * time.Millisecond

// heardAlone waits until the service network has been heard, and then nobody has answered a probe for the
// service address. It returns false if somebody has, or if a peer says that it is active, or
// has this node's place.
//
// A node that hears nothing at all is cut off itself, and the active node may well be going
// on without it. Were it to take over, it would speak with an old state when the cable is back.
func (g *Group) heardAlone(f *follower) bool {
	ctx, cancel := context.WithCancel(g.ctx)
	defer cancel()
	lives := make(chan struct{})
	g.wg.Go(func() {
		replaced := g.askFor(ctx, func(theirs *replpb.Hello) bool {
			return theirs.Node != g.id && theirs.Epoch >= g.knownEpoch() && theirs.Role != replpb.Role_ROLE_STARTING
		})
		if replaced {
			close(lives)
		}
	})
	heard, silent := false, 0 // silent counts the probes without an answer since then
	for g.ctx.Err() == nil {
		received := g.stack.Stats.Received.Load()
		g.stack.Solicit()
		if g.served(probeWait) {
			return false
		}
		select {
		case <-lives:
			return false
		default:
		}
		if heard {
			silent++
		}
		if silent > 0 && (silent >= lateProbes || g.clock()-f.heard.Load() < g.doubtEnds().Microseconds()) {
			return true
		}
		heard = heard || g.stack.Stats.Received.Load() != received
	}
	return false
}

// lateProbes is how many probes have to stay without an answer before a standby takes over that was cut
// off for so long that the active node may have gone on alone.
const lateProbes = 20

// doubtEnds is how long after the last sign of life an active node may go on alone, see inDoubt: it
// has to be silent for twice as long as the standby waits, and then stays in doubt for doubt.
func (g *Group) doubtEnds() time.Duration { return 2*g.silence() + g.doubt() }

// doubt is the time in which a standby that lives would have taken over and would answer.
func (g *Group) doubt() time.Duration { return 2 * (g.silence() + probeWait) }

// askFor asks the peers over links until one says what is looked for; it returns false when ctx ends.
func (g *Group) askFor(ctx context.Context, found func(*replpb.Hello) bool) bool {
	for ctx.Err() == nil {
		for _, peer := range g.cfg.Peers {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			a := g.askPeer(ctx, peer)
			cancel()
			if a.err != nil {
				continue
			}
			a.link.close()
			if found(a.hello) {
				return true
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(askAgain):
		}
	}
	return false
}

// tsMargin is how far TCP timestamps jump at a takeover, in milliseconds. They have to go on above
// any value that the old node can have sent; what we know of its clock is as old as the link's delay.
const tsMargin = 2000

// takeOver makes this node the active one.
func (g *Group) takeOver(f *follower, why string) bool {
	begin := time.Now()
	g.mu.Lock()
	if g.ctx.Err() != nil {
		g.mu.Unlock()
		return false
	}
	g.sureUntil.Store(alwaysSure)
	epoch := g.epoch + 1
	g.setRoleLocked(replpb.Role_ROLE_ACTIVE, epoch)
	g.mu.Unlock()

	f.mu.Lock()
	clock := f.clock + uint32(time.Since(f.clockAt)/time.Millisecond)
	replicas := make([]*replica, 0, len(f.byID))
	for _, r := range f.byID {
		replicas = append(replicas, r)
	}
	f.mu.Unlock()
	shift := clock + tsMargin - g.stack.Timestamp()

	// Those whose peers have spoken lately wait for an answer.
	slices.SortFunc(replicas, func(a, b *replica) int { return b.recent.Compare(a.recent) })
	g.follower.Store(nil)
	g.stack.Activate()
	kept, lost := 0, 0
	for i, r := range replicas {
		if !r.usable() {
			lost++
			r.conn.Lose(ErrUnprotected)
			continue
		}
		kept++
		recent := !g.cfg.NoWake && begin.Sub(r.recent) < wakeWithin
		r.conn.TakeOver(shift, recent)
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
	g.log.Warn("ftcp: took over", "because", why, "epoch", epoch, "connections", kept, "lost", lost, "took", time.Since(begin))
	g.wg.Go(func() { g.tellTakeover(f, epoch) })
	return true
}

const (
	wakeWithin    = 5 * time.Second // peers that have been silent for longer are hardly waiting
	takeOverBatch = 64
	takeOverGap   = time.Millisecond
)

// usable says that the replica knows all that the peer can have seen.
func (r *replica) usable() (ok bool) {
	r.conn.View(func(core *tcp.Core) {
		ok = r.gated && core.Verified() >= r.gateAt && !core.Ended()
	})
	return ok
}

// tellTakeover tells the old active node that its reign is over, should it still
// live, and holds the link until it has closed it: a link that breaks without this message says
// that the standby's process has ended.
func (g *Group) tellTakeover(f *follower, epoch uint64) {
	f.kick()
	<-f.sendEnd
	stop := make(chan struct{})
	defer close(stop)
	g.wg.Go(func() {
		select {
		case <-g.ctx.Done():
		case <-stop:
		}
		f.link.close()
	})
	if err := f.link.send(&replpb.Frame{Epoch: epoch, Takeover: true}); err != nil {
		return
	}
	f.link.drain()
}

// standbyLost decides what the active node does when the link to its standby has
// ended: with the certainty that nobody else serves or will serve, it goes on alone.
func (g *Group) standbyLost(s *session, err error) {
	s.mu.Lock()
	s.finished = true
	inSync := s.toldSync
	s.mu.Unlock()
	s.kick()
	s.link.close()
	if errors.Is(err, errFenced) || g.session.Load() != s || g.ctx.Err() != nil {
		return
	}
	g.log.Warn("ftcp: lost the standby", "standby", s.link.remoteAddr(), "err", err)
	switch {
	case !inSync, errors.Is(err, errGoodbye):
		g.goAlone(s)
		return
	case closedByPeer(err):
		// The standby's process has ended. Unless another kernel said so: then the
		// standby may have taken over, and will answer.
		if !g.served(probeWait) {
			g.goAlone(s)
			return
		}
	}
	g.inDoubt(s)
}

// inDoubt waits, with the marks where they are, until it is clear who serves.
func (g *Group) inDoubt(s *session) {
	g.log.Warn("ftcp: in doubt whether the standby has taken over")
	ctx, cancel := context.WithCancel(g.ctx)
	defer cancel()
	g.wg.Go(func() {
		g.askFor(ctx, func(theirs *replpb.Hello) bool {
			later := g.outrankedBy(theirs)
			if later {
				g.fence(theirs.Epoch)
			}
			return later
		})
	})
	answered := false
	var first time.Time // when the network was heard first, without an answer
	for g.ctx.Err() == nil && g.session.Load() == s {
		received := g.stack.Stats.Received.Load()
		g.stack.Solicit()
		if g.stack.Probe(g.cfg.Heartbeat) {
			if answered { // twice: see served
				g.fence(g.knownEpoch())
				return
			}
			answered, first = true, time.Time{}
			select {
			case <-ctx.Done():
			case <-time.After(servedGap):
			}
			continue
		}
		answered = false
		if g.stack.Stats.Received.Load() == received {
			continue
		}
		if first.IsZero() {
			first = time.Now()
		} else if time.Since(first) > g.doubt() {
			g.goAlone(s)
			return
		}
	}
}

// standbyGaveUp ends the doubt if the node that starts over is the process that was the standby,
// and nobody has reigned since.
func (g *Group) standbyGaveUp(theirs *replpb.Hello) {
	s := g.session.Load()
	if s == nil || s.name != theirs.Node || theirs.Epoch != g.knownEpoch() {
		return
	}
	s.mu.Lock()
	lost := s.finished
	s.mu.Unlock()
	if lost {
		g.goAlone(s)
	}
}

// goAlone lifts the marks of all connections: there is no standby.
func (g *Group) goAlone(s *session) {
	g.mu.Lock()
	ok := g.role == replpb.Role_ROLE_ACTIVE && g.session.CompareAndSwap(s, nil)
	if ok {
		g.sureUntil.Store(alwaysSure)
	}
	g.mu.Unlock()
	if !ok {
		return
	}
	g.log.Info("ftcp: goes on alone")
	if !g.stack.Active() && !g.closing.Load() {
		g.stack.Activate() // a handover that nobody has taken
	}
	// Connections that begin from here on are not gated: see Opened.
	for _, c := range g.stack.Conns() {
		g.lift(c)
	}
}

func (g *Group) lift(c *stack.Conn) {
	c.Do(func(core *tcp.Core) {
		if core.Ended() {
			return
		}
		core.Ungate()
		if p := core.Positions(); p.InStart > 1 {
			core.Retain(tcp.Unlimited)
		}
		c.Protected.Store(false)
	})
}
