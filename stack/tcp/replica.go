package tcp

import (
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Snapshot is what two SYNs settle for the whole life of a connection. In SYN-SENT it has ours only.
type Snapshot struct {
	ISS, IRS      uint32
	PeerMSS       int
	MSS           int // announced by us
	ReceiveBuffer int
	Scale         bool
	SndShift      uint8
	RcvShift      uint8
	SACK          bool
	TS            bool
	TSOffset      uint32
	ECN           bool
	Active        bool // we opened
	Unanswered    bool // SYN-SENT: nothing is known of the peer, and Scale, SACK and TS are what we offer
}

// Snapshot returns what Restore needs, with Replay's help, to make a replica.
func (c *Core) Snapshot() Snapshot {
	return Snapshot{
		ISS: c.cfg.ISS, IRS: c.irs, PeerMSS: c.peerMSS, MSS: c.cfg.MSS, ReceiveBuffer: c.cfg.ReceiveBuffer,
		Scale: c.scale, SndShift: c.sndShift, RcvShift: c.rcvShift,
		SACK: c.sack, TS: c.ts, TSOffset: c.cfg.TSOffset, ECN: c.ecn.on,
		Active: c.active, Unanswered: c.rcvNxt == 0,
	}
}

func (s *Snapshot) check() error {
	if s.SndShift > wire.MaxWindowScale || s.RcvShift > wire.MaxWindowScale || !s.Scale && s.SndShift|s.RcvShift != 0 ||
		s.MSS < minMSS || s.MSS > 65535 || s.PeerMSS < 0 || s.PeerMSS > 65535 ||
		s.ReceiveBuffer < 1 || s.ReceiveBuffer > 1<<30 || s.Unanswered && !s.Active {
		return fmt.Errorf("tcp: impossible snapshot %+v", *s)
	}
	return nil
}

// replica is what a Core has besides while another node is the active one. Its user reads and
// writes as usual; Send is not called.
//
//	verified <= appended
//	out.base <= verified
type replica struct {
	una      int64  // the active node's SND.UNA, which may be ahead of what our user has produced
	pathMSS  int    // its path MTU; 0: not limited
	verified int64  // our output is the same as the active node's up to here
	crc      uint32 // CRC-32C of the output [1, verified)
}

// Errors of a replica.
var (
	ErrDiverged = errors.New("tcp: the output differs from the active node's")
	ErrGap      = errors.New("tcp: the replicated input has a gap")
)

// Restore returns a replica of the connection that s was taken of, in SYN-RECEIVED, or in SYN-SENT
// if s is Unanswered. Of cfg it uses what the snapshot does not have.
func Restore(cfg Config, s Snapshot, now time.Time) (*Core, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	cfg.ISS, cfg.TSOffset, cfg.MSS, cfg.ReceiveBuffer = s.ISS, s.TSOffset, s.MSS, s.ReceiveBuffer
	cfg.Digest = true
	c := newCore(cfg)
	c.active, c.scale, c.sack, c.ts = s.Active, s.Scale, s.SACK, s.TS
	c.rcvShift = s.RcvShift
	c.edge = 1
	c.replica = &replica{verified: 1}
	if !s.Unanswered {
		c.takePeer(now, &s)
	}
	return c, nil
}

// Answer tells a replica in SYN-SENT of the peer's SYN, by a snapshot that has it.
func (c *Core) Answer(now time.Time, s Snapshot) error {
	if err := s.check(); err != nil {
		return err
	}
	if c.replica == nil || c.closed || c.rcvNxt > 0 || s.Unanswered || s.ISS != c.cfg.ISS ||
		s.Scale && s.RcvShift != c.rcvShift {
		return fmt.Errorf("tcp: impossible answer %+v", s)
	}
	c.takePeer(now, &s)
	return nil
}

// takePeer takes the peer's SYN as a snapshot has it.
func (c *Core) takePeer(now time.Time, s *Snapshot) {
	syn := wire.TCP{Seq: s.IRS, Flags: wire.SYN}
	syn.Options = wire.Options{
		MSS: uint16(s.PeerMSS), HasWindowScale: s.Scale, WindowScale: s.SndShift,
		SACKPermitted: s.SACK, HasTimestamps: s.TS,
	}
	c.takeSYN(now, &syn)
	c.ecn.on = s.ECN
}

// Replica says that another node is the active one.
func (c *Core) Replica() bool { return c.replica != nil }

// Update is what happened to a connection on the active node.
type Update struct {
	InAt     int64  // position of Input
	Input    []byte // Replay copies it
	InFIN    bool   // the peer's FIN follows
	Una      int64
	Edge     int64
	SndWnd   int64
	TSRecent uint32
	Biggest  int
	PathMSS  int // 0: no router has said that the path takes less than the ends
}

// Replay brings a replica up to date. An update that does not continue the one before, or
// contradicts it, is an error: the replica is then of no use.
func (c *Core) Replay(now time.Time, u *Update) error {
	if u.InAt != c.inEnd() || (c.finReceived() && len(u.Input) > 0) {
		return ErrGap
	}
	if c.rcvNxt == 0 && (len(u.Input) > 0 || u.InFIN || u.Una > 0) {
		return errors.New("tcp: impossible update: the peer has not answered")
	}
	end := c.rcvNxt + int64(len(u.Input))
	if u.Una < c.replica.una || u.SndWnd < 0 || u.SndWnd > 1<<30 || u.PathMSS != 0 && u.PathMSS < minMSS || u.Edge < 0 || u.Edge > end+1<<30 || u.Una < 0 {
		return fmt.Errorf("tcp: impossible update: una %d, window %d, edge %d", u.Una, u.SndWnd, u.Edge)
	}
	c.rcvNxt += int64(len(u.Input))
	c.in.append(u.Input)
	if u.InFIN && !c.finReceived() {
		c.rcvFin = c.rcvNxt
		c.rcvNxt++
	}
	if c.readShut {
		c.read = c.inEnd()
		c.releaseInput()
	}
	c.edge = max(c.edge, u.Edge, c.rcvNxt)
	c.sndWnd = u.SndWnd
	c.sndMax = max(c.sndMax, u.SndWnd)
	c.tsRecent, c.tsRecentAt = u.TSRecent, now
	c.biggest = max(c.biggest, u.Biggest)
	c.replica.pathMSS = u.PathMSS
	c.replica.una = u.Una
	c.replicaAdvance()
	c.settle(now)
	return nil
}

// replicaAdvance moves una to where the active node has it, as far as the user has
// produced output here. Output stays until it has been compared.
func (c *Core) replicaAdvance() {
	c.una = max(c.una, min(c.replica.una, c.appended))
	c.nxt, c.max = c.una, c.appended
	c.out.release(min(c.una, c.replica.verified, c.dataEnd()))
}

// Verify compares the output before pos with the active node's, by its CRC-32C; fin says that it ends in a
// FIN. It returns false if the user has not produced as much yet, and
// ErrDiverged if the output is another.
func (c *Core) Verify(now time.Time, pos int64, crc uint32, fin bool) (done bool, err error) {
	r := c.replica
	if c.closed {
		return true, nil
	}
	if c.appended < pos && c.fin < 0 {
		return false, nil
	}
	data := pos
	if fin {
		data--
	}
	switch {
	case pos < r.verified:
		return true, nil
	case data > c.dataEnd(), fin && c.fin != data:
		return false, ErrDiverged
	}
	if data > r.verified {
		r.crc = c.crc(r.crc, r.verified, data)
	}
	if r.crc != crc {
		return false, ErrDiverged
	}
	r.verified = pos
	c.replicaAdvance()
	c.settle(now)
	return true, nil
}

// crc continues a CRC-32C of the output by [from, to).
func (c *Core) crc(sum uint32, from, to int64) uint32 {
	for _, part := range c.out.slices(c.tx.Parts[:0], from, to) {
		sum = crc32.Update(sum, castagnoli, part)
	}
	return sum
}

// Verified is the position up to which the output is the active node's.
func (c *Core) Verified() int64 {
	if c.replica == nil {
		return 0
	}
	return c.replica.verified
}

// TakeOver makes a replica the connection: from here on it is what the peer talks to.
// Everything starts over from SND.UNA, with a congestion window and an RTO of a new
// connection, and acknowledgements are accepted up to all that the user has
// produced. tsShift is added to the timestamp clock, so that it continues above any
// value that the active node can have sent (RFC 7323 section 5).
func (c *Core) TakeOver(now time.Time, tsShift uint32) {
	if !c.closed {
		c.digest = c.crc(c.replica.crc, min(c.replica.verified, c.dataEnd()), c.dataEnd())
	}
	if mss := c.replica.pathMSS; mss != 0 && mss < c.pathMSS() {
		c.path.limited(c, now, mss)
	}
	c.replica = nil
	c.spoke = now
	c.cfg.TSOffset += tsShift
	c.max = max(1, c.appended)
	c.nxt = c.max
	if c.una == 0 {
		c.nxt = 0 // our SYN goes out again
	}
	c.board.restart(c.una, c.max)
	c.recover = c.max
	c.keep.heard(now)
	c.acked = c.rcvNxt
	c.wl1, c.wl2 = 0, 0
	c.sndEdge = c.una + c.sndWnd
	// How far the window was open is known with a delay, but not more than this: what both
	// readers had read, and the buffer, rounded up.
	c.edge = max(c.edge, c.read+int64(c.cfg.ReceiveBuffer)+1<<c.rcvShift-1)
	c.ackForce = true
	if c.closed || c.timeWait {
		return
	}
	c.releaseInput()
	if c.orphan {
		if c.Readable() > 0 {
			c.abort(now, nil)
			return
		}
		c.readShut = true
	} else if c.readShut {
		c.discardInput()
	}
	c.settle(now)
}

// End ends a replica as the connection has ended on the active node.
func (c *Core) End(err error) { c.finish(err) }

// NextReceive and FirstUnacked are the sequence numbers of what the peer has to send
// next, and of what we do.
func (c *Core) NextReceive() uint32 { return c.rcvSeq(c.rcvNxt) }
