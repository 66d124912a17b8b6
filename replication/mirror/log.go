package mirror

import (
	"time"

	"github.com/ftcp-project/ftcp/replication/ledger"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// send is the goroutine that writes the log.
func (l *leader) send() {
	beat := time.NewTicker(l.g.cfg.Heartbeat)
	defer beat.Stop()
	w := &logWriter{l: l}
	for {
		due := false
		select {
		case <-l.wake:
		case <-beat.C:
			due = true
			l.hurry()
		case <-l.done:
			return
		case <-l.g.ctx.Done():
			return
		}
		for {
			more := w.fill(due)
			if !w.worth() && !due {
				break
			}
			if err := l.link.Send(&w.frame, l.input); err != nil {
				return // receive finds out why; there may be a last word to be read
			}
			due = false
			if w.goodbye {
				return
			}
			if !more {
				break
			}
		}
		l.lookCaught()
	}
}

// hurry queues what could wait for a heartbeat.
func (l *leader) hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.lazy {
		f.later = false
		l.pushLocked(f)
		l.lazy[i] = nil
	}
	l.lazy = l.lazy[:0]
}

// lookCaught says once that the standby has all connections: that it may become a member.
func (l *leader) lookCaught() {
	l.mu.Lock()
	caught := !l.caught && l.opening == 0 && l.confirmed == l.lsn && len(l.ready) == 0
	l.caught = l.caught || caught
	l.mu.Unlock()
	if caught {
		l.g.post(reign.Caught{Peer: l.mate.Incarnation})
	}
}

// logWriter makes the frames of the log.
type logWriter struct {
	l       *leader
	frame   replpb.Frame
	log     replpb.Log
	body    replpb.Frame_Log
	goodbye bool // the frame is the last
}

// worth says that the frame has more to say than that this node lives.
func (w *logWriter) worth() bool {
	return len(w.log.Records) > 0 || w.log.InSync != 0 || w.goodbye
}

// fill makes the next frame, and says whether there is more. The one that is due tells of the port.
func (w *logWriter) fill(due bool) (more bool) {
	l, g := w.l, w.l.g
	records := w.log.Records[:0]
	l.input = l.input[:0]
	for len(records) < maxRecords && len(l.input) < cap(l.input) {
		f := l.next()
		if f == nil {
			break
		}
		f.conn.View(func(core *tcp.Core) { records = l.record(records, f, core) })
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w.log = replpb.Log{Lsn: l.lsn, TimestampMs: g.stack.Timestamp(), Records: records}
	w.body.Log = &w.log
	w.frame = replpb.Frame{ClockUs: g.clock(), Body: &w.body}
	if due {
		w.frame.Health = g.health()
	}
	if l.member != nil && !l.told {
		l.lsn++
		l.told, l.toldAt, w.log.Lsn = true, l.lsn, l.lsn
		w.log.InSync = l.member.Revision
		// From here on there is somebody who may take over.
		g.sureUntil.Store(l.echo.Load() + g.cfg.Silence.Microseconds())
	}
	w.goodbye = false
	if l.bye && len(l.ready) == 0 && !w.worth() && l.confirmed == l.lsn {
		w.goodbye = true
		w.frame.Body = &replpb.Frame_Goodbye{Goodbye: &replpb.Goodbye{}}
	}
	return len(l.ready) > 0
}

// next takes the next feed off the queue.
func (l *leader) next() *feed {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ready) == 0 {
		return nil
	}
	f := l.ready[0]
	l.ready[0] = nil
	if l.ready = l.ready[1:]; len(l.ready) == 0 {
		l.ready = nil
	}
	f.queued = false
	if l.byID[f.id] == nil {
		l.void = max(0, l.void-1)
	}
	return f
}

// await numbers a record whose confirmation is awaited.
func (l *leader) await(p pending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lsn++
	p.lsn = l.lsn
	l.inflight = append(l.inflight, p)
	l.lag += p.bytes
}

// record appends the records that bring the standby up to date on one connection, which is locked.
func (l *leader) record(records []*replpb.Record, f *feed, core *tcp.Core) []*replpb.Record {
	switch {
	case f.ended || f.waits || f.gd.feed != f:
		return records
	case f.progress.Phase() == ledger.Releasing:
		if f.released {
			return records
		}
		f.released = true
		l.await(pending{feed: f, release: true})
		return append(records, &replpb.Record{Conn: f.id, Step: &replpb.Record_Release{Release: &replpb.Release{}}})
	case !f.opened && core.Ended() && f.conn.Dialed() == 0:
		f.ended = true
		l.drop(f)
		return records
	}
	p := core.Positions()
	records = l.openings(records, f, core, &p)
	if p.InEnd > f.sent.InEnd && p.InStart > f.sent.InEnd {
		// Cannot be: what was not sent is kept. Better unprotected than wrong.
		f.release("its input is gone before it was replicated, which is a fault of ftcp")
		return records
	}
	records = l.events(records, f)
	records, complete := l.delta(records, f, core, &p)
	for n := f.events; ; n = f.events {
		if records = l.events(records, f); f.events == n || complete {
			break
		}
		records, complete = l.delta(records, f, core, &p)
	}
	if f.toGate {
		f.toGate = false
		gate := f.progress.Gate()
		l.await(pending{feed: f})
		records = append(records, &replpb.Record{Conn: f.id, Step: &replpb.Record_Gate{Gate: &replpb.Gate{Input: gate.In, Output: gate.Out}}})
	}
	switch {
	case !complete && l.room(f) > 0:
		l.push(f)
	case complete && core.Ended():
		f.ended = true
		l.await(pending{feed: f})
		records = append(records, &replpb.Record{Conn: f.id, Step: &replpb.Record_End{End: &replpb.End{Reason: endReason(core.Err())}}})
	}
	return records
}

// openings appends the snapshots that the standby does not have yet.
func (l *leader) openings(records []*replpb.Record, f *feed, core *tcp.Core, p *tcp.Positions) []*replpb.Record {
	switch {
	case !f.opened:
		f.opened, f.answered = true, p.Received > 0
		f.sent = tcp.Positions{InEnd: 1, OutEnd: 1, OutData: 1}
		if f.progress.Phase() == ledger.Announced {
			f.progress.Replay(time.Now(), at(core, p))
		}
		l.await(pending{feed: f, opened: true})
		open := openRecord(f.conn, core.Snapshot(), f.conn.PeerMAC())
		return append(records, &replpb.Record{Conn: f.id, Step: &replpb.Record_Open{Open: open}})
	case !f.answered && p.Received > 0:
		f.answered = true
		l.await(pending{feed: f})
		answer := openRecord(f.conn, core.Snapshot(), f.conn.PeerMAC())
		return append(records, &replpb.Record{Conn: f.id, Step: &replpb.Record_Answer{Answer: answer}})
	}
	return records
}

// events appends the agreed events that come next. One at a place in the input stands before what
// follows there, or the standby's handler, which replays faster, would have gone past it.
func (l *leader) events(records []*replpb.Record, f *feed) []*replpb.Record {
	for f.events < len(f.gd.events) && f.eventAt() <= f.sent.InEnd {
		l.await(pending{feed: f})
		records = append(records, &replpb.Record{Conn: f.id, Step: &replpb.Record_Event{Event: f.gd.events[f.events]}})
		f.events++
	}
	return records
}

// delta appends what has happened since the last one; complete, if that is all.
func (l *leader) delta(records []*replpb.Record, f *feed, core *tcp.Core, p *tcp.Positions) (_ []*replpb.Record, complete bool) {
	d := &replpb.Delta{InputAt: f.sent.InEnd}
	n := min(p.InEnd-f.sent.InEnd, int64(cap(l.input)-len(l.input)), l.room(f), f.eventAt()-f.sent.InEnd)
	if n > 0 {
		from := len(l.input)
		l.input = l.input[:from+int(n)]
		d.InputLen = uint32(core.CopyInput(l.input[from:], f.sent.InEnd))
		l.input = l.input[:from+int(d.InputLen)]
	}
	end := d.InputAt + int64(d.InputLen)
	complete = end == p.InEnd
	d.InputFin = complete && p.InFIN
	f.gd.hash(l.g, core, p)
	sum := f.gd.sum.Digest(l.g.digest)
	d.OutputEnd, d.OutputData, d.OutputDigest, d.OutputClose = p.OutEnd, p.OutData, sum[:], closeOf(p)
	f.checkpoint()
	d.Una, d.Edge, d.SendWindow, d.TsRecent = p.Una, p.Edge, uint32(p.SndWnd), p.TSRecent
	d.SegmentSize, d.PathMss = uint32(p.Biggest), uint32(p.PathMSS)
	f.sent = *p
	f.sent.InEnd, f.sent.InFIN = end, d.InputFin
	in := min(end, p.Received) // which is 0 in SYN-SENT
	if d.InputFin {
		in++
	}
	f.gd.bound(core) // what has been sent need not be kept
	l.await(pending{feed: f, in: in, bytes: int64(d.InputLen)})
	return append(records, &replpb.Record{Conn: f.id, Step: &replpb.Record_Delta{Delta: d}}), complete
}
