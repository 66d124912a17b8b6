package tcp

import (
	"hash/crc32"
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
	c.produced(b[:n])
	return n
}

// AppendBlock is Append without a copy: it takes over a block whose first n bytes are output.
func (c *Core) AppendBlock(b *Block, n int) {
	c.out.push(chunk{pos: c.out.end, data: b.B[:n:n], block: b})
	c.produced(b.B[:n])
}

func (c *Core) produced(b []byte) {
	c.appended += int64(len(b))
	if c.cfg.Digest && c.replica == nil { // a replica computes it when it verifies
		c.digest = crc32.Update(c.digest, castagnoli, b)
	}
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
func (c *Core) Writable() bool { return !c.closed && c.fin < 0 }

// Established says that the handshake is over.
func (c *Core) Established() bool { return c.una > 0 && c.rcvNxt > 0 }

// Ended says that the connection is over. Input may be left to read.
func (c *Core) Ended() bool { return c.closed }

// Err says why an ended connection did not end in order; nil if it did.
func (c *Core) Err() error { return c.err }

// Pending says how much of the output the peer has not acknowledged, FIN included.
func (c *Core) Pending() int { return int(c.appended - c.una) }

// Readable is the number of bytes that can be read.
func (c *Core) Readable() int { return int(c.inEnd() - c.read) }

// EOF says that the peer will send nothing after what is readable.
func (c *Core) EOF() bool { return c.finReceived() || c.readShut || c.closed }

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

// releaseInput forgets the input that nobody needs any more.
func (c *Core) releaseInput() {
	c.in.release(min(c.read, c.retain))
}

// discardInput reads all input on behalf of a user that will not. What is retained stays.
func (c *Core) discardInput() {
	c.read = c.inEnd()
	c.releaseInput()
}

// CloseWrite queues a FIN behind the output.
func (c *Core) CloseWrite(now time.Time) {
	if c.closed || c.fin >= 0 {
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
func (c *Core) Close(now time.Time) {
	if c.closed {
		c.discardInput()
		return
	}
	c.orphan = true
	if c.replica != nil {
		c.CloseWrite(now) // how much is unread here says nothing about the active node
		return
	}
	if c.Readable() > 0 {
		c.abort(now, nil)
		c.discardInput()
		return
	}
	c.readShut = true
	c.CloseWrite(now)
	c.settle(now)
}

// Abort sends a RST and forgets everything.
func (c *Core) Abort(now time.Time) { c.abort(now, ErrAborted) }

func (c *Core) abort(now time.Time, err error) {
	if c.closed {
		return
	}
	if c.rcvNxt > 0 && !c.timeWait {
		c.reset, c.resetAck = true, true
		c.resetSeq = c.sndSeq(c.behind())
	}
	c.finish(err)
}
