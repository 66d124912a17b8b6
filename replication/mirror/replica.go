package mirror

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/replication/digest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// replica is the standby's side of one connection: its handler runs here too, and what it writes is
// compared with what the active node's has written. It is attached to the connection, and
// guarded by its lock, but for what follower.mu guards.
type replica struct {
	f    *follower
	id   uint64
	conn *stack.Conn

	queued bool // in follower.ready; follower.mu

	expect   []expectation // of the active node's output, ascending
	sum      digest.Sum    // of the output that is verified
	verified int64         // output that is the active node's, the close included
	gated    bool          // the active node's marks heed this node,
	in, out  int64         // and before that the peer may have seen so much
	recent   time.Time     // when the peer was last heard of
	events   []*replpb.Event
	kept     int64 // of Mirror.history
	lost     bool  // the beginning is not here any more
	over     bool  // ended, or refused
	said     said  // what has been reported
	still    int64 // where the output was ahead at the last heartbeat

	safe atomic.Bool // usable, as of the latest news
}

// said is what the active node has been told of a replica.
type said struct {
	verified, read, own int64
}

// expectation is what is known of the active node's output up to a position.
type expectation struct {
	end   int64 // the close included
	data  int64 // without it
	sum   []byte
	close replpb.Close
}

// maxExpected bounds the expectations of a replica whose handler is behind. Older ones
// are implied by newer ones; when there are too many, every other is left out.
const maxExpected = 256

func (r *replica) answer(o *replpb.Open) error {
	_, _, mac, snap, err := parseOpen(o)
	if err != nil {
		return err
	}
	if err := r.conn.Answer(mac, snap); err != nil {
		r.f.refuse(r, replpb.Refused_OTHER, err.Error())
	}
	return nil
}

// delta replays what has happened on the active node.
func (r *replica) delta(d *replpb.Delta, input []byte) {
	var err error
	r.conn.Do(func(core *tcp.Core) {
		if core.Ended() {
			return
		}
		now := time.Now()
		u := tcp.Update{
			InAt: d.InputAt, Input: input, InFIN: d.InputFin,
			Una: d.Una, Edge: d.Edge, SndWnd: int64(d.SendWindow), TSRecent: d.TsRecent,
			Biggest: int(d.SegmentSize), PathMSS: int(d.PathMss),
		}
		u.Close, u.CloseAt = closeFrom(d.OutputClose), d.OutputEnd-1
		if len(input) > 0 || d.Una > core.Positions().Una {
			r.recent = now
		}
		if err = core.Replay(now, &u); err != nil {
			return
		}
		r.expectMore(d)
		// Do ends in news, which verifies.
	})
	if err != nil {
		r.f.refuse(r, replpb.Refused_OTHER, err.Error())
		r.end(ErrUnprotected)
	}
}

// expectMore takes note of how far the active node's output has come.
func (r *replica) expectMore(d *replpb.Delta) {
	n := len(r.expect)
	if n > 0 && r.expect[n-1].end >= d.OutputEnd || d.OutputEnd <= r.verified {
		return
	}
	r.expect = append(r.expect, expectation{d.OutputEnd, d.OutputData, bytes.Clone(d.OutputDigest), d.OutputClose})
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

// gate takes note that the active node's marks heed this node.
func (r *replica) gate(g *replpb.Gate) { r.gated, r.in, r.out = true, g.Input, g.Output }

// event applies what was agreed.
func (r *replica) event(e *replpb.Event) {
	r.conn.Do(func(core *tcp.Core) {
		if r.lost || len(r.events) >= maxEvents {
			r.lost = true
			return
		}
		r.events = append(r.events, e)
	})
	if d := e.GetDeadline(); d != nil {
		if err := r.conn.Expire(d.Write, d.At); err != nil {
			r.f.refuse(r, replpb.Refused_DEADLINE, err.Error())
			r.end(ErrUnprotected)
		}
	}
}

// end ends a replica as the connection has ended on the active node, or has been given up.
func (r *replica) end(err error) {
	r.conn.Do(func(core *tcp.Core) {
		r.over = true
		core.End(err)
	})
	r.conn.Withdraw()
}

// news is called with the connection locked, when its handler may have read or written.
func (r *replica) news(core *tcp.Core) {
	if core.Ended() {
		r.ended(core)
		return
	}
	if reason, detail := r.verify(core); reason != 0 {
		r.over = true
		r.f.refuse(r, reason, detail)
		core.End(tcp.ErrDiverged)
		return
	}
	r.account(core)
	p := core.Positions()
	r.conn.Protected.Store(r.usableAt(core))
	switch {
	case r.verified > r.said.verified,
		p.Read-r.said.read >= lazyBytes, p.Read > r.said.read && p.Read == p.InEnd:
		r.f.report(r, true)
	case p.Read > r.said.read, r.ahead(&p) > r.said.own:
		r.f.report(r, false)
	}
}

// ended tells the active node why this node has lost a connection that it has not.
func (r *replica) ended(core *tcp.Core) {
	r.f.g.history.Add(-r.kept)
	r.kept, r.lost = 0, true
	r.conn.Protected.Store(false)
	if r.over {
		return
	}
	r.over = true
	switch err := core.Err(); {
	case errors.Is(err, stack.ErrGivenUp):
		r.f.refuse(r, replpb.Refused_GIVEN_UP, "")
	case errors.Is(err, stack.ErrNoListener):
		r.f.refuse(r, replpb.Refused_NO_LISTENER, "")
	case errors.Is(err, stack.ErrDeadlinePassed):
		r.f.refuse(r, replpb.Refused_DEADLINE, err.Error())
	default:
		r.f.refuse(r, replpb.Refused_OTHER, fmt.Sprint("it has ended here: ", err))
	}
}

// verify compares the output with what is known of the active node's.
func (r *replica) verify(core *tcp.Core) (reason replpb.Refused_Reason, detail string) {
	p := core.Positions()
	for len(r.expect) > 0 {
		e := r.expect[0]
		closed := closeOf(&p) != replpb.Close_CLOSE_OPEN
		switch {
		case p.OutEnd < e.end && !closed:
			return 0, "" // it is behind
		case p.OutData < e.data, e.close != replpb.Close_CLOSE_OPEN && p.OutData > e.data:
			return replpb.Refused_DIVERGED, fmt.Sprintf("it ends at %d, not %d", p.OutData, e.data)
		case p.OutEnd < e.end:
			return 0, "" // its close has been decided otherwise, and is being changed
		case e.close != replpb.Close_CLOSE_OPEN && e.close != closeOf(&p):
			return replpb.Refused_DIVERGED, "it is closed in another way"
		}
		r.hash(core, e.data)
		if sum := r.sum.Digest(r.f.g.digest); !bytes.Equal(sum[:], e.sum) {
			return replpb.Refused_DIVERGED, fmt.Sprintf("up to position %d", e.end)
		}
		r.verified = e.end
		r.expect = r.expect[:copy(r.expect, r.expect[1:])]
		r.bound(core)
	}
	if len(r.expect) == 0 {
		r.expect = nil
	}
	return 0, ""
}

// hash brings the digest up to a position.
func (r *replica) hash(core *tcp.Core, to int64) {
	var parts [8][]byte
	for _, part := range core.Output(parts[:0], r.sum.Len()+1, to) {
		r.sum.Write(r.f.g.digest, part)
	}
}

// ahead is where the output ends, if that is before what is expected next, and beyond what is
// verified: the active node can compare what there is. 0: there is nothing to compare.
func (r *replica) ahead(p *tcp.Positions) int64 {
	end := p.OutData
	if len(r.expect) == 0 || end <= r.sum.Len()+1 || end >= r.expect[0].data {
		return 0
	}
	return end
}

// bound keeps the output that is not verified, and the input that a standby of this node will need.
func (r *replica) bound(core *tcp.Core) {
	m := tcp.Unbounded
	m.KeepOut = r.sum.Len() + 1
	if !r.lost {
		m.KeepIn = 1
	}
	core.Bound(m)
}

// account is guarded's, on a standby.
func (r *replica) account(core *tcp.Core) {
	if r.lost {
		return
	}
	g := r.f.g
	n := int64(core.Retained())
	total := g.history.Add(n - r.kept)
	r.kept = n
	if n > int64(g.cfg.History) || total > max(totalHistory, int64(g.cfg.History)) {
		g.history.Add(-n)
		r.kept, r.lost = 0, true
		r.bound(core)
	}
}

// usableAt says that the replica knows all that the peer can have seen.
func (r *replica) usableAt(core *tcp.Core) bool {
	return r.gated && core.Positions().Received >= r.in && r.verified >= r.out && !core.Ended()
}

func (r *replica) usable() (ok bool) {
	r.conn.View(func(core *tcp.Core) { ok = r.usableAt(core) })
	return ok
}

// progress is what there is to report. With a heartbeat that is also the digest of an output that
// has stood still since the one before: one that moves will have come further anyway.
func (r *replica) progress(due bool) *replpb.Progress {
	var p *replpb.Progress
	again := false // it has to be looked at with the next heartbeat
	r.conn.View(func(core *tcp.Core) {
		if core.Ended() || !core.Replica() {
			return
		}
		at := core.Positions()
		p = &replpb.Progress{Conn: r.id, Verified: r.verified, Read: at.Read}
		own := r.ahead(&at)
		still := due && own == r.still
		if due {
			r.still = own
		}
		switch {
		case own <= r.said.own:
		case !still:
			again = true
		default:
			sum := r.sum
			for _, part := range core.Output(nil, sum.Len()+1, own) {
				sum.Write(r.f.g.digest, part)
			}
			d := sum.Digest(r.f.g.digest)
			p.OutputEnd, p.OutputDigest = own, d[:]
			r.said.own = own
		}
		r.said.verified, r.said.read = p.Verified, p.Read
	})
	if again {
		r.f.report(r, false)
	}
	return p
}

// takenOver makes of a replica what the active node keeps of a connection, which this is now.
func (r *replica) takenOver(g *Mirror, core *tcp.Core) *guarded {
	gd := &guarded{sum: r.sum, events: r.events, kept: r.kept, lost: r.lost}
	p := core.Positions()
	gd.hash(g, core, &p)
	gd.bound(core)
	gd.unprotected(noStandby)
	r.conn.Protected.Store(false)
	return gd
}

// closeOf and closeFrom turn how an output is closed into the wire's words and back.
func closeOf(p *tcp.Positions) replpb.Close { return replpb.Close(p.OutClose) }
func closeFrom(c replpb.Close) tcp.Close    { return tcp.Close(c) }
