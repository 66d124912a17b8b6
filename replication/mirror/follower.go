package mirror

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// follower is the standby's side of a link: it replays the log into replicas, and says
// what their handlers did.
type follower struct {
	g     *Mirror
	link  *peerlink.Link
	mate  reign.Member
	reign reign.Reign

	wake    chan struct{} // there is something to report; holds one
	sendEnd chan struct{} // closed when send has returned,
	recvEnd chan struct{} // and receive

	applying sync.Mutex // held while a frame is replayed

	mu      sync.Mutex
	byID    map[uint64]*replica
	ready   []*replica // have progress to report
	refused []*replpb.Progress
	endings []ending
	applied uint64 // all records up to this one are in memory
	echo    int64  // the active node's clock, as heard last
	ages    ages   // of what arrives from it
	clock   uint32 // its timestamp clock, as heard last,
	clockAt time.Time
	stopped bool // nothing more is replayed or confirmed: this node is about to take over, or has given up
	bye     bool // the active node leaves on purpose
	leaving bool // this node does
	byeSent chan struct{}

	saidListeners []string // in the hello
}

var (
	errStopped = errors.New("replication: this node follows no more")
	errLog     = errors.New("replication: the active node's log makes no sense")
)

// closing says how the link ended, by the error of the last Receive.
func (f *follower) closing(err error) reign.Closing {
	f.g.notes.Info("ftcp: the link to the active node has ended", "active", f.link.RemoteAddr(), "err", err)
	if peerlink.ClosedByPeer(err) {
		return reign.ByKernel
	}
	return reign.ByOther
}

// receive replays what the active node says, until the link ends.
func (f *follower) receive() error {
	var frame replpb.Frame
	for {
		payload, err := f.link.Receive(&frame)
		if err != nil {
			return err
		}
		if err := f.take(&frame, payload); err != nil {
			if err != errStopped { // then the link is needed: see claim
				f.link.Close()
			}
			return err
		}
		if f.link.Buffered() == 0 {
			kick(f.wake) // one confirmation for a burst
		}
	}
}

// take handles one frame.
func (f *follower) take(frame *replpb.Frame, payload []byte) error {
	f.applying.Lock()
	defer f.applying.Unlock()
	f.mu.Lock()
	stopped := f.stopped
	f.ages.take(f.g.now(), time.Duration(frame.ClockUs)*time.Microsecond)
	f.echo = max(f.echo, frame.ClockUs)
	f.mu.Unlock()
	if stopped {
		return errStopped
	}
	switch body := frame.Body.(type) {
	case *replpb.Frame_Log:
		return f.takeLog(body.Log, payload)
	case *replpb.Frame_Goodbye:
		f.mu.Lock()
		f.bye = true
		f.mu.Unlock()
		f.g.post(f.g.Heard()) // when it was said
		f.g.post(reign.Bye{Peer: f.mate.Incarnation})
	}
	return nil
}

func (f *follower) takeLog(log *replpb.Log, payload []byte) error {
	cut := peerlink.Payload(payload)
	for _, r := range log.Records {
		input, err := cut.Cut(r)
		if err != nil {
			return err
		}
		if err := f.apply(r, input); err != nil {
			return err
		}
	}
	if err := cut.Done(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if log.Lsn < f.applied {
		return fmt.Errorf("%w: it goes back from record %d to %d", errLog, f.applied, log.Lsn)
	}
	f.applied = log.Lsn
	f.clock, f.clockAt = log.TimestampMs, time.Now()
	if log.InSync != 0 {
		f.g.stack.Mirrored()
		f.g.post(reign.Admitted{Record: reign.Record{
			Revision: log.InSync, Reign: f.reign, Active: f.mate, Set: []reign.Member{f.g.cfg.Self},
		}})
	}
	return nil
}

// apply replays one record. An error is one of the active node, and ends the link; what is
// wrong with this node's replica only ends the replica.
func (f *follower) apply(rec *replpb.Record, input []byte) error {
	f.mu.Lock()
	r := f.byID[rec.Conn]
	f.mu.Unlock()
	if open, ok := rec.Step.(*replpb.Record_Open); ok {
		if r != nil {
			return fmt.Errorf("%w: connection %d opens twice", errLog, rec.Conn)
		}
		return f.open(rec.Conn, open.Open)
	}
	if r == nil {
		return nil // refused before
	}
	switch step := rec.Step.(type) {
	case *replpb.Record_Answer:
		return r.answer(step.Answer)
	case *replpb.Record_Delta:
		r.delta(step.Delta, input)
	case *replpb.Record_Gate:
		r.conn.Do(func(*tcp.Core) { r.gate(step.Gate) })
	case *replpb.Record_Event:
		r.event(step.Event)
	case *replpb.Record_End:
		f.ends(r, step.End.Reason)
	case *replpb.Record_Release:
		f.forget(r)
		r.end(ErrUnprotected)
	}
	return nil
}

func (f *follower) open(id uint64, o *replpb.Open) error {
	local, remote, mac, snap, err := parseOpen(o)
	if err != nil {
		return err
	}
	if o.Dial == 0 {
		switch waits, ok := f.g.stack.Waits(local); {
		case !ok:
			f.refuseID(id, replpb.Refused_NO_LISTENER, "")
			return nil
		case waits > f.g.cfg.MaxLag:
			f.refuseID(id, replpb.Refused_NOT_ACCEPTED, "")
			return nil
		}
	}
	r := &replica{f: f, id: id, recent: time.Now(), said: said{verified: 1, read: 1}, verified: 1, lost: f.g.cfg.History < 0}
	attach := func(c *stack.Conn) any {
		r.conn = c
		return r
	}
	c, err := f.g.stack.Restore(local, remote, mac, snap, o.Dial, attach)
	if errors.Is(err, stack.ErrExists) {
		f.endAll(time.Now()) // it may be one that lingers
		c, err = f.g.stack.Restore(local, remote, mac, snap, o.Dial, attach)
	}
	if err != nil {
		f.refuseID(id, replpb.Refused_OTHER, err.Error())
		return nil
	}
	c.View(r.bound)
	f.mu.Lock()
	f.byID[id] = r
	f.mu.Unlock()
	c.Do(func(*tcp.Core) {}) // what its handler has done meanwhile
	return nil
}

func (f *follower) refuseID(id uint64, reason replpb.Refused_Reason, detail string) {
	f.mu.Lock()
	f.refused = append(f.refused, &replpb.Progress{Conn: id, Refused: &replpb.Refused{Reason: reason, Detail: detail}})
	f.mu.Unlock()
	kick(f.wake)
}

// refuse gives a replica up, and tells the active node.
func (f *follower) refuse(r *replica, reason replpb.Refused_Reason, detail string) {
	f.mu.Lock()
	known := f.byID[r.id] == r && !f.stopped
	delete(f.byID, r.id)
	f.mu.Unlock()
	if known {
		f.g.notes.Warn("ftcp: a replica is of no use", "peer", r.conn.RemoteAddr(), "local", r.conn.LocalAddr(),
			"why", refusal(&replpb.Refused{Reason: reason, Detail: detail}))
		f.refuseID(r.id, reason, detail)
	}
}

func (f *follower) forget(r *replica) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byID, r.id)
}

// report queues a replica whose progress is to be reported: at once, or with the next heartbeat.
func (f *follower) report(r *replica, now bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped || f.byID[r.id] != r {
		return
	}
	if !r.queued {
		r.queued = true
		f.ready = append(f.ready, r)
	}
	if now {
		kick(f.wake)
	}
}

// stop ends all replaying and confirming. When it returns, no replica changes any more by what the
// active node says, and nothing is confirmed that was not in memory before.
func (f *follower) stop() {
	f.stopConfirming()
	f.link.Interrupt()
	f.applying.Lock()
	f.applying.Unlock()
}

func (f *follower) stopConfirming() {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
	kick(f.wake)
}

// told says that the active node has said that it leaves.
func (f *follower) told() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bye
}

// timestamp is the active node's clock of TCP timestamps now, as far as is known.
func (f *follower) timestamp() uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock + uint32(time.Since(f.clockAt)/time.Millisecond)
}

// replicas returns all, first those whose peers have spoken lately: they wait for an answer.
func (f *follower) replicas() []*replica {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*replica, 0, len(f.byID))
	for _, r := range f.byID {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *replica) int { return b.recent.Compare(a.recent) })
	return all
}

// claim tells the old active node that its reign is over, should it still live, and holds the link
// until it has closed it: a link that breaks without this message says that the standby's
// process has ended.
func (f *follower) claim(r reign.Reign) {
	<-f.sendEnd
	<-f.recvEnd
	stop := make(chan struct{})
	defer close(stop)
	f.g.wg.Go(func() {
		select {
		case <-f.g.ctx.Done():
		case <-stop:
		}
		f.link.Close()
	})
	frame := replpb.Frame{ClockUs: f.g.clock(), Body: &replpb.Frame_Claim{Claim: &replpb.Claim{
		Reign: &replpb.Reign{Lineage: r.Lineage, Epoch: r.Epoch},
	}}}
	if f.link.Send(&frame) == nil {
		f.link.Drain()
	}
}

// goodbye tells the active node to go on alone, and waits until it has been told.
func (f *follower) goodbye() {
	f.mu.Lock()
	f.leaving = true
	f.mu.Unlock()
	kick(f.wake)
	select {
	case <-f.byeSent:
	case <-f.sendEnd:
	case <-time.After(f.g.cfg.Silence):
	}
}
