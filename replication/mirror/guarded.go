package mirror

import (
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/replication/digest"
	"github.com/ftcp-project/ftcp/replication/ledger"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// guarded is what the active node keeps of a connection: what a standby that comes later needs, and
// how far the one that is there has come. It is attached to the connection, and guarded by its
// lock, but for reason.
type guarded struct {
	sum    digest.Sum      // of all output so far
	events []*replpb.Event // all that were agreed
	kept   int64           // of Mirror.history
	lost   bool            // the beginning is not here any more: no standby can replay it

	guard ledger.Guard
	feed  *feed // the leader's; nil: there is none

	reason atomic.Pointer[string] // why it is unprotected; nil: no standby has been there
}

// maxEvents bounds what a connection keeps of agreed events for a standby to come. It is no more
// than a replica takes at once, see stack.Conn.Expire.
const maxEvents = 256

// news takes note of what a connection's user and peer have done.
func (g *Mirror) news(c *stack.Conn, gd *guarded, core *tcp.Core) {
	p := core.Positions()
	gd.hash(g, core, &p)
	gd.account(g, core)
	if core.Ended() {
		g.history.Add(-gd.kept)
		gd.kept = 0
	}
	if f := gd.feed; f != nil {
		f.leader.news(f, core, &p)
	}
}

// hash brings the digest up to date. It runs after each write, while the output is still there.
func (gd *guarded) hash(g *Mirror, core *tcp.Core, p *tcp.Positions) {
	from, to := gd.sum.Len()+1, p.OutData
	if from >= to || core.Ended() {
		return
	}
	var parts [8][]byte
	for _, part := range core.Output(parts[:0], from, to) {
		gd.sum.Write(g.digest, part)
	}
}

// account keeps the memory of histories within bounds, for each connection and in total.
func (gd *guarded) account(g *Mirror, core *tcp.Core) {
	if gd.lost {
		gd.accountBacklog(g, core)
		return
	}
	n := int64(core.Retained())
	if n == gd.kept {
		return
	}
	total := g.history.Add(n - gd.kept)
	gd.kept = n
	if n > int64(g.cfg.History) || total > max(totalHistory, int64(g.cfg.History)) {
		gd.forget(g)
		gd.bound(core)
	}
}

// maxBacklog is how much input a connection that has outgrown its history may keep for a
// standby that replays it. A peer that sends faster than the link carries needs some.
const maxBacklog = 16 << 20

// accountBacklog does the same for what a standby that replays the connection has yet to
// be sent. The marks do not heed that standby, and so do not bound it.
func (gd *guarded) accountBacklog(g *Mirror, core *tcp.Core) {
	n := int64(0)
	if f := gd.feed; f != nil && f.feeds() && !f.progress.Heeded() && !core.Ended() {
		n = int64(core.Retained())
	}
	if n == gd.kept {
		return
	}
	total := g.history.Add(n - gd.kept)
	gd.kept = n
	if n > max(maxBacklog, int64(g.cfg.History)) || n > 0 && total > max(totalHistory, int64(g.cfg.History)) {
		g.history.Add(-n)
		gd.kept = 0
		gd.feed.release("the standby's handler is further behind than what is kept for it")
		gd.bound(core)
	}
}

// forget gives up what is kept for a standby to come.
func (gd *guarded) forget(g *Mirror) {
	if gd.lost {
		return
	}
	g.history.Add(-gd.kept)
	gd.lost, gd.kept = true, 0
	if gd.feed == nil {
		gd.events = nil
	}
}

// bound sets the core's marks by the ledger, and what the core keeps. It is the only place where
// this node's marks come from.
func (gd *guarded) bound(core *tcp.Core) {
	m := gd.guard.Marks()
	keep := int64(ledger.Unlimited)
	if !gd.lost {
		keep = 1
	}
	if f := gd.feed; f != nil && f.feeds() {
		keep = min(keep, max(1, f.sent.InEnd))
	}
	core.Bound(tcp.Marks{
		Ackable: m.Ackable, Sendable: m.Sendable, PeerRead: m.PeerRead,
		KeepIn: keep, KeepOut: tcp.Unlimited,
	})
}

// leave takes a leader's standby out of the ledger, and with it what that has bound.
func (gd *guarded) leave(g *Mirror, core *tcp.Core, l *leader) {
	f := gd.feed
	if f == nil || f.leader != l {
		return
	}
	gd.guard.Remove(&f.progress)
	gd.feed = nil
	gd.unprotected("there is no standby")
	f.conn.Protected.Store(false)
	gd.bound(core)
}

// unprotected says why a connection is not protected.
func (gd *guarded) unprotected(why string) { gd.reason.Store(&why) }

// at is where the active node is with a connection.
func at(core *tcp.Core, p *tcp.Positions) ledger.Positions {
	acked, sent := core.Shown()
	return ledger.Positions{In: p.Received, Read: p.Read, Out: p.OutEnd, Acked: acked, Sent: sent}
}

// feed is the leader's side of one connection and standby: a Progress, and what the log has of
// it. It is guarded by the connection's lock, but for what leader.mu guards.
type feed struct {
	leader *leader
	conn   *stack.Conn
	gd     *guarded
	id     uint64

	queued, later bool // in leader.ready, in leader.lazy; leader.mu
	first         bool // was there before the standby, which does not have it yet; leader.mu

	progress ledger.Progress
	waits    bool // the standby's program does not listen there (yet)
	opened   bool // the standby was sent the snapshot,
	answered bool // and one with the peer's SYN
	toGate   bool // the gate has not been sent
	released bool // the release has been sent
	ended    bool // the end has been sent, or there is nothing to send
	events   int  // so many of guarded.events have been sent

	sent tcp.Positions // what the log says
	sums []checkpoint  // of output that is not verified
}

// checkpoint is the digest's state at a position.
type checkpoint struct {
	at  int64
	sum digest.Sum
}

// maxSums bounds the checkpoints of a connection whose standby is behind. When there are too many,
// every other is left out.
const maxSums = 32

// feeds says that input still has to be sent.
func (f *feed) feeds() bool {
	return !f.ended && !f.waits && f.progress.Phase() < ledger.Releasing
}

// eventAt is the place in the input of the next event to be sent: no input beyond it is
// sent before.
func (f *feed) eventAt() int64 {
	if f.events >= len(f.gd.events) {
		return ledger.Unlimited
	}
	if d := f.gd.events[f.events].GetDeadline(); d != nil && !d.Write {
		return d.At
	}
	return 0
}

// checkpoint remembers the digest's state as it is sent.
func (f *feed) checkpoint() {
	at := f.gd.sum.Len() + 1
	if n := len(f.sums); n > 0 && f.sums[n-1].at >= at {
		return
	}
	if len(f.sums) >= maxSums {
		thin := f.sums[:0]
		for i, s := range f.sums {
			if i%2 == 0 {
				thin = append(thin, s)
			}
		}
		f.sums = thin
	}
	f.sums = append(f.sums, checkpoint{at, f.gd.sum})
}

// verified forgets the checkpoints that are behind, but for the last one.
func (f *feed) verified() {
	v, n := f.progress.Verified(), 0
	for n+1 < len(f.sums) && f.sums[n+1].at <= v {
		n++
	}
	f.sums = append(f.sums[:0], f.sums[n:]...)
}

// differs compares the standby's output, which ends at a position, with this node's. It returns
// false also where that cannot be known any more.
func (f *feed) differs(g *Mirror, core *tcp.Core, end int64, sum []byte) bool {
	p := core.Positions()
	if end > p.OutData || core.Ended() {
		return false
	}
	var base digest.Sum
	found := false
	for _, s := range f.sums {
		if s.at <= end {
			base, found = s.sum, true
		}
	}
	from := base.Len() + 1
	if !found && from < p.OutStart || found && from < p.OutStart && from < end {
		return false
	}
	for _, part := range core.Output(nil, from, end) {
		base.Write(g.digest, part)
	}
	if base.Len()+1 != end {
		return false
	}
	own := base.Digest(g.digest)
	return string(own[:]) != string(sum)
}

// release takes the connection away from the standby, and says why.
func (f *feed) release(why string) {
	if f.ended || f.progress.Phase() >= ledger.Releasing {
		return
	}
	g := f.leader.g
	g.released.Add(1)
	f.lose(why)
	if f.progress.Release() {
		f.leader.push(f)
		return
	}
	f.leader.drop(f)
}

// lose says that the connection goes on unprotected.
func (f *feed) lose(why string) {
	f.gd.unprotected(why)
	f.conn.Protected.Store(false)
	f.leader.g.notes.Warn("ftcp: a connection goes on unprotected",
		"peer", f.conn.RemoteAddr(), "local", f.conn.LocalAddr(), "why", why)
}

// lags releases the connection if it has waited for the standby's handler for too long.
func (f *feed) lags(core *tcp.Core, now time.Time, limit time.Duration) {
	if !f.opened || f.ended {
		return
	}
	p := core.Positions()
	if what := f.progress.Lags(now, at(core, &p), p.Edge-p.Received, limit); what != "" {
		f.release("the standby's handler lags behind: it has yet to " + what)
	}
}
