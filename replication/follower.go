package replication

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// follower is the standby's side of a link: it replays the log into replicas, and says
// what their handlers did.
type follower struct {
	g    *Group
	link *link

	wake   chan struct{}
	heard  atomic.Int64 // when the active node was heard last, on the group's clock
	inSync atomic.Bool  // this node may take over

	mu      sync.Mutex
	byID    map[uint64]*replica
	byConn  map[*stack.Conn]*replica
	ready   []*replica // have progress to report
	refused []*replpb.Progress
	applied uint64 // all records up to this one are in memory
	echo    int64  // the active node's clock, as heard last
	clock   uint32 // its timestamp clock, as heard last,
	clockAt time.Time
	stopped bool // nothing more is confirmed: this node is about to take over, or has given up
	bye     bool // the active node leaves on purpose
	leaving bool // this node does
	byeSent chan struct{}
	sendEnd chan struct{} // closed when send has returned
}

// replica is what a follower knows of one connection. What concerns verification is guarded by
// the connection's lock, the rest by follower.mu.
type replica struct {
	id   uint64
	conn *stack.Conn

	expect []digest // of the active node's output, ascending; with conn locked
	gated  bool     // with conn locked
	gateAt int64    // output before it may have left when the marks were set; with conn locked
	recent time.Time

	queued         bool
	verified, read int64 // to report
	said           replpb.Progress
	gone           bool
}

// digest is the CRC-32C of the active node's output up to a position.
type digest struct {
	end int64
	crc uint32
	fin bool
}

// maxExpected bounds the digests of a replica whose handler is behind. Older ones
// are implied by newer ones; when there are too many, every other is left out.
const maxExpected = 256

// follow makes this node the standby of l's other end. It returns true when this node has become active.
func (g *Group) follow(l *link) bool {
	f := &follower{
		g: g, link: l, wake: make(chan struct{}, 1),
		byID: map[uint64]*replica{}, byConn: map[*stack.Conn]*replica{},
		byeSent: make(chan struct{}), sendEnd: make(chan struct{}),
	}
	f.heard.Store(g.clock())
	g.follower.Store(f)
	g.wg.Go(f.send)
	g.wg.Go(f.watch)
	stop := make(chan struct{})
	defer close(stop)
	g.wg.Go(func() {
		select {
		case <-g.ctx.Done():
			l.close()
		case <-stop:
		}
	})

	err := f.receive()
	return g.activeLost(f, err)
}

// receive replays what the active node says, until the link ends.
func (f *follower) receive() error {
	var frame replpb.Frame
	for {
		if err := f.link.receive(&frame); err != nil {
			return err
		}
		if err := f.take(&frame); err != nil {
			return err
		}
		if frame.Goodbye {
			return errGoodbye
		}
		if f.link.buffered() == 0 {
			f.kick() // one confirmation for a burst
		}
	}
}

// take handles one frame.
func (f *follower) take(frame *replpb.Frame) error {
	g := f.g
	f.heard.Store(g.clock())
	if _, epoch, _ := g.state(); frame.Epoch != epoch {
		return fmt.Errorf("replication: the active node speaks of epoch %d, after %d", frame.Epoch, epoch)
	}
	for _, r := range frame.Records {
		if err := f.apply(r); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return errSilent
	}
	if frame.Lsn < f.applied {
		return fmt.Errorf("replication: the log goes back from %d to %d", f.applied, frame.Lsn)
	}
	f.applied = frame.Lsn
	f.echo, f.clock, f.clockAt = frame.ClockUs, frame.TimestampMs, time.Now()
	f.bye = frame.Goodbye
	if frame.InSync && !f.inSync.Load() {
		f.inSync.Store(true)
		g.stack.Mirrored()
		g.setRole(replpb.Role_ROLE_STANDBY, frame.Epoch)
	}
	return nil
}

// apply replays one record. An error is one of the active node, and ends the link; what is
// wrong with this node's replica only ends the replica.
func (f *follower) apply(rec *replpb.Record) error {
	f.mu.Lock()
	r := f.byID[rec.Conn]
	stopped := f.stopped
	f.mu.Unlock()
	if stopped {
		return errSilent
	}
	switch {
	case rec.Open != nil:
		if r != nil {
			return fmt.Errorf("replication: connection %d opens twice", rec.Conn)
		}
		return f.open(rec.Conn, rec.Open)
	case r == nil || r.gone:
		return nil // refused before
	case rec.Answer != nil:
		return f.answer(r, rec.Answer)
	case rec.Delta != nil:
		f.delta(r, rec.Delta)
	case rec.End != nil:
		err := endError(rec.End.Reason)
		f.forget(r)
		r.conn.Do(func(core *tcp.Core) { core.End(err) })
	case rec.Release:
		f.forget(r)
		r.conn.Do(func(core *tcp.Core) { core.End(ErrUnprotected) })
	}
	return nil
}

func (f *follower) open(id uint64, o *replpb.Open) error {
	local, remote, mac, snap, err := parseOpen(o)
	if err != nil {
		return err
	}
	c, err := f.g.stack.Restore(local, remote, mac, snap, o.Dial)
	if err != nil {
		f.mu.Lock()
		f.refused = append(f.refused, &replpb.Progress{Conn: id, Refused: err.Error()})
		f.mu.Unlock()
		return nil
	}
	if f.g.cfg.History > 0 {
		c.View(func(core *tcp.Core) { core.Retain(1) })
	}
	r := &replica{id: id, conn: c, verified: 1, read: 1, recent: time.Now()}
	f.mu.Lock()
	f.byID[id], f.byConn[c] = r, r
	f.mu.Unlock()
	return nil
}

func (f *follower) answer(r *replica, o *replpb.Open) error {
	_, _, mac, snap, err := parseOpen(o)
	if err != nil {
		return err
	}
	if err := r.conn.Answer(mac, snap); err != nil {
		f.refuse(r, err)
	}
	return nil
}

func (f *follower) delta(r *replica, d *replpb.Delta) {
	var err error
	r.conn.Do(func(core *tcp.Core) {
		if core.Ended() {
			return
		}
		now := time.Now()
		u := tcp.Update{
			InAt: d.InputAt, Input: d.Input, InFIN: d.InputFin,
			Una: d.Una, Edge: d.Edge, SndWnd: int64(d.SendWindow), TSRecent: d.TsRecent, Biggest: int(d.SegmentSize), PathMSS: int(d.PathMss),
		}
		if len(d.Input) > 0 || d.Una > core.Positions().Una {
			r.recent = now
		}
		if err = core.Replay(now, &u); err != nil {
			return
		}
		if n := len(r.expect); n == 0 || r.expect[n-1].end < d.OutputEnd {
			r.expect = append(r.expect, digest{d.OutputEnd, d.OutputCrc, d.OutputFin})
			if len(r.expect) > maxExpected {
				thin := r.expect[:0]
				for i, e := range r.expect {
					if i%2 == 1 || i == n {
						thin = append(thin, e)
					}
				}
				r.expect = thin
			}
		}
		if d.Gate {
			r.gated, r.gateAt = true, d.OutputEnd
		}
		// Do ends in news, which verifies.
	})
	if err != nil {
		f.refuse(r, err)
	}
}

// news is called with c locked, when its handler may have read or written.
func (f *follower) news(c *stack.Conn, core *tcp.Core) {
	f.mu.Lock()
	r := f.byConn[c]
	f.mu.Unlock()
	if r != nil && errors.Is(core.Err(), stack.ErrGivenUp) {
		f.refuse(r, core.Err())
	}
	if r == nil || !core.Replica() || core.Ended() {
		return
	}
	for len(r.expect) > 0 {
		e := r.expect[0]
		done, err := core.Verify(time.Now(), e.end, e.crc, e.fin)
		if err != nil {
			core.End(err)
			f.refuse(r, err)
			return
		}
		if !done {
			break
		}
		r.expect = r.expect[:copy(r.expect, r.expect[1:])]
	}
	f.g.boundHistory(core)
	p := core.Positions()
	f.mu.Lock()
	defer f.mu.Unlock()
	r.verified, r.read = core.Verified(), p.Read
	worth := r.verified > r.said.Verified ||
		r.read-r.said.Read >= lazyBytes || r.read > r.said.Read && r.read == p.InEnd
	if worth && !r.queued && !r.gone {
		r.queued = true
		f.ready = append(f.ready, r)
		f.kick()
	}
}

// refuse gives a replica up, and tells the active node.
func (f *follower) refuse(r *replica, why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.gone {
		return
	}
	f.g.log.Warn("ftcp: a replica is of no use", "peer", r.conn.RemoteAddr(), "local", r.conn.LocalAddr(), "why", why)
	f.refused = append(f.refused, &replpb.Progress{Conn: r.id, Refused: why.Error()})
	f.forgetLocked(r)
	f.kick()
}

func (f *follower) forget(r *replica) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgetLocked(r)
}

func (f *follower) forgetLocked(r *replica) {
	r.gone = true
	delete(f.byID, r.id)
	delete(f.byConn, r.conn)
}

func (f *follower) kick() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// send is the goroutine that confirms and reports.
func (f *follower) send() {
	defer close(f.sendEnd)
	beat := time.NewTicker(f.g.cfg.Heartbeat)
	defer beat.Stop()
	var confirmed uint64
	for {
		due := false
		select {
		case <-f.wake:
		case <-beat.C:
			due = true
		case <-f.g.ctx.Done():
			return
		}
		frame := replpb.Frame{}
		f.mu.Lock()
		if f.stopped {
			f.mu.Unlock()
			return
		}
		frame.ConfirmedLsn = f.applied
		frame.EchoClockUs = f.echo
		frame.Goodbye = f.leaving
		frame.Progress, f.refused = f.refused, nil
		for i, r := range f.ready {
			r.queued = false
			f.ready[i] = nil
			if !r.gone {
				r.said.Verified, r.said.Read = r.verified, r.read
				frame.Progress = append(frame.Progress, &replpb.Progress{Conn: r.id, Verified: r.verified, Read: r.read})
			}
		}
		f.ready = f.ready[:0]
		if len(frame.Progress) == 0 && frame.ConfirmedLsn == confirmed && !due && !frame.Goodbye {
			f.mu.Unlock()
			continue
		}
		f.mu.Unlock()
		_, frame.Epoch, _ = f.g.state()
		frame.ClockUs = f.g.clock()
		if err := f.link.send(&frame); err != nil {
			f.link.close()
			return
		}
		confirmed = frame.ConfirmedLsn
		if frame.Goodbye {
			close(f.byeSent)
			return
		}
	}
}

// watch looks for an active node that is silent.
//
// One that answers for the service address lives, and may only be slow: to give it up at once would cost
// its connections their protection. But it has to be given up before it may go on
// alone, see inDoubt.
func (f *follower) watch() {
	g := f.g
	stopped := func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.stopped
	}
	for g.untilSilent(&f.heard, max(g.silence()-probeWait, g.silence()/2), stopped, nil) {
		last := f.heard.Load()
		heard := func() bool { return f.heard.Load() != last || stopped() }
		if g.stack.Probe(probeWait) && !g.untilSilent(&f.heard, 3*g.silence(), heard, nil) || heard() {
			continue
		}
		f.mu.Lock()
		f.stopped = true
		f.mu.Unlock()
		f.link.interrupt()
		return
	}
}

// goodbye tells the active node to go on alone, and waits until it has been told.
func (f *follower) goodbye() {
	f.mu.Lock()
	f.leaving = true
	f.mu.Unlock()
	f.kick()
	select {
	case <-f.byeSent:
	case <-time.After(f.g.silence()):
	}
}
