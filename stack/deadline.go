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
	expired bool        // the deadline has passed,
	timed   bool        // by its timer, and the user has not noticed yet
	agreed  []int64     // where it has passed on the active node, beyond where the handler is; see Conn.Expire
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
	w.expired, w.timed = false, false
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
		c.arm(w)
	}
	return nil
}

// The deadlines of a replica do not expire by themselves: its handler is later than the
// active node's, and would otherwise be interrupted elsewhere. That a Read or Write has found
// its deadline expired, and where in the stream, is an event that the nodes agree on: it is
// reported to the observer there, and made to happen by Expire here. One that expires while
// the handler is elsewhere, and sets another before it looks, is no event.

// ErrDeadlinePassed is the error of a replica whose handler has gone past the place where
// its deadline expired on the active node.
var ErrDeadlinePassed = errors.New("stack: the handler has gone past the place where its deadline expired on the active node")

var errExpiries = errors.New("stack: the handler is too many deadlines behind the active node's")

// maxExpiries bounds how many expiries wait for the handler of a replica, a direction.
const maxExpiries = 256

// Expire lets a deadline of a replica expire, as it has on the active node: for the Read of a
// handler that has read the input before at, or the Write of one that has written the output.
// How it has come there, in how many pieces, does not matter. The error is ErrDeadlinePassed
// if it has gone on already.
func (c *Conn) Expire(write bool, at int64) error {
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
	if pos := c.position(w); pos > at {
		return fmt.Errorf("%w: at %d; this node's had come to %d", ErrDeadlinePassed, at, pos)
	}
	w.agreed = append(w.agreed, at)
	w.wake()
	return nil
}

// passed says that the deadline has passed for a Read or Write that is about to go on.
func (c *Conn) passed(w *waiter) bool {
	if len(w.agreed) > 0 && !w.expired && w.agreed[0] == c.position(w) {
		if w.agreed = w.agreed[1:]; len(w.agreed) == 0 {
			w.agreed = nil
		}
		w.expire()
	}
	if w.timed {
		w.timed = false
		if o := c.stack.observer; o != nil && !c.core.Ended() {
			o.Expired(c, c.core, w == &c.writing, c.position(w))
		}
	}
	return w.expired
}

// clip says how many of n bytes the handler is given, or may write, in one piece: not
// more than up to where its deadline is known to expire.
func (c *Conn) clip(w *waiter, n int) int {
	if w.agreed == nil {
		return n
	}
	if left := w.agreed[0] - c.position(w); left > 0 {
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
	if c.core.Replica() || len(w.agreed) > 0 {
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
	w.timed = true
}

// takeOverDeadlines lets the deadlines count that the handler of a replica has set, once
// those have expired that have expired on the node before.
func (c *Conn) takeOverDeadlines() {
	for _, w := range [...]*waiter{&c.reading, &c.writing} {
		c.arm(w)
	}
}
