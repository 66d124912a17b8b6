package tcp

import "math"

// Unlimited is the value of a mark that bounds nothing.
const Unlimited = math.MaxInt64

// Marks bound what the peer may see, and say what is kept.
type Marks struct {
	Ackable  int64 // acknowledge nothing past it
	Sendable int64 // transmit nothing at or past it
	PeerRead int64 // every other reader has read the input before it; bounds the window
	KeepIn   int64 // input from here on is kept even when the user has read it
	KeepOut  int64 // output from here on is kept even when the peer has acknowledged it
}

// Unbounded bounds nothing and keeps nothing.
var Unbounded = Marks{Unlimited, Unlimited, Unlimited, Unlimited, Unlimited}

// Bound sets the marks. The peer forgets nothing: a bound lower than what it may have
// seen already is raised to that. What is not kept any more is forgotten, and cannot be
// kept anew.
func (c *Core) Bound(m Marks) {
	old := c.marks
	// What the other readers have not read yet is known of the window that has been
	// offered: they would have to take it.
	offered := min(c.readers(), c.edge-int64(c.cfg.ReceiveBuffer))
	m.Ackable = max(m.Ackable, c.acked)
	m.Sendable = max(m.Sendable, c.max)
	m.PeerRead = max(m.PeerRead, offered)
	c.marks = m
	c.releaseInput()
	c.releaseOutput()
	if m.Ackable == Unlimited && old.Ackable != Unlimited {
		c.ackNow = c.ackNow || c.rcvNxt > c.acked
	}
	if m.PeerRead > old.PeerRead {
		c.updateWindow()
	}
}

// Bounds returns the marks.
func (c *Core) Bounds() Marks { return c.marks }

// Shown returns what the peer may have seen: input before acked has been acknowledged,
// and output before sent has been sent.
func (c *Core) Shown() (acked, sent int64) { return c.acked, c.max }

// ready is one past the last position of output that the mark lets leave.
func (c *Core) ready() int64 { return min(c.ackEnd(), c.marks.Sendable) }

// readers is how far every reader has read.
func (c *Core) readers() int64 { return min(c.read, c.marks.PeerRead) }

// ackPos is the position that a segment sent now acknowledges.
func (c *Core) ackPos() int64 { return min(c.rcvNxt, c.marks.Ackable) }

// releaseInput forgets the input that nobody needs any more.
func (c *Core) releaseInput() { c.in.release(min(c.read, c.marks.KeepIn)) }

// releaseOutput forgets the output that nobody needs any more.
func (c *Core) releaseOutput() { c.out.release(min(c.una, c.marks.KeepOut, c.dataEnd())) }

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
	OutStart int64 // the oldest output that is still kept
	OutData  int64 // one past the last byte that the user has produced
	OutEnd   int64 // the same, FIN and RST included
	OutClose Close // how the output ends
	Una      int64 // SND.UNA
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
		Read: c.read, PeerRead: c.marks.PeerRead,
		OutStart: c.out.base, OutData: c.dataEnd(), OutEnd: c.appended, OutClose: c.outClose(),
		Una: c.una, Sendable: c.marks.Sendable, Ackable: c.marks.Ackable, Edge: c.edge,
		SndWnd: c.sndWnd, TSRecent: c.tsRecent, Biggest: c.biggest, PathMSS: c.limitedMSS(),
	}
}

// CopyInput copies the input from pos on to b and returns how much it was:
// nothing if it is not kept any more, see Marks.
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

// Output appends to dst the parts of memory that hold the output [from, to), as far as
// there is such, the data only: nothing if from is not kept any more. They stay valid
// until the core is changed.
func (c *Core) Output(dst [][]byte, from, to int64) [][]byte {
	if to = min(to, c.out.end); from < c.out.base || from >= to {
		return dst
	}
	return c.out.slices(dst, from, to)
}

// NotePacket takes note of the size of an IP packet that came from the peer.
func (c *Core) NotePacket(size int) { c.biggest = max(c.biggest, size) }
