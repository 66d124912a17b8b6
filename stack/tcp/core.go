package tcp

import (
	"errors"
	"math"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Why a connection ended. A connection that ended in order has no error.
var (
	ErrReset   = errors.New("tcp: connection reset by peer")
	ErrRefused = errors.New("tcp: connection refused")
	ErrTimeout = errors.New("tcp: connection timed out")
	ErrAborted = errors.New("tcp: connection aborted")
)

// Config is what a connection does not learn from its peer.
type Config struct {
	MSS           int       // largest payload that this side receives in one segment: announced
	SendMSS       int       // largest payload that the path to the peer takes; zero: MSS
	DefaultMSS    int       // what a peer is assumed to take that does not say; zero: defaultMSS
	GSO           int       // largest payload that Send may emit as one; zero: a segment's
	ReceiveBuffer int       // bytes; the most that the window may grow to
	SendBuffer    int       // bytes; the most that Append takes beyond what was acknowledged
	ISS           uint32    // initial send sequence number (RFC 6528)
	Epoch         time.Time // where the timestamp clock starts (RFC 7323)
	TSOffset      uint32    // added to the timestamp clock
	ECN           bool      // an active open asks for ECN; a passive one always grants it
	Early         *Budget   // for data out of order, shared with other connections; nil: none

	// Congestion makes the congestion controller. Nil is NewCubic.
	Congestion func(mss int) Congestion
}

// Core is the state of one connection, between two calls.
// Its methods must not be called at the same time.
type Core struct {
	cfg   Config
	marks Marks

	// Send sequence space, in positions:
	//
	//	una <= nxt <= max <= min(marks.Sendable, ackEnd())
	//
	// nxt is less than max only while our SYN is to be sent again. On a replica, max is
	// ackEnd() and may exceed the mark: what the active node sent is not known more
	// precisely.
	una       int64 // SND.UNA
	nxt       int64 // SND.NXT
	max       int64 // one past the highest position ever sent
	appended  int64 // one past the last position that the user produced
	fin       int64 // position of our FIN, behind all data; -1: there is none
	rst       int64 // position of our RST, the last that there is; -1: there is none
	out       buffer
	sendFixed bool // the user has set the size of the send buffer

	// Send window. sndEdge never matters below una.
	sndEdge  int64 // SND.UNA + SND.WND: the right edge of the peer's window
	sndWnd   int64 // SND.WND as last seen
	sndMax   int64 // largest SND.WND ever seen
	wl1, wl2 int64 // SND.WL1, SND.WL2
	smss     int   // SMSS: payload per segment, options allowed for
	peerMSS  int   // from the peer's SYN
	sndShift uint8 // Snd.Wind.Shift

	// Receive sequence space, in positions:
	//
	//	acked <= min(marks.Ackable, rcvNxt);  rcvNxt <= edge
	//	read <= rcvNxt
	acked    int64 // the highest acknowledgement sent; Last.ACK.sent
	rcvNxt   int64 // RCV.NXT. 0 only in SYN-SENT
	edge     int64 // RCV.NXT + RCV.WND: the advertised right edge; never moves left
	read     int64 // the user has read up to here
	rcvFin   int64 // position of the peer's FIN; -1: not seen
	in       buffer
	replica  *replica // not nil: another node is the active one
	early    reassembly
	again    [2]int64 // what arrived a second time, to be reported (RFC 2883); empty: nothing
	irs      uint32
	rcvShift uint8 // Rcv.Wind.Shift
	tuning   receiveTuning
	rcvMSS   int // largest segment seen from the peer, payload
	biggest  int // largest IP packet seen from the peer; see NotePacket

	// Options, as negotiated by the SYNs.
	active bool // we opened
	scale  bool // window scale
	sack   bool
	ts     bool
	ecn    ecn

	// Timestamps: RFC 7323.
	tsRecent   uint32    // TS.Recent
	tsRecentAt time.Time // when it was set; PAWS does not trust one that is 24 days old
	sentAt     time.Time // when output was sent last; zero: never, or its absence has been dealt with
	spoke      time.Time // since when it is this node that sends; no echo is older

	// Loss and congestion: recovery.go.
	rtt        rttEstimator
	cc         Congestion
	rates      RateController // cc, if it is one; else nil
	sampler    sampler
	ack        Ack // what cc is given; kept so that none is allocated
	board      scoreboard
	pace       pacing
	path       pathProbe
	rack       rack
	prr        prr
	usage      usage
	dupAcks    int
	reported   int       // bytes that have arrived behind a hole, and do not count for the window yet; see respond
	recovering bool      // in fast recovery, until una reaches recover
	recover    int64     // what was sent when the last loss was found; a loss before it is part of that one
	episode    episode   // what was sent again since then
	tail       tailProbe // RFC 8985 section 7
	retries    int       // timer expiries in a row without progress

	// Acknowledgements that are owed.
	ackNow    bool // at once
	ackForce  bool // even if it repeats the one before
	dupAck    bool // for data out of order: at once, but not while the mark holds back rcvNxt
	probe     bool // an empty segment before una, to which the peer answers
	override  bool // send less than a segment into a small window
	challenge challengeLimit

	// Timers. Zero is off.
	rtoAt    time.Time
	probeAt  time.Time // zero-window probe
	delackAt time.Time
	lingerAt time.Time // end of TIME-WAIT, or of FIN-WAIT-2 that nobody waits for
	keep     keepAlive
	patience userTimeout

	// The end.
	noDelay     bool // no Nagle
	closedFirst bool // we closed before the peer's FIN came
	readShut    bool // the user will not read; see CloseRead
	orphan      bool // the user has closed entirely: arriving data is answered with RST
	timeWait    bool
	rstKind     Close // what rst is for
	rstAnswers  bool  // rst answers a segment, and was due at once
	closed      bool  // nothing will be received or sent any more
	err         error // why, or why there is a RST, if not in order
	reset       bool  // refuse a segment, with a RST at resetSeq: the connection goes on
	resetSeq    uint32

	tx Segment // the one that Send emits; kept so that none is allocated
}

// Segment is what Recv takes and what Send emits.
type Segment struct {
	wire.TCP

	// ECN is the codepoint of the IP header: as it arrived, or as it is to be sent.
	ECN wire.ECN

	// Recv: the payload. If Block is not nil it holds Payload, and Recv may keep
	// it; it then sets Block to nil.
	Payload []byte
	Block   *Block

	// Send: the payload, in parts that stay valid until emit returns, its length,
	// and the size into which it has to be cut; 0 if it is one segment.
	Parts       [][]byte
	Len         int
	SegmentSize int
}

func newCore(cfg Config) *Core {
	c := &Core{
		cfg:      cfg,
		marks:    Unbounded,
		appended: 1,
		fin:      -1,
		rst:      -1,
		rcvFin:   -1,
		read:     1,
		noDelay:  true,
		peerMSS:  defaultMSS,
	}
	if cfg.DefaultMSS != 0 {
		c.peerMSS = cfg.DefaultMSS
	}
	c.out.init(1)
	c.in.init(1)
	c.early.budget = cfg.Early
	c.rcvShift = WindowScale(cfg.ReceiveBuffer)
	c.tuning.size = min(startWindow, cfg.ReceiveBuffer)
	return c
}

// WindowScale is the shift with which a window of the size of a receive buffer can be advertised: RFC 7323 section 2.3.
func WindowScale(buffer int) (shift uint8) {
	for shift < wire.MaxWindowScale && buffer>>shift > math.MaxUint16 {
		shift++
	}
	return shift
}

// What is assumed of a peer that does not say how much it takes: RFC 9293 section 3.7.1.
const (
	defaultMSS = 536

	DefaultMSS6 = 1220 // over IPv6
)

// Connect returns a connection that opens actively: SYN-SENT.
func Connect(cfg Config, now time.Time) *Core {
	c := newCore(cfg)
	c.active, c.scale, c.sack, c.ts = true, true, true, true
	c.edge = 1 + min(int64(cfg.ReceiveBuffer), math.MaxUint16) // by the window of our SYN
	c.spoke = now
	return c
}

// Accept returns a connection that opens passively, in SYN-RECEIVED, on the
// segment syn, which must be an acceptable SYN.
func Accept(cfg Config, now time.Time, syn *wire.TCP) *Core {
	c := newCore(cfg)
	c.spoke = now
	c.takeSYN(now, syn)
	c.edge = 1 + min(int64(cfg.ReceiveBuffer), math.MaxUint16)
	return c
}

// Answered takes note that our SYN has been sent by other means: as a SYN cookie.
func (c *Core) Answered() {
	c.nxt, c.max, c.acked = 1, 1, 1
	c.board.restart(0, 1)
	c.board.findNothingLost()
}

// takeSYN takes over what the peer's SYN says. On an active open, an option that
// the answer lacks is off.
func (c *Core) takeSYN(now time.Time, syn *wire.TCP) {
	o := &syn.Options
	offered := !c.active
	c.irs = syn.Seq
	c.rcvNxt = 1
	if o.MSS != 0 {
		c.peerMSS = int(o.MSS)
	}
	c.scale = o.HasWindowScale && (c.scale || offered)
	if c.scale {
		c.sndShift = o.WindowScale
	} else {
		c.rcvShift = 0
		c.cfg.ReceiveBuffer = min(c.cfg.ReceiveBuffer, math.MaxUint16)
		c.tuning.size = min(c.tuning.size, c.cfg.ReceiveBuffer)
	}
	c.sack = o.SACKPermitted && (c.sack || offered)
	c.ts = o.HasTimestamps && (c.ts || offered)
	if syn.Flags&wire.ACK != 0 {
		c.ecn.on = c.cfg.ECN && c.retries == 0 && grantsECN(syn.Flags)
	} else {
		c.ecn.on = AsksECN(syn.Flags) && (offered || c.cfg.ECN && c.retries == 0)
	}
	if c.ts {
		c.tsRecent, c.tsRecentAt = o.TSVal, now
	}
	c.setSMSS()
	// The window in a SYN is never scaled: RFC 7323 section 2.2.
	c.sndWnd = int64(syn.Window)
	c.sndMax = max(c.sndMax, c.sndWnd)
	c.sndEdge = c.una + c.sndWnd
	c.wl1, c.wl2 = 0, c.una
}

// setSMSS computes the payload of full segments: RFC 9293 section 3.7.1, RFC 6691.
func (c *Core) setSMSS() {
	mss := c.peerMSS
	if c.cfg.SendMSS != 0 {
		mss = min(mss, c.cfg.SendMSS)
	} else {
		mss = min(mss, c.cfg.MSS)
	}
	c.smss = max(mss-c.optionLen(), minMSS)
	if c.cc == nil {
		if c.cfg.Congestion == nil {
			c.cfg.Congestion = NewCubic
		}
		c.cc = c.cfg.Congestion(c.smss)
		c.rates, _ = c.cc.(RateController)
	} else {
		c.cc.SetMSS(c.smss)
	}
	c.rcvMSS = min(max(c.rcvMSS, defaultMSS), c.cfg.MSS)
}

const (
	timestampLen = 12 // with its two NOPs
	minMSS       = 64 // a peer cannot make us send smaller segments
)

// optionLen is the length of the options in every segment.
func (c *Core) optionLen() int {
	if c.ts {
		return timestampLen
	}
	return 0
}

// sndSeq and rcvSeq turn positions into sequence numbers.
func (c *Core) sndSeq(pos int64) uint32 { return c.cfg.ISS + uint32(pos) }
func (c *Core) rcvSeq(pos int64) uint32 { return c.irs + uint32(pos) }

// sndPos and rcvPos turn sequence numbers into positions: the ones nearest to
// una and rcvNxt.
func (c *Core) sndPos(seq uint32) int64 { return c.una + int64(int32(seq-c.sndSeq(c.una))) }
func (c *Core) rcvPos(seq uint32) int64 { return c.rcvNxt + int64(int32(seq-c.rcvSeq(c.rcvNxt))) }

// timestamp is the value of the timestamp clock, one tick a millisecond.
func (c *Core) timestamp(now time.Time) uint32 {
	return uint32(now.Sub(c.cfg.Epoch)/time.Millisecond) + c.cfg.TSOffset
}

// finAcked says that the peer has acknowledged our FIN.
func (c *Core) finAcked() bool { return c.fin >= 0 && c.una > c.fin }

// finReceived says that all of the peer's stream is here, and its FIN.
func (c *Core) finReceived() bool { return c.rcvFin >= 0 && c.rcvNxt > c.rcvFin }

// inEnd is one past the last byte of input that is in order.
func (c *Core) inEnd() int64 {
	if c.finReceived() {
		return c.rcvFin
	}
	return max(1, c.rcvNxt)
}
