package stack

import (
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// inputICMP answers pings and heeds errors.
func (l *Link) inputICMP(now time.Time, from wire.MAC, ip *wire.IP, b []byte) {
	s := l.stack
	m, err := wire.ParseICMP(b, ip.Src, ip.Dst)
	if err != nil {
		s.Stats.Malformed.Add(1)
		return
	}
	switch {
	case m.EchoRequest():
		if !s.maySpeak() || !l.cfg.Addr.IsValid() {
			return
		}
		reply := m.EchoReply()
		// A question that came in fragments can be larger than any answer. RFC 1122 section 3.2.2.6 has
		// the answer truncated; RFC 4443 section 4.2 does not allow that.
		if room := l.mtuFor(ip.Src) - ip.Len() - icmpHeader; len(reply.Body) > room {
			if m.V6 {
				return
			}
			reply.Body = reply.Body[:room]
		}
		l.send(from, wire.IP{Src: ip.Dst, Dst: ip.Src, Proto: ip.Proto, TTL: 64, DF: true}, reply.Append(nil, ip.Dst, ip.Src))
	case m.ReportsError():
		if !l.inputError(now, &m) {
			s.Stats.BadICMP.Add(1)
		}
	}
}

const icmpHeader = 8

// inputError heeds an error that quotes a segment of ours. Errors are hints, not
// facts: none ends a connection that is established (RFC 5927 section 5), and
// the core believes a path MTU only for what is in flight.
func (l *Link) inputError(now time.Time, m *wire.ICMP) bool {
	quoted, q, err := m.Quoted()
	if err != nil || quoted.Proto != wire.ProtoTCP {
		return false
	}
	c := l.stack.conn(tuple{netip.AddrPortFrom(quoted.Src, q.SrcPort), netip.AddrPortFrom(quoted.Dst, q.DstPort)})
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.core.Replica() {
		l.stack.Stats.Early.Add(1)
		return true
	}
	p := c.core.Positions()
	if behind := q.Seq - c.core.Snapshot().ISS - uint32(p.Una); int64(behind) >= p.OutEnd-p.Una {
		return false // RFC 5927 section 4.1
	}
	mtu, ok := m.MTU()
	if !ok {
		if c.core.State() == tcp.SynSent {
			if err := unreachable(m); err != nil {
				c.core.End(err)
				c.flush(now)
			}
		}
		return true
	}
	headers := 40
	if c.remote.Addr().Is6() {
		headers = 60
	}
	if !c.core.PathMTU(now, q.Seq, max(mtu, minMTU)-headers) {
		return false
	}
	c.flush(now)
	return true
}

// unreachable is what a message means to a connection that does not exist yet; nil: nothing. To end it
// harms nobody: RFC 5461 section 4.1.
func unreachable(m *wire.ICMP) error {
	switch {
	case m.V6 && m.Type == wire.ICMPv6Unreachable:
		switch m.Code {
		case wire.ICMPv6CodeNoRoute:
			return errno.NetUnreachable
		case wire.ICMPv6CodePortUnreachable:
			return tcp.ErrRefused
		}
		return errno.HostUnreachable
	case !m.V6 && m.Type == wire.ICMPUnreachable:
		switch m.Code {
		case wire.ICMPCodeNetUnreachable:
			return errno.NetUnreachable
		case wire.ICMPCodeProtocolUnreachable, wire.ICMPCodePortUnreachable:
			return tcp.ErrRefused
		}
		return errno.HostUnreachable
	}
	return nil
}

// minMTU is the least that a message about the path MTU can claim: Linux's floor.
const minMTU = 552

// wakeKind is a message that makes a peer re-send at once what it has outstanding.
type wakeKind int

const (
	wakeTooBig      wakeKind = iota // large segments
	wakeUnreachable                 // small ones, after a timeout: RFC 6069
)

// wake sends the peer of c, which is locked, an ICMP message that quotes the segment that we
// miss first. Its kernel re-sends what it has outstanding, without waiting for its
// retransmission timer, which has backed off while nobody answered. If nothing is outstanding
// there is nothing to quote in the peer's eyes, and it ignores the message.
func (c *Conn) wake(kind wakeKind) {
	local, remote := c.local.Addr(), c.remote.Addr()
	size := c.core.Positions().Biggest
	segment := wire.TCP{SrcPort: c.remote.Port(), DstPort: c.local.Port(), Seq: c.core.NextReceive(), Flags: wire.ACK}
	quoted := wire.IP{Src: remote, Dst: local, Proto: wire.ProtoTCP, TTL: 63, DF: true}
	quote := segment.Append(quoted.Append(nil, max(size-quoted.Len(), segment.Len())))

	var m wire.ICMP
	switch v6 := remote.Is6(); {
	case kind == wakeUnreachable:
		m = wire.HostUnreachable(v6, quote)
	case size < minMTU+wakeStep || v6 && size < 1280+wakeStep:
		return // it would not help: the segments are smaller than any MTU that can be claimed
	case v6:
		m = wire.PacketTooBig(size-wakeStep, quote)
	default:
		m = wire.FragmentationNeeded(size-wakeStep, quote)
	}
	ip := wire.IP{Src: local, Dst: remote, Proto: wire.ProtoICMP, TTL: 64, DF: true}
	if remote.Is6() {
		ip.Proto = wire.ProtoICMPv6
	}
	c.link.send(c.peerMAC, ip, m.Append(nil, local, remote))
}

// wakeStep is how much less than what was seen is claimed: as little as possible, since
// the peer keeps to it for ten minutes. A multiple of four, as segments with options are.
const wakeStep = 4
