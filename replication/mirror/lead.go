package mirror

import (
	"maps"
	"slices"
	"time"

	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// Lead makes the other end of the link a standby to be, whose settings these are.
func (g *Mirror) Lead(mate reign.Member, link *peerlink.Link, theirs *replpb.Settings) {
	l := &leader{
		g: g, link: link, mate: mate,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		byID:  map[uint64]*feed{},
		input: make([]byte, 0, maxInput),
	}
	l.heard.Store(g.clock())
	l.listening(theirs)
	for _, d := range peerlink.Differences(g.Settings(), theirs) {
		g.notes.Warn("ftcp: the standby is configured otherwise", "standby", link.RemoteAddr(), "what", d)
	}
	g.leader.Store(l)
	g.notes.Info("ftcp: a standby joins", "standby", l.link.RemoteAddr())
	// It may have been the active one before, with frames under way until just now by
	// which switches have learned that the address is there.
	g.stack.Announce()

	// Connections that begin from here on are gated from their birth, in opened.
	// The others follow.
	for _, c := range g.stack.Conns() {
		if gd, ok := c.Attachment().(*guarded); ok {
			c.Do(func(core *tcp.Core) { l.adopt(c, gd, core) })
		}
	}
	g.wg.Go(l.send)
	g.wg.Go(l.watch)
	g.wg.Go(func() {
		how := l.receive()
		l.end()
		if g.leader.Load() == l { // else the machine has another link by now
			g.post(reign.Closed{Peer: mate.Incarnation, How: how})
		}
	})
}

// watch looks for a standby that is silent, and for connections that wait too long for it.
func (l *leader) watch() {
	t := time.NewTicker(l.g.cfg.Heartbeat / 2)
	defer t.Stop()
	last, checked := time.Now(), time.Now()
	for {
		select {
		case <-t.C:
		case <-l.done:
			return
		case <-l.g.ctx.Done():
			l.link.Close()
			return
		}
		now := time.Now()
		if now.Sub(last) > l.g.cfg.Silence {
			// It is this process that was stopped. What the other side said meanwhile has not
			// been read yet.
			l.heard.Store(l.g.clock())
		}
		last = now
		if l.g.now()-l.heardAt() > 2*l.g.cfg.Silence {
			l.mu.Lock()
			l.closed = true
			l.mu.Unlock()
			l.link.Close()
			return
		}
		if now.Sub(checked) > l.g.cfg.MaxLag/4 {
			checked = now
			l.checkLag(now)
		}
	}
}

// feeds returns all feeds, in no order.
func (l *leader) feeds() []*feed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.AppendSeq(make([]*feed, 0, len(l.byID)), maps.Values(l.byID))
}

// checkLag releases the connections that have waited longer than MaxLag for the standby's handler.
func (l *leader) checkLag(now time.Time) {
	for _, f := range l.feeds() {
		f.conn.View(func(core *tcp.Core) { f.lags(core, now, l.g.cfg.MaxLag) })
	}
}
