package reign

import (
	"slices"
	"time"
)

// evidence is what has been learnt about the other end of a link since there has been cause to
// doubt that it lives.
type evidence struct {
	on    bool
	since time.Duration // when the doubt began; what was learnt before does not count
	cause Closing       // how the link ended; 0: it is there, but silent
	lived time.Duration // when it was asked that has said, since, that it serves; 0: it has not

	gone   bool // its process has ended with the link open: its kernel closed that, and refuses new ones or has another process there
	ended  bool // another process is in its place. What it decided before it ended is not known
	rounds int  // of questions, since, and since it has said that it serves, in which the network was heard
	late   int  // those of them that began when the other one could not decide any more
	deaf   int  // the latest rounds in which the network was not heard
	nobody bool // the latest round: no peer has a process
}

// begin begins a doubt, or adds to one how the link ended.
//
// With the end of the link it begins anew: that the other one lived a moment before says nothing.
func (v *evidence) begin(now time.Duration, cause Closing) {
	if !v.on || cause != 0 {
		*v = evidence{on: true, since: now, cause: cause}
	}
}

// heeds says that a statement was made since the doubt began.
func (v *evidence) heeds(s Said) bool { return v.on && s.Asked >= v.since }

// lives takes note of a statement that it serves. Rounds before are no evidence any more.
func (v *evidence) lives(s Said) {
	if v.heeds(s) && s.Asked > v.lived {
		v.lived, v.rounds = s.Asked, 0
	}
}

// alive says that it has said so lately.
func (v *evidence) alive(now, lately time.Duration) bool {
	return v.lived != 0 && now-v.lived <= lately
}

// round takes note of a round that began at a time, concerning the process of. Soon says that the
// link ended so soon after that one was heard that it had decided nothing before.
func (v *evidence) round(r RoundOver, of uint64, began, deadline time.Duration, soon bool) {
	if !v.on || began < v.since {
		return
	}
	v.nobody = r.AllGone
	v.ended = v.ended || slices.Contains(r.Replaced, of)
	v.gone = v.gone || soon && v.cause == ByKernel && (v.ended || slices.Contains(r.Refused, of))
	if !r.Heard {
		v.deaf++
		return
	}
	v.deaf = 0
	if began > v.lived {
		v.rounds++
	}
	if began >= deadline {
		v.late++
	}
}

// quiet is what a Starting node has learnt since it last heard of somebody who goes first.
type quiet struct {
	since  time.Duration
	rounds int  // in which the network was heard, or no peer has a process
	gone   bool // the latest round: no peer has a process
	deaf   bool // the latest round: the network was not heard
	serves bool // what was heard last is that somebody serves, or waits to
}

// disturbed begins the quiet anew.
func (q *quiet) disturbed(now time.Duration, serves bool) {
	*q = quiet{since: now, serves: serves}
}

// stays is how long what was heard last is taken for granted.
func (q *quiet) over(now, stays time.Duration) bool { return now-q.since >= stays }
