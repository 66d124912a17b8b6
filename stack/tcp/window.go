package tcp

import "math"

// rightEdge returns the right edge that a segment acknowledging ack may
// advertise. It never moves left, and moves right only by steps that are worth a
// segment (silly window avoidance, RFC 9293 section 3.8.6.2.2). It counts from what every reader
// has read: the others may have to go on with this very window.
func (c *Core) rightEdge() int64 {
	edge := c.readers() + int64(c.tuning.size)
	if edge-c.edge < int64(min(c.tuning.size/2, c.rcvMSS)) {
		return c.edge
	}
	return edge
}

// window returns the window field of a segment that acknowledges ack, and takes
// note of the edge that the peer will understand.
func (c *Core) window(ack int64, syn bool) uint16 {
	shift := c.rcvShift
	edge := c.rightEdge()
	if syn {
		shift, edge = 0, c.edge // RFC 7323 section 2.2
	}
	// The field has coarse units. Rounding down must not take back what was
	// advertised before, so that edge is rounded up, past the buffer's size by less than a unit.
	field := (edge - ack) >> shift
	if ack+field<<shift < c.edge {
		field = (c.edge - ack + 1<<shift - 1) >> shift
	}
	field = max(0, min(field, 65535))
	c.edge = max(c.edge, ack+field<<shift)
	return uint16(field)
}

// inputLimit is one past the last position that is taken: the edge, but a peer that sends
// nothing but tiny segments moves that on by rounding, with no end. So what
// is in the buffer is bounded by the largest window there can be.
func (c *Core) inputLimit() int64 {
	return min(c.edge, c.readers()+(math.MaxUint16+1)<<c.rcvShift)
}

// updateWindow makes a window update leave if it at least doubles the window
// that the peer has; less is not worth a segment.
func (c *Core) updateWindow() {
	if c.una == 0 || c.closed || c.finReceived() {
		return
	}
	if wnd := c.edge - c.rcvNxt; c.rightEdge()-c.rcvNxt >= 2*wnd && c.rightEdge() > c.edge {
		c.ackForce = true
	}
}
