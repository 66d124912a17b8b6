package tcp

import (
	"errors"
	"fmt"
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

// replica is what a Core has besides while another node is the active one. Its user reads
// and writes as usual; Send is not called. What it has produced is kept from
// Marks.KeepOut on, for whoever compares it with the active node's output.
type replica struct {
	una     int64 // the active node's SND.UNA, which may be ahead of what our user has produced
	pathMSS int   // its path MTU; 0: not limited
	close   Close // how its output ends, as far as is known
	closeAt int64 // and where
}

// Errors of a replica. ErrDiverged is for those who compare output: a core knows of its
// own only.
var (
	ErrDiverged = errors.New("tcp: the output differs from the active node's")
	ErrGap      = errors.New("tcp: the replicated input has a gap")
)

// Restore returns a replica of the connection that s was taken of, in SYN-RECEIVED, or in
// SYN-SENT if s is Unanswered. Of cfg it uses what the snapshot does not have. All of its
// output is kept, until Bound says otherwise.
func Restore(cfg Config, s Snapshot, now time.Time) (*Core, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	cfg.ISS, cfg.TSOffset, cfg.MSS, cfg.ReceiveBuffer = s.ISS, s.TSOffset, s.MSS, s.ReceiveBuffer
	c := newCore(cfg)
	c.active, c.scale, c.sack, c.ts = s.Active, s.Scale, s.SACK, s.TS
	c.rcvShift = s.RcvShift
	c.edge = 1
	c.replica = &replica{}
	c.marks.KeepOut = 1
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

	// How the output ends there, and the position of that end, OutEnd-1; NotClosed:
	// nothing new. Whether a user who closes does so by FIN or by RST depends on what has
	// been read and what arrives, which are the active node's to say: where its output
	// ends in CloseReset, that of a replica whose user has closed at the same place does,
	// too. Other differences are for those to find who compare OutEnd and OutClose.
	Close   Close
	CloseAt int64
}

// Replay brings a replica up to date. An update that does not continue the one before, or
// contradicts it, is an error: the replica is then of no use.
func (c *Core) Replay(now time.Time, u *Update) error {
	if err := c.checkUpdate(u); err != nil {
		return err
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
	if u.Close != NotClosed {
		c.replica.close, c.replica.closeAt = u.Close, u.CloseAt
	}
	c.agreeReset()
	c.replicaAdvance()
	c.settle(now)
	return nil
}

// checkUpdate says what is wrong with an update.
func (c *Core) checkUpdate(u *Update) error {
	end := c.rcvNxt + int64(len(u.Input))
	switch {
	case c.replica == nil || c.closed:
		return errors.New("tcp: impossible update: the connection is no replica, or has ended")
	case u.InAt != c.inEnd(), c.finReceived() && len(u.Input) > 0:
		return ErrGap
	case c.rcvNxt == 0 && (len(u.Input) > 0 || u.InFIN || u.Una > 0):
		return errors.New("tcp: impossible update: the peer has not answered")
	case u.Una < c.replica.una, u.SndWnd < 0, u.SndWnd > 1<<30, u.PathMSS != 0 && u.PathMSS < minMSS,
		u.Edge < 0, u.Edge > end+1<<30, u.Biggest < 0, u.Biggest > 1<<20:
		return fmt.Errorf("tcp: impossible update: una %d, window %d, edge %d, path %d, packet %d", u.Una, u.SndWnd, u.Edge, u.PathMSS, u.Biggest)
	}
	return c.replica.checkClose(u)
}

// checkClose says what is wrong with the end of the output: once there is one, only a RST
// can follow, behind a FIN. A RST is never acknowledged.
func (r *replica) checkClose(u *Update) error {
	how, at := u.Close, u.CloseAt
	switch {
	case how == NotClosed:
		how, at = r.close, r.closeAt
	case how > CloseReset, at < 1,
		r.close != NotClosed && (how != r.close || at != r.closeAt) && (r.close != CloseFIN || how == CloseFIN || at != r.closeAt+1):
		return fmt.Errorf("tcp: impossible update: end %d at %d after %d at %d", how, at, r.close, r.closeAt)
	}
	if how > CloseFIN && u.Una > at {
		return fmt.Errorf("tcp: impossible update: una %d behind a RST at %d", u.Una, at)
	}
	return nil
}

// replicaAdvance moves una to where the active node has it, as far as the user has
// produced output here.
func (c *Core) replicaAdvance() {
	c.una = max(c.una, min(c.replica.una, c.ackEnd()))
	c.nxt, c.max = c.una, c.ackEnd()
	c.releaseOutput()
}

// TakeOver makes a replica the connection: from here on it is what the peer talks to.
// Everything starts over from SND.UNA, with a congestion window and an RTO of a new
// connection, and acknowledgements are accepted up to all that the user has produced. The
// timestamp clock is moved forward by tsShift, so that it continues above any value that
// the active node can have sent (RFC 7323 section 5); the offset of a later Snapshot
// stays.
//
// The marks stay as they are, but for what the peer may have seen: all that is here.
// Whoever calls it bounds the connection anew.
func (c *Core) TakeOver(now time.Time, tsShift uint32) {
	if c.replica == nil {
		return
	}
	r := c.replica
	c.replica = nil
	if c.closed {
		return
	}
	if c.orphan {
		// Its user has closed: in order, if the log or the peer says so. Else what is
		// unread here decides.
		inOrder := c.rst >= 0 || c.finAcked() || r.close == CloseFIN && r.closeAt == c.fin
		if !inOrder && c.Readable() > 0 {
			c.resetInsteadOfFIN()
		}
		c.readShut = true
	}
	if r.pathMSS != 0 && r.pathMSS < c.pathMSS() {
		c.path.limited(c, now, r.pathMSS)
	}
	c.spoke = now
	c.cfg.Epoch = c.cfg.Epoch.Add(-time.Duration(tsShift) * time.Millisecond)
	c.max = max(1, c.ackEnd())
	c.nxt = c.max
	if c.una == 0 {
		c.nxt = 0 // our SYN goes out again
	}
	c.board.restart(c.una, c.max)
	c.recover = c.max
	c.keep.heard(now)
	c.acked = c.rcvNxt
	c.marks.Ackable = max(c.marks.Ackable, c.acked)
	c.marks.Sendable = max(c.marks.Sendable, c.max)
	c.wl1, c.wl2 = 0, 0
	c.sndEdge = c.una + c.sndWnd
	// How far the window was open is known with a delay, but not more than this: what both
	// readers had read, and the buffer, rounded up.
	c.edge = max(c.edge, c.read+int64(c.cfg.ReceiveBuffer)+1<<c.rcvShift-1)
	c.ackForce = true
	switch {
	case c.rst >= 0 && (c.rcvNxt == 0 || c.timeWait):
		c.finish(c.err) // there is nobody to be told
	case c.timeWait:
	default:
		c.releaseInput()
		if c.readShut {
			c.discardInput()
		}
		c.settle(now)
	}
}

// End ends a replica as the connection has ended on the active node.
func (c *Core) End(err error) { c.finish(err) }

// NextReceive is the sequence number of what the peer has to send next.
func (c *Core) NextReceive() uint32 { return c.rcvSeq(c.rcvNxt) }
