package tcp

// The two marks, and what else a second node has a say in.

// Gate freezes both marks at what the peer may have seen. From here on the
// peer sees nothing more until the marks are raised. It returns the end of the output that may have left.
func (c *Core) Gate() (sent int64) {
	c.sendable, c.ackable = c.max, c.acked
	c.peerRead = min(c.read, c.edge-int64(c.cfg.ReceiveBuffer))
	return c.max
}

// Gated says that the marks bound something.
func (c *Core) Gated() bool { return c.sendable != Unlimited || c.ackable != Unlimited }

// Ungate lifts the marks.
func (c *Core) Ungate() {
	c.sendable, c.ackable, c.peerRead = Unlimited, Unlimited, Unlimited
	c.ackNow = c.ackNow || c.rcvNxt > c.acked
	c.updateWindow()
}

// RaiseAckable says that the input before pos is in safety. The mark never falls.
func (c *Core) RaiseAckable(pos int64) { c.ackable = max(c.ackable, pos) }

// RaiseSendable says that the output before pos is in safety. The mark never falls.
func (c *Core) RaiseSendable(pos int64) { c.sendable = max(c.sendable, pos) }

// RaisePeerRead says that every other reader has read the input before pos.
func (c *Core) RaisePeerRead(pos int64) {
	if c.peerRead != Unlimited && pos > c.peerRead {
		c.peerRead = pos
		c.updateWindow()
	}
}

// Retain keeps the input from pos on even when it has been read; Unlimited keeps nothing.
func (c *Core) Retain(pos int64) {
	c.retain = pos
	c.releaseInput()
}

// Retained is the number of bytes of input that are kept although the user has read them.
func (c *Core) Retained() int { return int(max(0, c.read-c.in.base)) }

// Positions are what replication watches.
type Positions struct {
	InStart  int64 // the oldest input that is still kept
	InEnd    int64 // one past the last byte of input that is in order
	InFIN    bool  // the peer's FIN follows InEnd
	Received int64 // RCV.NXT; 0 only in SYN-SENT
	Read     int64 // what the user has read
	PeerRead int64
	OutEnd   int64  // one past what the user has produced, the FIN included
	OutCRC   uint32 // CRC-32C of the output, the FIN apart; with Config.Digest
	OutFIN   bool   // the output ends in a FIN
	Una      int64  // SND.UNA
	Sendable int64
	Ackable  int64
	Edge     int64 // right edge of the advertised window
	SndWnd   int64 // SND.WND
	TSRecent uint32
	Biggest  int // largest IP packet from the peer
	PathMSS  int // what a segment's payload and options may take on the path; 0: what the ends allow
}

// Positions returns where the connection is.
func (c *Core) Positions() Positions {
	return Positions{
		InStart: c.in.base, InEnd: c.inEnd(), InFIN: c.finReceived(), Received: c.rcvNxt,
		Read: c.read, PeerRead: c.peerRead,
		OutEnd: c.appended, OutCRC: c.digest, OutFIN: c.fin >= 0,
		Una: c.una, Sendable: c.sendable, Ackable: c.ackable, Edge: c.edge,
		SndWnd: c.sndWnd, TSRecent: c.tsRecent, Biggest: c.biggest, PathMSS: c.limitedMSS(),
	}
}

// CopyInput copies the input from pos on to b and returns how much it was:
// nothing if it is not kept any more, see Retain.
func (c *Core) CopyInput(b []byte, pos int64) int {
	n := int(min(int64(len(b)), c.inEnd()-pos))
	if n <= 0 || pos < c.in.base {
		return 0
	}
	done := 0
	for _, part := range c.in.slices(c.tx.Parts[:0], pos, pos+int64(n)) {
		done += copy(b[done:], part)
	}
	return n
}

// NotePacket takes note of the size of an IP packet that came from the peer.
func (c *Core) NotePacket(size int) { c.biggest = max(c.biggest, size) }
