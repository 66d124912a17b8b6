package stack

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// SYN cookies (RFC 4987 section 3.6): when a listener's queue of half-open connections is full, its
// SYN-ACKs carry in their sequence number what has to be remembered, and nothing is. The key is
// the group's, so that the ACK may come to another node than the one that sent the SYN-ACK.
//
//	sequence number: 5 bits time, 3 bits MSS, 24 bits MAC
//	timestamp:       26 bits clock, 1 bit SACK, 1 bit ECN, 4 bits window scale
//
// A peer without timestamps gets neither SACK nor ECN nor a window scale.

const (
	cookieTick = 64 * time.Second // of the 5-bit clock
	cookieLife = 2 * cookieTick   // an ACK may take as long
	noScale    = 15               // in the timestamp: the peer does not scale windows
)

// cookieMSS are the sizes that a cookie can remember.
var cookieMSS = [8]uint16{64, 536, 1220, 1360, 1440, 1460, 8940, 65495}

// cookieOptions are the options that a cookie stands for.
type cookieOptions struct {
	mss   int // index into cookieMSS
	scale uint8
	sack  bool
	ecn   bool
}

func (o cookieOptions) bits() uint32 {
	bits := uint32(o.scale)
	if o.sack {
		bits |= 1 << 5
	}
	if o.ecn {
		bits |= 1 << 4
	}
	return bits
}

// cookie computes the initial sequence number that stands for a SYN at a time.
func (s *Stack) cookie(t tuple, irs uint32, tick int64, o cookieOptions) uint32 {
	b := make([]byte, 0, 128)
	b = append(b, s.cfg.Key[:]...)
	b = append(b, 'C', byte(o.mss), byte(o.bits()))
	for _, a := range [...]netip.AddrPort{t.local, t.remote} {
		ip := a.Addr().As16()
		b = append(b, ip[:]...)
		b = binary.BigEndian.AppendUint16(b, a.Port())
	}
	b = binary.BigEndian.AppendUint32(b, irs)
	b = binary.BigEndian.AppendUint64(b, uint64(tick))
	sum := sha256.Sum256(b)
	return uint32(tick)<<27 | uint32(o.mss)<<24 | binary.BigEndian.Uint32(sum[:])>>8
}

// expectCookies makes ACKs be looked at for a cookie, for as long as one may take.
func (s *Stack) expectCookies(now time.Time) {
	s.cookiesUntil.Store(now.Add(cookieLife).Unix())
}

// answerCookie answers a SYN and forgets it.
func (l *Link) answerCookie(now time.Time, to wire.MAC, t tuple, syn *tcp.Segment) {
	s := l.stack
	s.Stats.Cookies.Add(1)
	s.expectCookies(now)
	in := &syn.Options
	o := cookieOptions{scale: noScale}
	cfg := s.coreConfig(l, t.local, t.remote, now)
	theirs := in.MSS
	if theirs == 0 {
		theirs = uint16(max(cfg.DefaultMSS, 536))
	}
	for i, mss := range cookieMSS {
		if mss <= theirs {
			o.mss = i
		}
	}
	var out tcp.Segment
	out.SrcPort, out.DstPort = t.local.Port(), t.remote.Port()
	out.Flags = wire.SYN | wire.ACK
	out.Ack = syn.Seq + 1
	out.Window = uint16(min(cfg.ReceiveBuffer, 65535))
	out.Options.MSS = uint16(cfg.MSS)
	if in.HasTimestamps {
		if o.sack = in.SACKPermitted; o.sack {
			out.Options.SACKPermitted = true
		}
		if o.ecn = tcp.AsksECN(syn.Flags); o.ecn {
			out.Flags |= wire.ECE
		}
		if in.HasWindowScale {
			o.scale = in.WindowScale
			out.Options.HasWindowScale, out.Options.WindowScale = true, tcp.WindowScale(cfg.ReceiveBuffer)
		}
		clock := s.Timestamp() + cfg.TSOffset
		stamp := clock&^63 | o.bits()
		if stamp > clock {
			stamp -= 64 // the connection's own timestamps must not be lower
		}
		out.Options.HasTimestamps, out.Options.TSVal, out.Options.TSEcr = true, stamp, in.TSVal
	}
	out.Seq = s.cookie(t, syn.Seq, now.Unix()/int64(cookieTick/time.Second), o)
	tx := l.transmit(nil)
	tx.add(to, t.local.Addr(), t.remote.Addr(), s.cfg.TrafficClass, &out)
	tx.done()
}

// acceptCookie returns the core of a connection whose handshake ack completes, if it
// acknowledges a cookie; nil otherwise.
func (l *Link) acceptCookie(now time.Time, t tuple, ack *tcp.Segment) *tcp.Core {
	s := l.stack
	if ack.Flags&(wire.ACK|wire.SYN|wire.RST) != wire.ACK || now.Unix() > s.cookiesUntil.Load() {
		return nil
	}
	iss, irs := ack.Ack-1, ack.Seq-1
	o := cookieOptions{mss: int(iss >> 24 & 7), scale: noScale}
	syn := wire.TCP{Seq: irs, Flags: wire.SYN, Window: ack.Window}
	syn.Options.MSS = cookieMSS[o.mss]
	if in := &ack.Options; in.HasTimestamps {
		o.sack, o.ecn = in.TSEcr>>5&1 != 0, in.TSEcr>>4&1 != 0
		if o.ecn {
			syn.Flags |= wire.ECE | wire.CWR
		}
		o.scale = uint8(in.TSEcr & 15)
		syn.Options.SACKPermitted = o.sack
		syn.Options.HasWindowScale, syn.Options.WindowScale = o.scale != noScale, min(o.scale, wire.MaxWindowScale)
		syn.Options.HasTimestamps, syn.Options.TSVal = true, in.TSVal
	}
	tick := now.Unix() / int64(cookieTick/time.Second)
	if iss != s.cookie(t, irs, tick, o) && iss != s.cookie(t, irs, tick-1, o) {
		return nil
	}
	cfg := s.coreConfig(l, t.local, t.remote, now)
	cfg.ISS = iss
	core := tcp.Accept(cfg, now, &syn)
	core.Answered()
	return core
}
