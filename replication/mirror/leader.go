package mirror

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/replication/ledger"
	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// leader is the active node's side of a link: the log, and what the standby says of it.
//
// The log is pulled: a connection says that it has news, and send takes the difference when
// the link has room. No lock is held while anything is sent.
type leader struct {
	g    *Mirror
	link *peerlink.Link
	mate reign.Member

	wake chan struct{} // there is something to send; holds one
	done chan struct{} // closed when the leader is not needed any more

	heard  atomic.Int64               // when the standby was heard last, on the group's clock
	echo   atomic.Int64               // the latest of our clock values that the standby has heard
	health atomic.Pointer[reign.Port] // the standby's port to the service network

	input []byte // of the frame that is being made; used by send only

	mu       sync.Mutex
	byID     map[uint64]*feed
	nextID   uint64
	ready    []*feed // have something to send,
	void     int     // but so many of them no more
	lazy     []*feed // have something that can wait for the next heartbeat
	lsn      uint64  // of the last record sent
	inflight []pending
	lag      int64 // bytes of input in inflight

	opening   int             // connections that were there before the standby, and are not in its memory yet
	caught    bool            // Caught has been said
	member    *reign.Record   // the record that makes the standby a member; nil: it is none
	told      bool            // it has been sent: from here on, the standby may take over
	toldAt    uint64          // the record as which that counts,
	sworn     bool            // which the standby has confirmed: from here on, it can take over
	bye       bool            // a goodbye is to be sent
	closed    bool            // by this side, for the standby's silence
	finished  bool            // nothing more is to be done
	listens   map[string]bool // where the standby's program listens
	confirmed uint64
}

// pending is a record whose confirmation is awaited.
type pending struct {
	lsn     uint64
	feed    *feed
	in      int64 // the input before it is in the standby's memory once it is confirmed
	bytes   int64
	release bool
	opened  bool
}

const (
	maxRecords = 512       // of a frame
	maxInput   = 256 << 10 // bytes of input in a frame
	lazyBytes  = 256 << 10 // acknowledged output or read input that is worth a record of its own

	// replayAhead is how much input a standby is sent that its handler has not read, as long as
	// the marks do not heed it, and so do not bound that: for each connection and in total.
	replayAhead      = 4 << 20
	replayAheadTotal = 64 << 20
)

// adopt begins to feed a connection that was there before the standby.
func (l *leader) adopt(c *stack.Conn, gd *guarded, core *tcp.Core) {
	if gd.feed != nil || core.Ended() || core.Replica() {
		return
	}
	if gd.lost {
		gd.unprotected(beyondHistory)
		return
	}
	f := l.add(c, gd)
	gd.unprotected("the standby has not caught up with it yet")
	if f.waits = !l.listensOn(c); f.waits {
		gd.unprotected(noListener)
		return
	}
	l.mu.Lock()
	f.first = true
	l.opening++
	l.mu.Unlock()
	l.push(f)
}

const (
	noListener    = "the standby's program does not listen there"
	beyondHistory = "it has received more than what is kept for a standby that comes later (History)"
)

// opened begins to feed a new connection. Nothing has been sent to its peer yet, but for a cookie.
func (l *leader) opened(c *stack.Conn, gd *guarded, core *tcp.Core) {
	f := l.add(c, gd)
	if f.waits = !l.listensOn(c); f.waits {
		gd.unprotected(noListener)
		return
	}
	l.freeze(f, core)
	l.push(f)
}

// freeze makes the marks heed the standby. They are bound before the connection is unlocked.
func (l *leader) freeze(f *feed, core *tcp.Core) {
	p := core.Positions()
	f.progress.Freeze(time.Now(), at(core, &p))
	f.toGate = true
	f.gd.unprotected("the standby has not confirmed yet what its peer may have seen")
	f.gd.bound(core)
}

func (l *leader) add(c *stack.Conn, gd *guarded) *feed {
	f := &feed{leader: l, conn: c, gd: gd}
	gd.feed = f
	gd.guard.Add(&f.progress)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextID++
	f.id = l.nextID
	l.byID[f.id] = f
	return f
}

// listening takes note of where the standby's program listens.
func (l *leader) listening(s *replpb.Settings) {
	listens := map[string]bool{}
	for _, a := range s.GetListeners() {
		listens[a] = true
	}
	l.mu.Lock()
	l.listens = listens
	l.mu.Unlock()
}

// listensOn says that the standby's program has a place for c. One that is dialed waits
// for its Dial.
func (l *leader) listensOn(c *stack.Conn) bool {
	if c.Dialed() != 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.listens[c.LocalAddr().String()]
}

// resettled is called when the standby's program listens elsewhere than before.
func (l *leader) resettled(s *replpb.Settings) {
	l.listening(s)
	for _, c := range l.g.stack.Conns() {
		gd, ok := c.Attachment().(*guarded)
		if !ok || !l.listensOn(c) {
			continue
		}
		c.Do(func(core *tcp.Core) {
			f := gd.feed
			if f == nil || f.leader != l || !f.waits || core.Ended() {
				return
			}
			f.waits = false
			if gd.lost {
				gd.unprotected(beyondHistory)
				l.drop(f)
				return
			}
			gd.unprotected("the standby has not caught up with it yet")
			l.push(f)
		})
	}
}

// push queues a feed for sending.
func (l *leader) push(f *feed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pushLocked(f)
}

func (l *leader) pushLocked(f *feed) {
	if f.queued || l.finished {
		return
	}
	f.queued = true
	l.ready = append(l.ready, f)
	kick(l.wake)
}

// news is called with the connection locked. It decides how urgent the news is, and never waits.
func (l *leader) news(f *feed, core *tcp.Core, p *tcp.Positions) {
	if f.ended || f.waits || f.progress.Phase() >= ledger.Releasing {
		if core.Ended() && !f.opened {
			l.miss(f)
		}
		return
	}
	if !f.opened && core.Ended() && f.conn.Dialed() == 0 { // the other node's Dial waits for the error of one that was dialed
		l.miss(f)
		return
	}
	last := &f.sent
	switch {
	case !f.opened,
		p.InEnd != last.InEnd && l.room(f) > 0, p.InFIN != last.InFIN,
		p.OutEnd != last.OutEnd,
		!f.answered && p.Received > 0,
		p.Una-last.Una >= lazyBytes,
		last.Una == 0 && p.Una > 0, // the handshake is over
		f.toGate, core.Ended():
		l.push(f)
	case p.Una != last.Una || p.Edge != last.Edge || p.PathMSS != last.PathMSS:
		l.mu.Lock()
		if !f.later && !f.queued {
			f.later = true
			l.lazy = append(l.lazy, f)
		}
		l.mu.Unlock()
	}
}

// room is how much input the standby may be sent now.
func (l *leader) room(f *feed) int64 {
	if f.progress.Heeded() {
		return maxInput // the window bounds it
	}
	l.mu.Lock()
	n := int64(len(l.byID))
	l.mu.Unlock()
	ahead := min(replayAhead, max(replayAheadTotal/max(n, 1), 64<<10))
	return max(0, f.progress.Read()+ahead-f.sent.InEnd)
}

// miss forgets a feed that has ended before the standby was told of it. In a flood of
// SYNs, each followed by a RST, these are nearly all, and a link that stands still must
// not keep them in ready.
func (l *leader) miss(f *feed) {
	f.ended = true
	l.drop(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !f.queued {
		return
	}
	if l.void++; l.void >= maxRecords && l.void > len(l.ready)/2 {
		l.ready = slices.DeleteFunc(l.ready, func(f *feed) bool { return l.byID[f.id] == nil })
		l.void = 0
	}
}

// drop forgets a feed. What it has bound is bound no more.
func (l *leader) drop(f *feed) {
	f.progress.Forgotten()
	f.gd.guard.Remove(&f.progress)
	if f.gd.feed == f {
		f.gd.feed = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inMemoryLocked(f)
	delete(l.byID, f.id)
}

// inMemoryLocked takes note that the standby has a connection that was there before, or does not
// need it.
func (l *leader) inMemoryLocked(f *feed) {
	if f.first {
		f.first = false
		l.opening--
		kick(l.wake)
	}
}

// admit makes the standby a member: all marks heed it, and it is told so behind all of
// the log so far.
func (l *leader) admit(r reign.Record) {
	l.mu.Lock()
	l.member = &r
	l.mu.Unlock()
	kick(l.wake)
}

// admitted says that the standby may take over.
func (l *leader) admitted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}

// counts says that the standby can take over, by its own word.
func (l *leader) counts() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sworn
}

// goodbye says behind all of the log that this node is silent, and that the standby takes over.
func (l *leader) goodbye() {
	l.mu.Lock()
	l.bye = true
	l.mu.Unlock()
	kick(l.wake)
}

// end ends the leader. It can be called more than once.
func (l *leader) end() {
	l.mu.Lock()
	first := !l.finished
	l.finished = true
	l.mu.Unlock()
	if first {
		// What was confirmed for this link is not said of connections without it.
		for _, f := range l.feeds() {
			f.gd.unprotected("the link to the standby has ended")
			f.conn.Protected.Store(false)
		}
		close(l.done)
		l.link.Close()
		if l.g.leader.Load() == l && l.admitted() {
			l.g.sureUntil.Store(0) // the standby may have taken over
		}
	}
}

// heardAt is when the standby was heard last.
func (l *leader) heardAt() time.Duration { return time.Duration(l.heard.Load()) * time.Microsecond }

// port is what the standby has said of its port to the service network.
func (l *leader) port() reign.Port {
	if p := l.health.Load(); p != nil {
		return *p
	}
	return reign.Port{}
}
