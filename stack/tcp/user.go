package tcp

import (
	"math"
	"time"
)

// The calls of the user: RFC 9293 section 3.10.1 to 3.10.6. What they cause to be sent leaves
// with the next Send.

// Append takes as much of b as the send buffer has room for and returns how much. The caller
// has to check [Core.Writable] first.
func (c *Core) Append(b []byte) int {
	n := min(len(b), c.Room())
	c.out.append(b[:n])
	c.produced(n)
	return n
}

// AppendBlock is Append without a copy: it takes over a block whose first n bytes are output.
func (c *Core) AppendBlock(b *Block, n int) {
	c.out.push(chunk{pos: c.out.end, data: b.B[:n:n], block: b})
	c.produced(n)
}

func (c *Core) produced(n int) {
	c.appended += int64(n)
	if c.replica != nil {
		c.replicaAdvance()
	}
}

// SetBuffers fixes the sizes of the buffers, in bytes; zero leaves one as it is. A smaller receive buffer
// takes effect as the peer uses up the window that it has.
func (c *Core) SetBuffers(receive, send int) {
	if receive > 0 {
		// The scale was settled by the SYN and bounds the window.
		c.cfg.ReceiveBuffer = min(receive, math.MaxUint16<<c.rcvShift)
		c.tuning.size, c.tuning.fixed = c.cfg.ReceiveBuffer, true
		c.updateWindow()
	}
	if send > 0 {
		c.cfg.SendBuffer, c.sendFixed = send, true
	}
}

// SetNoDelay turns Nagle's algorithm off, which is the default, or on.
func (c *Core) SetNoDelay(on bool) { c.noDelay = on }

// Writable says that the user may still write.
func (c *Core) Writable() bool { return !c.closed && c.fin < 0 && c.rst < 0 }

// Established says that the handshake is over.
func (c *Core) Established() bool { return c.una > 0 && c.rcvNxt > 0 }

// Ended says that the connection is over. Input may be left to read.
func (c *Core) Ended() bool { return c.closed }

// Err says why a connection has not ended in order, or will not; nil otherwise.
func (c *Core) Err() error { return c.err }

// Pending says how much of the output the peer has not acknowledged, FIN and RST
// included.
func (c *Core) Pending() int { return int(c.appended - c.una) }

// Readable is the number of bytes that can be read.
func (c *Core) Readable() int { return int(c.inEnd() - c.read) }

// EOF says that the peer will send nothing after what is readable.
func (c *Core) EOF() bool { return c.finReceived() || c.readShut || c.closed || c.rst >= 0 }

// Peek appends to dst the parts of memory that hold the next n bytes of input, which
// must be readable. They stay valid until Consume.
func (c *Core) Peek(dst [][]byte, n int) [][]byte {
	return c.in.slices(dst, c.read, c.read+int64(n))
}

// Consume takes n readable bytes off the input.
func (c *Core) Consume(n int) {
	c.read += int64(n)
	c.releaseInput()
	c.updateWindow()
}

// discardInput reads all input on behalf of a user that will not. What is to be kept
// stays.
func (c *Core) discardInput() {
	c.read = c.inEnd()
	c.releaseInput()
}

// CloseWrite queues a FIN behind the output.
func (c *Core) CloseWrite(now time.Time) {
	if !c.Writable() {
		return
	}
	if c.rcvNxt == 0 {
		c.finish(nil) // SYN-SENT
		return
	}
	c.fin = c.appended
	c.appended++
	c.closedFirst = !c.finReceived()
	if c.replica != nil {
		c.replicaAdvance()
		c.settle(now)
	}
}

// CloseRead discards the input, now and in the future.
func (c *Core) CloseRead() {
	c.readShut = true
	if c.replica == nil {
		c.discardInput()
	}
}

// Close is CloseRead and CloseWrite. If there is input that nobody has read, the
// connection is aborted, so that the peer does not take it for read (RFC 2525 section 2.17).
//
// A replica closes in order, for the time being: how much is unread here says nothing
// about the active node. See [Update].
func (c *Core) Close(now time.Time) {
	c.orphan = true
	switch {
	case c.closed, c.rst >= 0 && c.replica == nil:
		c.discardInput()
	case c.replica != nil:
		c.CloseWrite(now)
		c.agreeReset()
	case c.Readable() > 0:
		c.abort(CloseReset, nil)
		c.discardInput()
	default:
		c.readShut = true
		c.CloseWrite(now)
		c.settle(now)
	}
}

// Abort ends the output by a RST. What can leave before it leaves; what cannot, when its
// turn has come, is discarded.
func (c *Core) Abort(time.Time) { c.abort(CloseAbort, ErrAborted) }
