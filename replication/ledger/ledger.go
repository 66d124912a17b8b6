package ledger

import (
	"math"
	"time"
)

// Unlimited is the value of a mark that bounds nothing.
const Unlimited = math.MaxInt64

// Phase is how far a standby is with a connection.
type Phase uint8

const (
	// Announced: the standby has not been told. Nothing is bound by it.
	Announced Phase = iota

	// Replaying: the standby goes through what was before it came. Nothing is bound by it, since
	// the peer would wait until all of the history has been replayed.
	Replaying

	// Gating: the marks heed the standby, and were frozen at gate. It does not have all yet that
	// the peer may have seen before.
	//
	//	confirmed < gate.In || verified < gate.Out
	Gating

	// Guarded: the standby has all that the peer can have seen, and can go on with it.
	//
	//	gate.In <= confirmed;  gate.Out <= verified
	Guarded

	// Releasing: the standby is to forget the connection. If the marks have heeded it they do until
	// it says that it has: until then it might take over. One that was replaying could not.
	Releasing

	// Gone: the standby does not have the connection.
	Gone
)

func (p Phase) String() string {
	return [...]string{"announced", "replaying", "gating", "guarded", "releasing", "gone"}[p]
}

// Positions are where the active node is with a connection: what a Progress is compared with.
type Positions struct {
	In    int64 // one past the last position of input that is in order, the FIN included
	Read  int64 // the handler has read the input before it
	Out   int64 // one past what the handler has produced, the close included
	Acked int64 // acknowledgements that the peer may have seen
	Sent  int64 // one past the output that the peer may have seen
}

// Gate is where the marks were frozen.
type Gate struct{ In, Out int64 }

// Progress is what one standby has of one connection.
type Progress struct {
	phase     Phase
	gate      Gate      // from Gating on
	frozen    bool      // there is a gate
	confirmed int64     // input before it is in the standby's memory
	verified  int64     // output before it the standby's handler has produced too
	read      int64     // input before it the standby's handler has read
	moved     time.Time // when verified or read last grew, or nothing was waited for
	goal      Gate      // Replaying: where the active node was when this pass began
	left      int64     // Replaying: how much input this pass had to bring
}

// Phase returns the phase.
func (p *Progress) Phase() Phase { return p.phase }

// Gate returns where the marks were frozen.
func (p *Progress) Gate() Gate { return p.gate }

// Confirmed, Verified and Read return what the standby has said.
func (p *Progress) Confirmed() int64 { return p.confirmed }
func (p *Progress) Verified() int64  { return p.verified }
func (p *Progress) Read() int64      { return p.read }

// Heeded says that the marks are bound by this standby.
func (p *Progress) Heeded() bool {
	return p.phase == Gating || p.phase == Guarded || p.phase == Releasing && p.frozen
}

// Protected says that the standby can go on with the connection, as far as it has said itself.
func (p *Progress) Protected() bool { return p.phase == Guarded }

// Replay begins to bring the standby up to date on a connection that was there before.
func (p *Progress) Replay(now time.Time, at Positions) {
	p.phase, p.moved = Replaying, now
	p.goal, p.left = Gate{at.In, at.Out}, at.In
}

// Freeze makes the marks heed the standby from here on. It must be called with the connection
// locked, and the marks bound before that ends. A new connection is frozen before its peer has
// seen anything, at Gate{}.
func (p *Progress) Freeze(now time.Time, at Positions) {
	p.phase, p.moved = Gating, now
	p.gate, p.frozen = Gate{at.Acked, at.Sent}, true
	p.settle()
}

// near is how much input may be missing for the marks to be frozen: the peer waits for so much.
const near = 256 << 10

// CaughtUp says that it is time to Freeze a connection that is being replayed: the standby has come
// to where the connection was. If much has come since, it is made to catch up with that first, as
// long as that is less by half each time. A peer that sends faster than the link carries
// would never be caught up with: it waits.
func (p *Progress) CaughtUp(at Positions) bool {
	if p.phase != Replaying || p.confirmed < p.goal.In || p.verified < p.goal.Out {
		return false
	}
	if left := at.In - p.confirmed; left > near && left <= p.left/2 {
		p.goal, p.left = Gate{at.In, at.Out}, left
		return false
	}
	// A standby whose handler has not read most of it would close the peer's window at once.
	return p.read >= min(at.Read, p.goal.In)-near
}

// Confirm takes note that the standby has the input before in.
func (p *Progress) Confirm(in int64) {
	p.confirmed = max(p.confirmed, in)
	p.settle()
}

// Report takes note of what the standby's handler has done.
func (p *Progress) Report(now time.Time, verified, read int64) {
	if verified > p.verified || read > p.read {
		p.moved = now
	}
	p.verified, p.read = max(p.verified, verified), max(p.read, read)
	p.settle()
}

// settle finds out whether a standby has reached the gate, in both directions.
func (p *Progress) settle() {
	if p.phase == Gating && p.confirmed >= p.gate.In && p.verified >= p.gate.Out {
		p.phase = Guarded
	}
}

// Release begins to take a connection away from the standby. It returns false if there is nothing
// to take: then the Progress is Gone.
func (p *Progress) Release() bool {
	switch p.phase {
	case Announced:
		p.phase = Gone
	case Replaying, Gating, Guarded:
		p.phase = Releasing
	}
	return p.phase == Releasing
}

// Forgotten takes note that the standby does not have the connection, or will not need it.
func (p *Progress) Forgotten() { p.phase = Gone }

// Lags says that the connection has waited for the standby's handler for longer than limit, and
// what for; empty if it does not. Window is how much the peer may still send.
func (p *Progress) Lags(now time.Time, at Positions, window int64, limit time.Duration) (what string) {
	if p.phase == Announced || p.phase >= Releasing {
		return ""
	}
	switch {
	case at.Out > p.verified:
		what = "write what the active node's has written"
	case p.Heeded() && p.read < at.Read && window < 1<<16:
		what = "read what the active node's has read"
	default:
		p.moved = now
		return ""
	}
	if now.Sub(p.moved) <= limit {
		return ""
	}
	return what
}

// Marks are the two marks, and up to where every other reader has read.
type Marks struct{ Ackable, Sendable, PeerRead int64 }

// Guard is the protection of one connection: a Progress for each standby.
type Guard struct{ set []*Progress }

// Add adds a standby.
func (g *Guard) Add(p *Progress) { g.set = append(g.set, p) }

// Remove takes a standby out. What it has bound is bound no more.
func (g *Guard) Remove(p *Progress) {
	for i, q := range g.set {
		if q == p {
			g.set = append(g.set[:i:i], g.set[i+1:]...)
			return
		}
	}
}

// Marks returns the minimum over those that are heeded.
func (g *Guard) Marks() Marks {
	m := Marks{Unlimited, Unlimited, Unlimited}
	for _, p := range g.set {
		if p.Heeded() {
			m.Ackable = min(m.Ackable, max(p.gate.In, p.confirmed))
			m.Sendable = min(m.Sendable, max(p.gate.Out, p.verified))
			m.PeerRead = min(m.PeerRead, p.read)
		}
	}
	return m
}

// Protected says that every standby that is heeded can go on with the connection, and that there
// is one.
func (g *Guard) Protected() bool {
	n := 0
	for _, p := range g.set {
		if p.Heeded() {
			if !p.Protected() {
				return false
			}
			n++
		}
	}
	return n > 0
}
