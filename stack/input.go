package stack

import (
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// input processes a packet that block holds. It returns the block, or nil if a connection
// has kept it.
func (l *Link) input(now time.Time, pkt *device.Inbound, block *tcp.Block) *tcp.Block {
	s := l.stack
	b := pkt.Buf[:pkt.N]
	var from wire.MAC
	everyone := false // the frame is not for us alone
	if hw := l.hw.Load(); hw.mac.IsZero() {
		l.foreign = true
	} else {
		eth, payload, err := wire.ParseEthernet(b)
		if err != nil {
			s.Stats.Malformed.Add(1)
			return block
		}
		if eth.Src != hw.own && eth.Src != hw.mac {
			l.foreign = true
		}
		if eth.Type == wire.EtherTypeARP {
			l.inputARP(payload)
			return block
		}
		everyone = eth.Dst.IsMulticast()
		if eth.Dst != hw.mac && eth.Dst != hw.own && !everyone {
			return block
		}
		if eth.Type != wire.EtherTypeIPv4 && eth.Type != wire.EtherTypeIPv6 {
			if eth.Type == wire.EtherTypePresence && s.presence != nil && eth.Src != hw.own {
				s.presence(l, eth.Src, payload)
			}
			return block
		}
		from, b = eth.Src, payload
	}
	ip, payload, err := wire.ParseIP(b)
	if err != nil {
		s.Stats.Malformed.Add(1)
		return block
	}
	// Neighbour messages in fragments, even in one, are ignored: RFC 6980 section 5.
	if ip.Proto == wire.ProtoICMPv6 && !ip.FragHeader && l.inputNeighbor(from, !everyone, &ip, payload) {
		return block
	}
	if l.cfg.Addr.IsValid() && ip.Dst != l.cfg.Addr || !l.active() {
		return block
	}
	if everyone || l.martian(ip.Src) {
		s.Stats.Martians.Add(1)
		return block
	}
	if ip.Fragment() {
		l.inputFragment(now, from, &ip, payload)
		return block
	}
	return l.inputPacket(now, from, pkt, &ip, payload, block, len(b))
}

// inputFragment handles a piece of a packet, and the packet if it is whole then.
func (l *Link) inputFragment(now time.Time, from wire.MAC, ip *wire.IP, payload []byte) {
	s := l.stack
	s.Stats.Fragments.Add(1)
	block, n := l.fragments.add(now, ip, payload)
	if block == nil {
		return
	}
	whole, payload, err := wire.ParseIP(block.B[:n])
	if err != nil || whole.FragHeader {
		s.Stats.Malformed.Add(1)
		block.Free()
		return
	}
	// What a device says of one piece's checksum it does not say of the whole, and how large the
	// packet is says nothing about the path.
	pkt := device.Inbound{Buf: block.B, N: n}
	if block = l.inputPacket(now, from, &pkt, &whole, payload, block, 0); block != nil {
		block.Free()
	}
}

// inputPacket handles a whole packet for us; size is that of the packet as it came along the path. What it returns is
// what input does.
func (l *Link) inputPacket(now time.Time, from wire.MAC, pkt *device.Inbound, ip *wire.IP, payload []byte, block *tcp.Block, size int) *tcp.Block {
	s := l.stack
	switch ip.Proto {
	case wire.ProtoTCP:
		if !pkt.Verified && !wire.TCPChecksumOK(payload, ip.Src, ip.Dst) {
			s.Stats.BadChecksum.Add(1)
			return block
		}
		var seg tcp.Segment
		var err error
		if seg.Payload, err = seg.TCP.Parse(payload); err != nil {
			s.Stats.Malformed.Add(1)
			return block
		}
		seg.ECN = ip.ECN()
		seg.SegmentSize = pkt.SegmentSize
		seg.Block = block
		l.inputTCP(now, from, ip, &seg, size)
		return seg.Block
	case wire.ProtoICMP, wire.ProtoICMPv6:
		l.inputICMP(now, from, ip, payload)
	}
	return block
}

// martian says that nobody can have sent a packet from src, so that it must not be answered: RFC 1122
// section 3.2.1.3, RFC 9293 section 3.9.2.3.
func (l *Link) martian(src netip.Addr) bool {
	return src.IsMulticast() || src.IsUnspecified() || src == broadcast ||
		src == l.cfg.Addr || l.ethernet() && src.IsLoopback()
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// inputTCP hands a segment to its connection.
func (l *Link) inputTCP(now time.Time, from wire.MAC, ip *wire.IP, seg *tcp.Segment, size int) {
	s := l.stack
	t := tuple{netip.AddrPortFrom(ip.Dst, seg.DstPort), netip.AddrPortFrom(ip.Src, seg.SrcPort)}
	if t.local == t.remote || t.remote.Port() == 0 || ip.Dst.IsMulticast() || ip.Dst == broadcast {
		s.Stats.Martians.Add(1)
		return
	}
	c := s.conn(t)
	if c == nil {
		l.inputNew(now, from, t, seg, nil)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.core.Replica() {
		s.Stats.Early.Add(1)
		return
	}
	if c.core.Reusable(now, &seg.TCP) && s.listener(t.local) != nil {
		// A new connection in the place of one in TIME-WAIT.
		cfg := s.coreConfig(l, t.local, t.remote, now)
		cfg.ISS = c.core.NextISS(cfg.ISS)
		c.core.End(nil)
		c.flush(now)
		c.mu.Unlock()
		l.inputNew(now, from, t, seg, &cfg)
		c.mu.Lock()
		return
	}
	payload := len(seg.Payload)
	if c.core.Recv(now, seg) {
		// Only the peer itself can say where its answers go, and how large its packets are.
		c.link, c.peerMAC = l, from
		if seg.SegmentSize > 0 {
			size = size - payload + seg.SegmentSize
		}
		c.core.NotePacket(size)
	}
	if c.core.Urgent() {
		c.flush(now) // every duplicate ACK counts: RFC 5681 section 4.2
	} else if !c.touched {
		c.touched = true
		l.touched = append(l.touched, c)
	}
}

// inputNew handles a segment for a connection that does not exist: RFC 9293 section 3.10.7.1
// and 3.10.7.2. If it opens one that takes another's place, cfg is its configuration, else nil.
func (l *Link) inputNew(now time.Time, from wire.MAC, t tuple, seg *tcp.Segment, cfg *tcp.Config) {
	s := l.stack
	if seg.Flags&wire.RST != 0 {
		return
	}
	listener := s.listener(t.local)
	var core *tcp.Core
	opens := seg.Flags&(wire.SYN|wire.ACK|wire.FIN) == wire.SYN
	if listener != nil && seg.Flags&wire.ACK != 0 {
		core = l.acceptCookie(now, t, seg)
	}
	cookie := core != nil
	switch {
	case listener == nil, !cookie && seg.Flags&wire.ACK != 0:
		s.Stats.NoListener.Add(1)
		l.refuse(from, t, seg)
		return
	case !cookie && !opens:
		s.Stats.NoListener.Add(1) // 3.10.7.2, fourth: not even an answer
		return
	}
	switch listener.admit(cookie) {
	case full:
		s.Stats.Backlog.Add(1)
		return
	case crowded:
		l.answerCookie(now, from, t, seg)
		return
	}
	if !cookie {
		if cfg == nil {
			made := s.coreConfig(l, t.local, t.remote, now)
			cfg = &made
		}
		core = tcp.Accept(*cfg, now, &seg.TCP)
	}
	c := newConn(s, l, t, core)
	c.peerMAC = from
	c.listener = listener
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.insert(c) {
		listener.leave()
		return
	}
	if s.observer != nil {
		s.observer.Opened(c, core)
	}
	if cookie {
		core.Recv(now, seg)
	}
	c.flush(now)
}

// refuse answers a segment of no connection with a RST.
func (l *Link) refuse(to wire.MAC, t tuple, seg *tcp.Segment) {
	s := l.stack
	if !s.maySpeak() {
		s.Stats.ResetsHeld.Add(1)
		return
	}
	out := tcp.Segment{}
	out.SrcPort, out.DstPort = t.local.Port(), t.remote.Port()
	out.Flags = wire.RST
	if seg.Flags&wire.ACK != 0 {
		out.Seq = seg.Ack
	} else {
		out.Flags |= wire.ACK
		out.Ack = seg.Seq + uint32(len(seg.Payload))
		if seg.Flags&wire.SYN != 0 {
			out.Ack++
		}
		if seg.Flags&wire.FIN != 0 {
			out.Ack++
		}
	}
	tx := l.transmit(nil)
	tx.add(to, t.local.Addr(), t.remote.Addr(), l.stack.cfg.TrafficClass, &out)
	tx.done()
}

// maySpeak says whether what no standby knows of may be sent: a RST, an answer for the address.
func (s *Stack) maySpeak() bool { return s.Active() && s.sure() }
