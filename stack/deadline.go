package stack

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// waiter is where users wait for one direction of a connection.
type waiter struct {
	cond    sync.Cond
	n       int         // that wait
	at      time.Time   // the deadline; zero: none, or it has passed
	timer   *time.Timer // of the deadline; nil: it does not run, see Conn.arm
	set     uint64      // how often the user has set the deadline
	expired bool        // the deadline has passed
	agreed  []expiry    // that the handler has not come to yet; see Conn.Expire
}

// expiry is that of a deadline on the node that was the active one.
type expiry struct {
	set uint64 // of the deadline that the user has set as the set-th
	at  int64  // where the handler was
}

func (w *waiter) wait() {
	w.n++
	w.cond.Wait()
	w.n--
}

func (w *waiter) wake() {
	if w.n > 0 {
		w.cond.Broadcast()
	}
}

// setDeadline takes note of a deadline that the user has set. One in the past expires at
// once: it is the user's way to end a wait, and the same on every node.
func (w *waiter) setDeadline(t time.Time) {
	w.stop()
	w.set++
	w.expired = false
	if t.IsZero() {
		return
	}
	if time.Until(t) <= 0 {
		w.expire()
		return
	}
	w.at = t
}

// start lets the timer of the deadline, if there is one, call f with mu locked, unless it
// is stopped before.
func (w *waiter) start(mu *sync.Mutex, f func()) {
	if w.at.IsZero() || w.timer != nil {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(w.at), func() {
		mu.Lock()
		defer mu.Unlock()
		if w.timer == timer {
			f()
		}
	})
	w.timer = timer
}

// expire lets the deadline pass.
func (w *waiter) expire() {
	w.stop()
	w.expired = true
	w.cond.Broadcast()
}

// stop voids the deadline.
func (w *waiter) stop() {
	w.at = time.Time{}
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// SetDeadline sets both deadlines. Zero: none.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.reading, &c.writing)
}

// SetReadDeadline sets the time after which Read fails.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, &c.reading) }

// SetWriteDeadline sets the time after which Write fails.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.writing) }

func (c *Conn) setDeadlines(t time.Time, waiters ...*waiter) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	for _, w := range waiters {
		w.setDeadline(t)
		c.come(w)
		c.arm(w)
	}
	return nil
}

// The deadlines of a replica do not expire by themselves: its handler is later than the
// active node's, and would otherwise be interrupted elsewhere. The active node's expiry,
// and where its handler was then, is an event that the nodes agree on: it is reported to
// the observer there, and made to happen by Expire here.

// ErrDeadlinePassed is the error of a replica whose handler has gone past the place where
// its deadline expired on the active node.
var ErrDeadlinePassed = errors.New("stack: the handler has gone past the place where its deadline expired on the active node")

var errExpiries = errors.New("stack: the handler is too many deadlines behind the active node's")

// maxExpiries bounds how many expiries wait for the handler of a replica, a direction.
const maxExpiries = 256

// Expire lets a deadline of a replica expire, as it has on the active node: that which
// the handler sets as the set-th of its direction, when the handler has read the input
// before at, or written the output. If it has set another since, it will not notice. The
// error is ErrDeadlinePassed if it has gone on already, which can also become apparent
// later: the replica then ends with this error.
func (c *Conn) Expire(write bool, set uint64, at int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.reading
	if write {
		w = &c.writing
	}
	if c.closed || !c.core.Replica() || c.core.Ended() {
		return nil
	}
	if len(w.agreed) >= maxExpiries {
		return errExpiries
	}
	w.agreed = append(w.agreed, expiry{set, at})
	return c.agree(w)
}

// agree lets deadlines expire that have expired on the active node, as far as the handler
// has come.
func (c *Conn) agree(w *waiter) error {
	for len(w.agreed) > 0 {
		e, pos := w.agreed[0], c.position(w)
		if e.set > w.set || e.set == w.set && pos < e.at {
			return nil
		}
		if w.agreed = w.agreed[1:]; len(w.agreed) == 0 {
			w.agreed = nil
		}
		switch {
		case e.set < w.set: // the handler has set another meanwhile
		case pos > e.at:
			return fmt.Errorf("%w: at %d; this node's had come to %d", ErrDeadlinePassed, e.at, pos)
		default:
			w.expire()
		}
	}
	return nil
}

// come is called when the handler has come further: it has read, written, or set a
// deadline.
func (c *Conn) come(w *waiter) {
	if w.agreed == nil {
		return
	}
	if err := c.agree(w); err != nil && c.core.Replica() {
		c.core.End(err)
		c.flush(time.Now())
	}
	c.arm(w) // after a takeover, when the node before has nothing to say any more
}

// clip says how many of n bytes the handler is given, or may write, in one piece: not
// more than up to where its deadline is known to expire.
func (c *Conn) clip(w *waiter, n int) int {
	if w.agreed == nil {
		return n
	}
	if left := w.agreed[0].at - c.position(w); left > 0 {
		return int(min(int64(n), left))
	}
	return n
}

// position is how far the handler has read, or written.
func (c *Conn) position(w *waiter) int64 {
	p := c.core.Positions()
	if w == &c.writing {
		return p.OutEnd
	}
	return p.Read
}

// Overdue says for how long the handler of a replica has waited beyond its own deadline. That
// is no longer than the active node's word takes, unless the two handlers are at different places.
func (c *Conn) Overdue(now time.Time) (d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.core.Replica() {
		return 0
	}
	for _, w := range [...]*waiter{&c.reading, &c.writing} {
		if w.n > 0 && !w.at.IsZero() {
			d = max(d, now.Sub(w.at))
		}
	}
	return d
}

// arm lets the deadline's timer run, if it is this node that says when it expires: not on
// a replica, nor if the node before has said so already.
func (c *Conn) arm(w *waiter) {
	if c.core.Replica() || len(w.agreed) > 0 && w.agreed[0].set == w.set {
		return
	}
	w.start(&c.mu, func() { c.deadline(w) })
}

// deadline lets a deadline pass, since its time has come.
func (c *Conn) deadline(w *waiter) {
	timer := w.timer
	if w == &c.reading {
		c.waitCopy() // what is being copied counts as read before
	}
	if w.timer != timer {
		return // set anew meanwhile
	}
	w.expire()
	if o := c.stack.observer; o != nil && !c.core.Ended() {
		o.Expired(c, c.core, w == &c.writing, w.set, c.position(w))
	}
}

// takeOverDeadlines lets the deadlines count that the handler of a replica has set, once
// those have expired that have expired on the node before.
func (c *Conn) takeOverDeadlines() {
	for _, w := range [...]*waiter{&c.reading, &c.writing} {
		c.come(w)
		c.arm(w)
	}
}
