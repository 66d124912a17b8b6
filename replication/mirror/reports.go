package mirror

import (
	"time"

	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// receive handles what the standby says, until the link ends. It returns how it did.
func (l *leader) receive() reign.Closing {
	g := l.g
	var frame replpb.Frame
	for {
		if _, err := l.link.Receive(&frame); err != nil {
			return l.closing(err)
		}
		l.heard.Store(g.clock())
		if echo := frame.EchoClockUs; echo > l.echo.Load() && echo <= g.clock() {
			l.echo.Store(echo)
			l.mu.Lock()
			if l.told && !l.finished {
				g.sureUntil.Store(echo + g.cfg.Silence.Microseconds())
			}
			l.mu.Unlock()
		}
		if frame.Health != nil {
			l.health.Store(g.theirPort(frame.Health))
		}
		switch body := frame.Body.(type) {
		case *replpb.Frame_Report:
			if !l.report(body.Report) {
				return reign.ByOther
			}
		case *replpb.Frame_Settings:
			l.resettled(body.Settings)
		case *replpb.Frame_Goodbye:
			g.post(reign.Bye{Peer: l.mate.Incarnation})
		case *replpb.Frame_Claim:
			r := body.Claim.GetReign()
			g.post(reign.Said{Asked: -1, Statement: reign.Statement{
				From: l.mate, Role: reign.Active, Full: true,
				Reign: reign.Reign{Lineage: r.GetLineage(), Epoch: r.GetEpoch()},
			}})
		}
		l.lookCaught()
	}
}

// closing says how the link ended, by the error of the last Receive.
func (l *leader) closing(err error) reign.Closing {
	l.mu.Lock()
	silent, finished := l.closed, l.finished
	l.mu.Unlock()
	if !finished && l.g.ctx.Err() == nil {
		l.g.notes.Warn("ftcp: the link to the standby has ended", "standby", l.link.RemoteAddr(), "err", err)
	}
	switch {
	case silent:
		return reign.BySilence
	case peerlink.ClosedByPeer(err):
		return reign.ByKernel
	}
	return reign.ByOther
}

// report handles a report. It returns false if the standby says what cannot be.
func (l *leader) report(r *replpb.Report) bool {
	if !l.confirm(r.Confirmed) {
		l.g.notes.Error("ftcp: the standby confirms what it was not sent", "standby", l.link.RemoteAddr())
		return false
	}
	for _, p := range r.Progress {
		if !l.progress(p) {
			l.g.notes.Error("ftcp: the standby claims what it was not sent", "standby", l.link.RemoteAddr())
			return false
		}
	}
	return true
}

// confirm takes note that the standby has all records up to lsn.
func (l *leader) confirm(lsn uint64) bool {
	l.mu.Lock()
	if lsn > l.lsn {
		l.mu.Unlock()
		return false
	}
	n := 0
	for n < len(l.inflight) && l.inflight[n].lsn <= lsn {
		l.lag -= l.inflight[n].bytes
		n++
	}
	done := append([]pending(nil), l.inflight[:n]...)
	l.inflight = append(l.inflight[:0], l.inflight[n:]...)
	l.confirmed = max(l.confirmed, lsn)
	swears := l.told && !l.sworn && lsn >= l.toldAt
	l.sworn = l.sworn || swears
	l.mu.Unlock()
	for i := 0; i < len(done); {
		p := done[i]
		for i++; i < len(done) && done[i].feed == p.feed; i++ {
			p.in = max(p.in, done[i].in)
			p.opened = p.opened || done[i].opened
			p.release = p.release || done[i].release
		}
		p.feed.conn.Do(func(core *tcp.Core) { l.confirmFeed(p, core) })
	}
	if swears {
		l.inSync()
	}
	return true
}

// inSync is called once the standby knows that it may take over: what it can go on with
// is protected from here on.
func (l *leader) inSync() {
	l.g.notes.Info("ftcp: the standby is in sync", "standby", l.link.RemoteAddr())
	for _, f := range l.feeds() {
		f.conn.Do(func(core *tcp.Core) {
			if f.gd.feed == f {
				l.settle(f, core)
			}
		})
	}
}

// confirmFeed takes note of what the standby has of one connection, which is locked.
func (l *leader) confirmFeed(p pending, core *tcp.Core) {
	f := p.feed
	if f.gd.feed != f {
		return
	}
	if p.opened {
		f.progress.Report(time.Now(), 1, 1) // the SYN needs no handler
		l.mu.Lock()
		l.inMemoryLocked(f)
		l.mu.Unlock()
	}
	f.progress.Confirm(p.in)
	if p.release || f.ended {
		l.drop(f)
	}
	l.settle(f, core)
}

// settle draws the consequences of what the standby has said of a connection.
func (l *leader) settle(f *feed, core *tcp.Core) {
	p := core.Positions()
	if f.gd.feed == f && f.progress.CaughtUp(at(core, &p)) {
		l.freeze(f, core)
		l.push(f)
	}
	protected := f.gd.guard.Protected()
	if protected && f.progress.Protected() {
		if protected = l.counts(); protected {
			f.gd.reason.Store(nil)
		} else {
			f.gd.unprotected("the standby is not in sync yet")
		}
	}
	f.conn.Protected.Store(protected && !core.Ended())
	f.gd.bound(core)
}

// progress takes note of what the standby's handler has done. It returns false if that cannot be.
func (l *leader) progress(p *replpb.Progress) (sound bool) {
	l.mu.Lock()
	f := l.byID[p.Conn]
	l.mu.Unlock()
	if f == nil {
		return true
	}
	sound = true
	f.conn.Do(func(core *tcp.Core) {
		switch {
		case f.gd.feed != f:
			return
		case p.Refused != nil:
			// The standby has forgotten it already.
			l.g.released.Add(1)
			f.lose(refusal(p.Refused))
			l.drop(f)
		case p.Verified > f.sent.OutEnd || p.Read > f.sent.InEnd:
			sound = false
			return
		default:
			f.progress.Report(time.Now(), p.Verified, p.Read)
			f.verified()
			if p.OutputEnd > 0 && f.differs(l.g, core, p.OutputEnd, p.OutputDigest) {
				f.release("the standby's handler has written something else")
			}
			if f.sent.InEnd < core.Positions().InEnd && l.room(f) > 0 && f.opened {
				l.push(f)
			}
		}
		l.settle(f, core)
	})
	return sound
}

// refusals are the reasons of the standby, in words.
var refusals = map[replpb.Refused_Reason]string{
	replpb.Refused_NO_LISTENER:  noListener,
	replpb.Refused_NOT_ACCEPTED: "the standby's program does not call Accept",
	replpb.Refused_DIVERGED:     "the standby's handler has written something else",
	replpb.Refused_GIVEN_UP:     "the standby's program has given up the Dial",
	replpb.Refused_NO_MEMORY:    "the standby has no memory for it",
	replpb.Refused_DEADLINE:     "the standby's handler was elsewhere when a deadline expired",
	replpb.Refused_OTHER:        "the standby cannot go on with it",
}

func refusal(r *replpb.Refused) string {
	s, ok := refusals[r.Reason]
	if !ok {
		s = refusals[replpb.Refused_OTHER]
	}
	if r.Detail != "" {
		s += " (" + r.Detail + ")"
	}
	return s
}
