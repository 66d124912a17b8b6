package stack

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// Conn is a connection: a core, the lock around it, and those who wait for it.
// Its methods may be called at the same time. Errors are net.ErrClosed,
// os.ErrDeadlineExceeded, io.EOF and those of package tcp, not wrapped.
type Conn struct {
	stack         *Stack
	local, remote netip.AddrPort
	dialed        uint64 // see Dialed
	failed        bool   // has ended, and no Dial has taken it; guarded by dialPairs.mu

	attachment atomic.Pointer[any] // the Observer's

	// Protected says that the loss of this node, now, would not be noticed. Replication sets it.
	Protected atomic.Bool

	// One Read and one Write at a time, so that each is of one piece, and so
	// that payload can be copied while mu is not held.
	readMu, writeMu sync.Mutex
	parts           [][]byte // scratch of Read, under readMu

	mu       sync.Mutex
	core     *tcp.Core
	link     *Link
	peerMAC  wire.MAC  // zero: not known, or the link needs none
	asked    int       // how often the link was asked for peerMAC, while that was not known
	asking   *Link     // that has been asked where the peer is; nil: none
	doubted  int       // core.Unanswered, when that last gave reason to ask anew
	class    uint8     // of Config.TrafficClass's kind
	listener *Listener // the one whose half-open connection this is
	waiting  bool      // a replica that has not been offered to a listener or a Dial
	lost     bool      // ended by Lose
	touched  bool      // in link.touched

	closed  bool // by the user
	copying bool // Read is copying out of the core's buffer
	linger  int  // seconds; as net.TCPConn.SetLinger: negative: the default

	reading, writing waiter

	timer   *time.Timer
	timerAt time.Time // when timer fires; zero: not running
}

func newConn(s *Stack, l *Link, t tuple, core *tcp.Core) *Conn {
	c := &Conn{stack: s, link: l, local: t.local, remote: t.remote, core: core, class: s.cfg.TrafficClass, linger: -1}
	c.reading.cond.L, c.writing.cond.L = &c.mu, &c.mu
	return c
}

// LocalAddr is the address that the peer talks to.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// RemoteAddr is the peer's address.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// Do calls f with the core locked, then does what has become possible.
func (c *Conn) Do(f func(*tcp.Core)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.core)
	c.flush(time.Now())
}

// View calls f with the core locked. It must not change what may be sent.
func (c *Conn) View(f func(*tcp.Core)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.core)
}

// flush sends what may leave, wakes those who can go on, and sets the timer.
// Everything that changes the core ends with it. c is locked.
func (c *Conn) flush(now time.Time) {
	core := c.core
	if c.listener != nil && core.Established() {
		// Before anything is sent: a listener that has been closed aborts it.
		c.listener.established(c)
		c.listener = nil
	}
	if core.Replica() {
		// Another node speaks to the peer.
	} else if c.link.ethernet() && c.peerMAC.IsZero() && !core.Ended() && !c.link.resolve(c, now) {
		if c.asked++; c.asked <= resolveTries {
			c.setTimer(now, now.Add(resolveAgain))
			return
		}
		core.End(errno.HostUnreachable)
	} else if c.stack.Active() {
		tx := c.link.transmit(c)
		next := core.Send(now, tx.emit)
		if core.ResetDue() {
			next = c.reset(now, next, tx)
		}
		tx.done()
		c.setTimer(now, next)
		if n := core.Unanswered(); n != c.doubted {
			if c.doubted = n; n >= unansweredR1 && c.listener == nil && c.link.ethernet() {
				c.link.doubt(c, now)
			}
		}
	}
	if core.Replica() {
		c.offerReplica()
	}
	if core.Readable() > 0 || core.EOF() {
		c.reading.wake()
	}
	if core.Room() > 0 || !core.Writable() {
		c.writing.wake()
	}
	if c.stack.observer != nil {
		c.stack.observer.News(c, core)
	}
	if core.Ended() {
		c.end()
	}
}

// reset sends a RST, or tries again soon: as long as it is in doubt whether another node
// has taken over, none may leave. It returns when to look after the connection next.
func (c *Conn) reset(now, next time.Time, tx *transmit) time.Time {
	if c.stack.maySpeak() {
		tx.flush() // the core gives back what the batch points to
		c.core.SendReset(now, tx.emit)
		return next
	}
	c.stack.Stats.ResetsHeld.Add(1)
	if again := now.Add(resetAgain); next.IsZero() || again.Before(next) {
		return again
	}
	return next
}

// resetAgain is when a RST that was held back is tried again.
const resetAgain = 50 * time.Millisecond

// A neighbour is asked for so many times, with so much time in between, and then is not there.
// Linux does the same.
const (
	resolveTries = 3
	resolveAgain = time.Second
)

// unansweredR1 is how many timeouts in a row, or probes, make it doubtful where the peer is: R1 of RFC 9293
// section 3.8.3. A half-open connection is no reason to ask: its peer may never have been there.
const unansweredR1 = 3

// end takes an ended connection out of the table. What is left to read stays.
func (c *Conn) end() {
	c.stack.remove(c)
	if c.timer != nil {
		c.timer.Stop() // it would hold on to c
		c.timerAt = time.Time{}
	}
	if c.asking != nil {
		c.asking.neighbors.forget(c)
	}
	if c.listener != nil {
		c.listener.leave()
		c.listener = nil
	}
	if c.dialed > 0 {
		c.stack.dials.ended(c)
	}
	c.reading.wake()
	c.writing.wake()
	c.Protected.Store(false)
}

// setTimer sees to it that flush is called at t; zero: never. A timer that runs for an earlier
// time is left alone: its flush sets the next, which is
// cheaper than to move it with every segment.
func (c *Conn) setTimer(now, t time.Time) {
	if t.IsZero() {
		return
	}
	if !c.timerAt.IsZero() && !t.Before(c.timerAt) {
		return
	}
	c.timerAt = t
	d := t.Sub(now)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.timeout)
	} else {
		c.timer.Reset(d)
	}
}

func (c *Conn) timeout() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timerAt = time.Time{}
	if !c.core.Ended() {
		c.flush(time.Now())
	}
}

// Read reads data that the peer sent. It returns io.EOF after the peer's FIN.
func (c *Conn) Read(b []byte) (int, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed {
			return 0, net.ErrClosed
		}
		if len(b) == 0 {
			return 0, nil
		}
		if c.passed(&c.reading) {
			return 0, os.ErrDeadlineExceeded
		}
		if c.core.Readable() > 0 {
			break
		}
		if c.core.EOF() {
			if err := c.core.Err(); err != nil && !c.core.Positions().InFIN {
				return 0, err
			}
			return 0, io.EOF // also if the connection broke after the peer's last byte
		}
		c.reading.wait()
	}
	n := c.clip(&c.reading, min(len(b), c.core.Readable()))
	c.parts = c.core.Peek(c.parts[:0], n)
	c.copying = true
	c.mu.Unlock()
	done := 0
	for i, p := range c.parts {
		done += copy(b[done:], p)
		c.parts[i] = nil
	}
	c.mu.Lock()
	c.copying = false
	c.reading.wake() // Close and CloseRead wait until the copy is done
	if c.core.Replica() {
		// The active node's word may have come meanwhile.
		if c.passed(&c.reading) {
			return 0, os.ErrDeadlineExceeded
		}
		n = c.clip(&c.reading, n)
	}
	c.core.Consume(n)
	if c.core.Urgent() {
		c.flush(time.Now())
	} else if c.stack.observer != nil {
		c.stack.observer.News(c, c.core)
	}
	return n, nil
}

// blockWrite is from which size on a write is put into memory of its own, copied
// while the connection is not locked.
const blockWrite = 16 << 10

// Write writes data to the peer. It returns when all of it is in the send buffer.
func (c *Conn) Write(b []byte) (n int, err error) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := c.writable(); err != nil {
			return n, err
		}
		if n == len(b) {
			return n, nil
		}
		room := c.core.Room()
		switch rest := c.clip(&c.writing, min(len(b)-n, room)); {
		case rest == 0:
			c.writing.wait()
			continue
		case rest >= blockWrite:
			rest = min(rest, 64<<10)
			c.mu.Unlock()
			block := tcp.NewBlock(rest)
			copy(block.B, b[n:n+rest])
			c.mu.Lock()
			if err := c.writable(); err != nil {
				block.Free()
				return n, err
			}
			rest = c.clip(&c.writing, rest)
			c.core.AppendBlock(block, rest)
			n += rest
		default:
			n += c.core.Append(b[n : n+rest])
		}
		c.flush(time.Now())
		if n == len(b) {
			return n, nil
		}
	}
}

// writable says why the user cannot write.
func (c *Conn) writable() error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.passed(&c.writing):
		return os.ErrDeadlineExceeded
	case c.core.Writable():
		return nil
	case errors.Is(c.core.Err(), tcp.ErrReset) && c.core.Positions().InFIN:
		return ErrPipe // the peer closed first, and answered what came then: Linux calls it so
	case c.core.Err() != nil:
		return c.core.Err()
	}
	return ErrPipe
}

// ErrPipe is the error of a write after CloseWrite, or after the peer has gone.
var ErrPipe = errors.New("stack: write on a closed stream")

// CloseWrite sends a FIN after what has been written.
func (c *Conn) CloseWrite() error {
	return c.shut(func(core *tcp.Core) { core.CloseWrite(time.Now()) })
}

// CloseRead discards what the peer has sent and will send.
func (c *Conn) CloseRead() error {
	return c.shut((*tcp.Core).CloseRead)
}

func (c *Conn) shut(f func(*tcp.Core)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.waitCopy()
	f(c.core)
	c.reading.cond.Broadcast()
	c.writing.cond.Broadcast()
	c.flush(time.Now())
	return nil
}

// waitCopy waits until no Read is copying from memory that is about to be given back.
func (c *Conn) waitCopy() {
	for c.copying {
		c.reading.wait()
	}
}

// Close closes the connection. What has been written is still delivered. If there is input that was not
// read, or if SetLinger(0) was called, the peer is sent a RST instead of a FIN.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.reading.stop()
	c.writing.stop()
	c.reading.agreed, c.writing.agreed = nil, nil
	c.reading.cond.Broadcast()
	c.writing.cond.Broadcast()
	c.waitCopy()
	now := time.Now()
	if c.linger == 0 {
		c.core.Abort(now)
	}
	c.core.Close(now)
	c.flush(now)
	return nil
}
