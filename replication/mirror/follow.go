package mirror

import (
	"time"

	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// Follow makes this node the standby to be of the node at the other end of the link, whose reign
// and settings these are.
func (g *Mirror) Follow(mate reign.Member, r reign.Reign, link *peerlink.Link, theirs *replpb.Settings) {
	f := &follower{
		g: g, link: link, mate: mate, reign: r, wake: make(chan struct{}, 1),
		byID:    map[uint64]*replica{},
		byeSent: make(chan struct{}), sendEnd: make(chan struct{}), recvEnd: make(chan struct{}),
	}
	f.ages.heard, f.ages.arrived = g.now(), g.now()
	f.saidListeners = g.Settings().Listeners
	for _, d := range peerlink.Differences(g.Settings(), theirs) {
		g.notes.Warn("ftcp: the active node is configured otherwise", "active", link.RemoteAddr(), "what", d)
	}
	g.follower.Store(f)
	g.wg.Go(f.send)
	g.wg.Go(func() {
		err := f.receive()
		close(f.recvEnd)
		f.stopConfirming()
		if how := f.closing(err); g.follower.Load() == f { // else the machine has another link by now
			g.post(reign.Closed{Peer: mate.Incarnation, How: how})
		}
	})
}

// send is the goroutine that confirms and reports.
func (f *follower) send() {
	defer close(f.sendEnd)
	beat := time.NewTicker(f.g.cfg.Heartbeat)
	defer beat.Stop()
	w := &reportWriter{f: f}
	for {
		due := false
		select {
		case <-f.wake:
		case <-beat.C:
			due = true
		case <-f.g.ctx.Done():
			f.link.Close()
			return
		}
		if due {
			w.overdue(time.Now())
			f.endAll(time.Now().Add(-f.g.cfg.lingersFor()))
			if !w.settings() {
				return
			}
		}
		if done := w.write(due); done {
			return
		}
	}
}
