package replication

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// session is the active node's side of a link: the log, and what the standby says of it.
type session struct {
	g    *Group
	link *link
	name string // the standby's

	wake  chan struct{} // there is something to send; holds one
	heard atomic.Int64  // when the standby was heard last, on the group's clock
	echo  atomic.Int64  // the latest of our clock values that the standby has heard

	input []byte // of the frame that is being made; used by send only

	mu       sync.Mutex
	feeds    map[*stack.Conn]*feed
	byID     map[uint64]*feed
	nextID   uint64
	ready    []*feed   // have something to send,
	void     int       // but so many of them no more
	lazy     []*feed   // have something that can wait for the next heartbeat
	lsn      uint64    // of the last record sent
	inflight []pending // sent, not confirmed; ascending by lsn
	lag      int64     // bytes of input in inflight

	opening   int           // connections that were there before the standby, and are not in its memory yet
	toldSync  bool          // in_sync has been sent: from here on, the standby may take over
	wantBye   bool          // send a goodbye
	finished  bool          // the link is dead
	done      chan struct{} // closed when receive has returned
	confirmed uint64
}

// feed is what a session knows of one connection. It is guarded by session.mu.
type feed struct {
	conn   *stack.Conn
	id     uint64
	queued bool // in ready
	later  bool // in lazy

	opened   bool // the standby was sent the snapshot
	answered bool // one with the peer's SYN
	gated    bool // the marks bound the connection
	wantGate bool // the standby has caught up: gate with the next delta
	releasing, released,
	ended bool
	first bool // was there before the standby

	sent     tcp.Positions // what the log says
	goal     goal          // what the standby needs for having caught up
	gateAt   int64         // end of the output that may have left when the marks were set
	confirm  int64         // input that the standby has
	verified int64         // output that the standby's handler has produced too
	read     int64         // input that it has read
	moved    time.Time     // when verified or read last grew, or nothing was waited for
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
)

// lead makes l's other end the standby, and serves it until the link ends.
func (g *Group) lead(l *link, theirs *replpb.Hello) {
	s := &session{
		g: g, link: l, name: theirs.Node,
		wake:  make(chan struct{}, 1),
		feeds: map[*stack.Conn]*feed{}, byID: map[uint64]*feed{},
		done:  make(chan struct{}),
		input: make([]byte, 0, maxInput),
	}
	s.heard.Store(g.clock())
	g.mu.Lock()
	ok := g.role == replpb.Role_ROLE_ACTIVE && g.ctx.Err() == nil && g.session.CompareAndSwap(nil, s)
	g.mu.Unlock()
	if !ok {
		l.close()
		return
	}
	g.log.Info("ftcp: a standby joins", "standby", l.remoteAddr())
	// It may have been the active one before, with frames under way until just now by
	// which switches have learned that the address is there.
	g.stack.Announce()

	// Connections that begin from here on are gated from their birth, in opened.
	// The others follow.
	for _, c := range g.stack.Conns() {
		c.View(func(core *tcp.Core) { s.adopt(c, core) })
	}
	g.wg.Go(s.send)
	g.wg.Go(s.watch)
	err := s.receive()
	close(s.done)
	g.standbyLost(s, err)
}

// adopt begins to feed a connection that was there before the standby.
func (s *session) adopt(c *stack.Conn, core *tcp.Core) {
	p := core.Positions()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feeds[c] != nil || core.Ended() || core.Replica() {
		return
	}
	if p.InStart > 1 {
		return // its beginning is not here any more: it stays unprotected
	}
	f := s.add(c)
	f.first = true
	s.opening++
	s.push(f)
}

// opened begins to feed a new connection. Nothing has been sent to its peer yet.
func (s *session) opened(c *stack.Conn, core *tcp.Core) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feeds[c] != nil {
		return
	}
	f := s.add(c)
	f.gated = true
	f.gateAt = core.Gate()
	s.push(f)
}

func (s *session) add(c *stack.Conn) *feed {
	s.nextID++
	f := &feed{conn: c, id: s.nextID, moved: time.Now()}
	s.feeds[c], s.byID[f.id] = f, f
	return f
}

// push queues a feed for sending.
func (s *session) push(f *feed) {
	if f.queued || f.released {
		return
	}
	f.queued = true
	s.ready = append(s.ready, f)
	s.kick()
}

func (s *session) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// news is called with c locked. It decides how urgent the news is, and never waits.
func (s *session) news(c *stack.Conn, core *tcp.Core) {
	p := core.Positions()
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[c]
	if f == nil || f.released || f.ended {
		return
	}
	if !f.opened && core.Ended() && c.Dialed() == 0 { // the other node's Dial waits for the error of one that was dialed
		s.miss(f)
		return
	}
	if f.queued {
		return
	}
	last := &f.sent
	switch {
	case !f.opened,
		p.InEnd != last.InEnd, p.InFIN != last.InFIN,
		p.OutEnd != last.OutEnd,
		!f.answered && p.Received > 0,
		p.Una-last.Una >= lazyBytes,
		last.Una == 0 && p.Una > 0, // the handshake is over
		f.wantGate, core.Ended():
		s.push(f)
	case p.Una != last.Una || p.Edge != last.Edge || p.PathMSS != last.PathMSS:
		if !f.later {
			f.later = true
			s.lazy = append(s.lazy, f)
		}
	}
}

// send is the goroutine that writes the log.
func (s *session) send() {
	beat := time.NewTicker(s.g.cfg.Heartbeat)
	defer beat.Stop()
	var frame replpb.Frame
	for {
		due := false
		select {
		case <-s.wake:
		case <-beat.C:
			due = true
			s.mu.Lock()
			for i, f := range s.lazy {
				f.later = false
				s.push(f)
				s.lazy[i] = nil
			}
			s.lazy = s.lazy[:0]
			s.mu.Unlock()
		case <-s.g.ctx.Done():
			return
		}
		for {
			more := s.fill(&frame)
			if len(frame.Records) == 0 && !frame.InSync && !frame.Goodbye && !due {
				break
			}
			if err := s.link.send(&frame); err != nil {
				s.link.close() // receive finds out why
				return
			}
			due = false
			if frame.Goodbye {
				return
			}
			if !more {
				break
			}
		}
		if s.dead() {
			return
		}
	}
}

func (s *session) dead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished
}

// fill makes frame the next one to send, and says whether there is more.
func (s *session) fill(frame *replpb.Frame) (more bool) {
	g := s.g
	records := frame.Records[:0]
	*frame = replpb.Frame{}
	s.input = s.input[:0]
	for len(records) < maxRecords && len(s.input) < cap(s.input) {
		s.mu.Lock()
		if len(s.ready) == 0 {
			s.mu.Unlock()
			break
		}
		f := s.ready[0]
		s.ready[0] = nil
		s.ready = s.ready[1:]
		f.queued = false
		if f.ended && !f.opened {
			s.void--
		}
		s.mu.Unlock()
		f.conn.View(func(core *tcp.Core) { // the lock order is Conn, session
			s.mu.Lock()
			defer s.mu.Unlock()
			records = s.record(records, f, core)
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, epoch, _ := g.state()
	frame.Epoch, frame.ClockUs, frame.TimestampMs = epoch, g.clock(), g.stack.Timestamp()
	frame.Records = records
	frame.Lsn = s.lsn
	if !s.toldSync && s.opening == 0 && s.confirmed == s.lsn && len(records) == 0 {
		s.toldSync = true
		frame.InSync = true
		// From here on there is somebody who may take over.
		g.sureUntil.Store(s.echo.Load() + g.silence().Microseconds())
		g.log.Info("ftcp: the standby is in sync", "standby", s.link.remoteAddr())
	}
	if s.wantBye && len(s.ready) == 0 {
		frame.Goodbye = true
	}
	return len(s.ready) > 0
}

// record appends the records that bring the standby up to date on one connection.
func (s *session) record(records []*replpb.Record, f *feed, core *tcp.Core) []*replpb.Record {
	if f.released || f.ended {
		return records
	}
	p := core.Positions()
	g := s.g
	if f.releasing {
		s.lsn++
		s.inflight = append(s.inflight, pending{lsn: s.lsn, feed: f, release: true})
		return append(records, &replpb.Record{Conn: f.id, Release: true})
	}
	opening := !f.opened
	if opening {
		if core.Ended() && f.conn.Dialed() == 0 {
			s.drop(f)
			return records
		}
		s.lsn++
		s.inflight = append(s.inflight, pending{lsn: s.lsn, feed: f, opened: true})
		records = append(records, &replpb.Record{Conn: f.id, Open: openRecord(f.conn, core.Snapshot(), f.conn.PeerMAC())})
		f.opened, f.answered = true, p.Received > 0
		f.sent = tcp.Positions{InEnd: 1, OutEnd: 1}
		f.goal = goal{in: min(p.InEnd, p.Received), read: p.Read, out: p.OutEnd}
	} else if !f.answered && p.Received > 0 {
		s.lsn++
		s.inflight = append(s.inflight, pending{lsn: s.lsn, feed: f})
		records = append(records, &replpb.Record{Conn: f.id, Answer: openRecord(f.conn, core.Snapshot(), f.conn.PeerMAC())})
		f.answered = true
	}
	if p.InEnd > f.sent.InEnd && p.InStart > f.sent.InEnd {
		// Cannot be: what was not sent is retained. Better unprotected than wrong.
		g.log.Error("ftcp: input is gone before it was replicated", "peer", f.conn.RemoteAddr())
		s.release(f, "its input was not kept")
		return records
	}

	d := &replpb.Delta{InputAt: f.sent.InEnd}
	if n := int(min(p.InEnd-f.sent.InEnd, int64(cap(s.input)-len(s.input)))); n > 0 {
		d.Input = s.input[len(s.input) : len(s.input)+n]
		s.input = s.input[:len(s.input)+core.CopyInput(d.Input, f.sent.InEnd)]
	}
	end := d.InputAt + int64(len(d.Input))
	complete := end == p.InEnd
	d.InputFin = complete && p.InFIN
	d.OutputEnd, d.OutputCrc, d.OutputFin = p.OutEnd, p.OutCRC, p.OutFIN
	d.Una, d.Edge, d.SendWindow, d.TsRecent = p.Una, p.Edge, uint32(p.SndWnd), p.TSRecent
	d.SegmentSize, d.PathMss = uint32(p.Biggest), uint32(p.PathMSS)
	if f.wantGate || opening && f.gated {
		f.wantGate = false
		if !f.gated {
			f.gated = true
			core.Gate()
		}
		f.gateAt = p.OutEnd // as the standby has it
		d.Gate = true
	}
	f.sent = p
	f.sent.InEnd = end
	f.sent.InFIN = d.InputFin
	in := min(end, p.Received) // which is 0 in SYN-SENT
	if d.InputFin {
		in++
	}
	if g.cfg.History <= 0 || p.InStart > 1 || core.Retained() > g.cfg.History {
		core.Retain(end)
	}
	s.lsn++
	s.inflight = append(s.inflight, pending{lsn: s.lsn, feed: f, in: in, bytes: int64(len(d.Input))})
	s.lag += int64(len(d.Input))
	records = append(records, &replpb.Record{Conn: f.id, Delta: d})
	switch {
	case !complete:
		s.push(f)
	case core.Ended():
		s.lsn++
		s.inflight = append(s.inflight, pending{lsn: s.lsn, feed: f})
		records = append(records, &replpb.Record{Conn: f.id, End: &replpb.End{Reason: endReason(core.Err())}})
		f.ended = true
	}
	return records
}

// miss forgets a feed that has ended before the standby was told of it. In a flood of SYNs, each followed by a RST, these
// are nearly all, and a link that stands still must not keep them in ready.
func (s *session) miss(f *feed) {
	f.ended = true
	s.drop(f)
	if !f.queued {
		return
	}
	if s.void++; s.void >= maxRecords && s.void > len(s.ready)/2 {
		s.ready = slices.DeleteFunc(s.ready, func(f *feed) bool { return f.ended && !f.opened })
		s.void = 0
	}
}

// drop forgets a feed.
func (s *session) drop(f *feed) {
	if f.first {
		f.first = false
		s.opening--
	}
	delete(s.feeds, f.conn)
	delete(s.byID, f.id)
}

// release asks the standby to forget a connection, which then goes on unprotected.
func (s *session) release(f *feed, why string) {
	if f.releasing || f.released || f.ended {
		return
	}
	f.releasing = true
	s.g.released.Add(1)
	s.g.log.Warn("ftcp: a connection goes on unprotected", "peer", f.conn.RemoteAddr(), "local", f.conn.LocalAddr(), "why", why)
	s.push(f)
}

// receive handles what the standby says, until the link ends.
func (s *session) receive() error {
	var frame replpb.Frame
	for {
		if err := s.link.receive(&frame); err != nil {
			return err
		}
		g := s.g
		s.heard.Store(g.clock())
		if frame.Takeover {
			g.fence(frame.Epoch)
			return errFenced
		}
		if frame.Goodbye {
			return errGoodbye
		}
		if frame.EchoClockUs > s.echo.Load() && frame.EchoClockUs <= g.clock() {
			s.echo.Store(frame.EchoClockUs)
			s.mu.Lock()
			if s.toldSync && !s.finished {
				g.sureUntil.Store(frame.EchoClockUs + g.silence().Microseconds())
			}
			s.mu.Unlock()
		}
		if err := s.confirm(frame.ConfirmedLsn); err != nil {
			return err
		}
		for _, p := range frame.Progress {
			s.progress(p)
		}
		s.mu.Lock()
		if !s.toldSync && s.opening == 0 {
			s.kick()
		}
		s.mu.Unlock()
	}
}

var (
	errFenced  = errors.New("replication: fenced by the standby")
	errGoodbye = errors.New("replication: the other node has left the group")
	errSilent  = errors.New("replication: the other node is silent")
	errLSN     = errors.New("replication: the standby confirms what was not sent")
)

// confirm takes note that the standby has all records up to lsn.
func (s *session) confirm(lsn uint64) error {
	s.mu.Lock()
	if lsn > s.lsn {
		s.mu.Unlock()
		return errLSN
	}
	if lsn <= s.confirmed {
		s.mu.Unlock()
		return nil
	}
	s.confirmed = lsn
	n := 0
	var touched []*feed
	for n < len(s.inflight) && s.inflight[n].lsn <= lsn {
		p := &s.inflight[n]
		f := p.feed
		s.lag -= p.bytes
		f.confirm = max(f.confirm, p.in)
		f.released = f.released || p.release
		if p.opened {
			f.verified = max(f.verified, 1) // the SYN needs no handler
			if f.first {
				f.first = false
				s.opening--
			}
		}
		s.tryGate(f)
		if len(touched) == 0 || touched[len(touched)-1] != f {
			touched = append(touched, f)
		}
		n++
	}
	s.inflight = append(s.inflight[:0], s.inflight[n:]...)
	s.mu.Unlock()
	for _, f := range touched {
		s.apply(f)
	}
	return nil
}

// apply raises the marks of a connection to what the standby has.
func (s *session) apply(f *feed) {
	f.conn.Do(func(core *tcp.Core) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case f.released:
			core.Ungate()
			core.Retain(tcp.Unlimited)
			f.conn.Protected.Store(false)
			s.drop(f)
			return
		case f.ended:
			s.drop(f)
			return
		}
		if f.gated {
			core.RaiseAckable(f.confirm)
			core.RaiseSendable(f.verified)
			core.RaisePeerRead(f.read)
			f.conn.Protected.Store(f.verified >= f.gateAt && !f.releasing)
		}
	})
}

// progress takes note of what the standby's handler has done.
func (s *session) progress(p *replpb.Progress) {
	s.mu.Lock()
	f := s.byID[p.Conn]
	if f == nil {
		s.mu.Unlock()
		return
	}
	switch {
	case p.Refused != "":
		// The standby has forgotten it already.
		s.g.released.Add(1)
		s.g.log.Warn("ftcp: a connection goes on unprotected", "peer", f.conn.RemoteAddr(), "local", f.conn.LocalAddr(), "why", p.Refused)
		f.released = true
	case p.Verified > f.sent.OutEnd || p.Read > f.sent.InEnd:
		s.mu.Unlock()
		s.g.log.Error("ftcp: the standby claims what it was not sent", "peer", f.conn.RemoteAddr())
		s.link.close()
		return
	default:
		if p.Verified > f.verified || p.Read > f.read {
			f.moved = time.Now()
		}
		f.verified, f.read = max(f.verified, p.Verified), max(f.read, p.Read)
		s.tryGate(f)
	}
	s.mu.Unlock()
	s.apply(f)
}

// goal is where a connection was when its snapshot was taken. A standby that has come as far has caught up:
// with the marks set before, the peer would wait until the whole history has been replayed.
type goal struct{ in, read, out int64 }

// tryGate sets the marks of a connection with the next delta, if the standby has caught up with it.
func (s *session) tryGate(f *feed) {
	if !f.gated && !f.wantGate && !f.releasing && f.verified >= f.goal.out && f.confirm >= f.goal.in && f.read >= f.goal.read-lazyBytes {
		f.wantGate = true
		s.push(f)
	}
}

// watch looks for a standby that is silent, and for connections that wait too long for it.
func (s *session) watch() {
	checked := time.Now()
	tick := func(now time.Time) {
		if now.Sub(checked) > s.g.cfg.MaxLag/4 {
			checked = now
			s.checkLag(now)
		}
	}
	// The standby waits half as long: it decides first.
	if s.g.untilSilent(&s.heard, 2*s.g.silence(), s.dead, tick) {
		s.link.close()
	}
}

// checkLag releases the connections that have waited longer than MaxLag for the
// standby's handler.
func (s *session) checkLag(now time.Time) {
	s.mu.Lock()
	feeds := make([]*feed, 0, len(s.feeds))
	for _, f := range s.feeds {
		feeds = append(feeds, f)
	}
	s.mu.Unlock()
	for _, f := range feeds {
		f.conn.View(func(core *tcp.Core) {
			p := core.Positions()
			s.mu.Lock()
			defer s.mu.Unlock()
			output := f.opened && p.OutEnd > f.verified
			input := f.gated && f.read < p.Read && p.Edge-p.Received < 1<<16
			if !output && !input {
				f.moved = now
			} else if now.Sub(f.moved) > s.g.cfg.MaxLag {
				s.release(f, "the standby's handler lags behind")
			}
		})
	}
}

// goodbye silences this node, tells the standby to take over, and waits until it has
// done so. It returns false if there is no standby in sync; nothing has changed then.
func (s *session) goodbye() bool {
	s.mu.Lock()
	if !s.toldSync || s.finished {
		s.mu.Unlock()
		return false
	}
	s.wantBye = true
	s.mu.Unlock()
	s.g.stack.Silence()
	s.kick()
	select {
	case <-s.done: // by the standby's word that it has taken over
	case <-time.After(s.g.silence()):
	}
	return true
}

// status says whether the standby is in sync, and how much input it has not confirmed.
func (s *session) status() (inSync bool, lag int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.toldSync && !s.finished, s.lag
}
