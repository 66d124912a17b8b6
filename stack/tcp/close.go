package tcp

import (
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Close says how a direction's output ends. A FIN takes a position behind the output, and
// so does a RST, behind the FIN if there is one. Both leave only when the mark is past
// them: a peer that has seen the end of a connection has seen what every node knows of.
type Close uint8

const (
	NotClosed  Close = iota
	CloseFIN         // in order
	CloseAbort       // by a RST that the user asked for
	CloseReset       // by a RST since there is input that nobody has read, or will read
)

var closeNames = [...]string{"not closed", "closed", "aborted", "reset"}

func (c Close) String() string { return closeNames[c] }

// outClose is how our output ends.
func (c *Core) outClose() Close {
	switch {
	case c.rst >= 0:
		return c.rstKind
	case c.fin >= 0:
		return CloseFIN
	}
	return NotClosed
}

// dataEnd is one past the last byte of output; FIN and RST are no bytes.
func (c *Core) dataEnd() int64 {
	switch {
	case c.fin >= 0:
		return c.fin
	case c.rst >= 0:
		return c.rst
	}
	return c.appended
}

// ackEnd is one past the last position that the peer can acknowledge, which a RST is not.
func (c *Core) ackEnd() int64 {
	if c.rst >= 0 {
		return c.rst
	}
	return c.appended
}

// abort closes by a RST. Where there is nobody to be told it ends the connection; a
// replica leaves that to the log.
func (c *Core) abort(how Close, err error) {
	switch {
	case c.closed || c.rst >= 0:
	case c.replica == nil && (c.rcvNxt == 0 || c.timeWait):
		c.finish(err)
	default:
		c.putRST(how, err)
	}
}

// putRST puts a RST behind the output. To the user the connection is gone; to the peer it
// goes on until the RST has left, but takes no more input.
func (c *Core) putRST(how Close, err error) {
	c.rst, c.rstKind, c.err = c.appended, how, err
	c.appended++
	c.reset = false
	c.early.free()
	c.lingerAt, c.keep.at = time.Time{}, time.Time{}
}

// resetInsteadOfFIN makes the FIN, which has not been sent, a RST.
func (c *Core) resetInsteadOfFIN() {
	c.appended, c.fin = c.fin, -1
	c.putRST(CloseReset, nil)
}

// timedOut ends a connection whose peer has been silent for minutes. A RST that a standby
// would have to learn of first is not worth the wait: the peer is not likely to hear it,
// and is refused if it ever speaks again.
func (c *Core) timedOut() {
	if c.marks.Sendable != Unlimited {
		c.finish(ErrTimeout)
		return
	}
	c.abort(CloseAbort, ErrTimeout)
}

// ResetDue says that a RST is to leave. It is [Core.SendReset] that sends it, and not
// Send: a RST cannot be taken back, and takes a certainty that other segments do not, see
// package stack. What may leave before it does so with Send, which has to be called
// first. What the peer's window, or the congestion window, does not let leave then is
// discarded: a RST does not wait for the peer.
func (c *Core) ResetDue() bool { return c.reset || c.rstDue() }

func (c *Core) rstDue() bool {
	return c.rst >= 0 && c.rst < c.marks.Sendable && c.ackPos() >= 1 && !c.closed && c.replica == nil
}

// SendReset emits the RST that is due, and with the connection's own ends it.
// What Send has emitted before is not valid any more.
func (c *Core) SendReset(now time.Time, emit func(*Segment)) {
	if !c.ResetDue() {
		return
	}
	seg := &c.tx
	*seg = Segment{Parts: seg.Parts[:0]}
	seg.Flags = wire.RST
	switch {
	case !c.rstDue():
		seg.Seq = c.resetSeq
	case c.rstAnswers:
		// What the peer's segment has acknowledged: RFC 9293 section 3.10.7.1.
		seg.Seq = c.sndSeq(c.una)
	default:
		seg.Flags |= wire.ACK
		seg.Seq = c.sndSeq(c.behind())
		seg.Ack = c.rcvSeq(c.ackPos())
		c.options(now, seg) // RFC 7323 section 3.2
	}
	if c.rstDue() {
		c.finish(c.err)
	}
	c.reset = false
	emit(seg)
}

// agreeReset makes the end of a replica's output the RST that the active node's ends in.
// How much is unread here, and what the peer sends to whom has closed, says nothing about
// that node.
func (c *Core) agreeReset() {
	r := c.replica
	if r.close != CloseReset || !c.orphan || c.fin < 0 || c.rst >= 0 || c.closed {
		return
	}
	switch r.closeAt {
	case c.fin:
		c.resetInsteadOfFIN()
	case c.fin + 1:
		c.putRST(CloseReset, nil)
	}
	c.replicaAdvance()
}
