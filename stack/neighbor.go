package stack

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/wire"
)

// Address resolution: ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861).

// neighbors are the stations that this stack wants to send to first.
type neighbors struct {
	mu      sync.Mutex
	known   map[netip.Addr]wire.MAC
	asked   map[netip.Addr]*question
	probing chan struct{} // not nil: a probe for our own address waits for an answer
	probed  time.Time     // when it began to
	seen    []netip.Addr  // stations that were heard last, up to maxSolicited; see Solicit

	claimed  time.Time // when another station last said that our address is its own
	defended time.Time // when that was last answered
}

// maxNeighbors bounds the table; when it is full it is forgotten.
const maxNeighbors = 4096

func (n *neighbors) init() {
	n.known = map[netip.Addr]wire.MAC{}
	n.asked = map[netip.Addr]*question{}
}

// A question is where a station is. There is one in neighbors.asked as long as connections wait for the answer.
type question struct {
	at      time.Time // when it was asked last
	waiting []*Conn   // their asking is this link
}

// askGap is the least time between two equal questions: RFC 1122 section 2.3.2.1, RFC 4861 section 10.
const askGap = time.Second

// forget lets c, which is locked, no longer wait for an answer.
func (n *neighbors) forget(c *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for addr, q := range n.asked {
		if i := slices.Index(q.waiting, c); i >= 0 {
			if q.waiting = slices.Delete(q.waiting, i, i+1); len(q.waiting) == 0 {
				delete(n.asked, addr)
			}
			return
		}
	}
}

// inputARP answers questions for our address and takes note of answers.
func (l *Link) inputARP(b []byte) {
	s := l.stack
	arp, err := wire.ParseARP(b)
	if err != nil {
		s.Stats.Malformed.Add(1)
		return
	}
	if arp.SenderIP == l.cfg.Addr {
		l.claimed(arp.Op == wire.ARPReply && arp.TargetMAC == l.own())
		return
	}
	l.learned(arp.SenderIP, arp.SenderMAC)
	if arp.Op != wire.ARPRequest || arp.TargetIP != l.cfg.Addr || !l.active() {
		return
	}
	// A probe asks whether anybody serves; the answer is true even in doubt, and
	// keeps a standby from taking over. Others want to know where to send.
	if arp.Probe() || s.sure() {
		l.sendARP(l.mac(), arp.SenderMAC, wire.ARP{
			Op: wire.ARPReply, SenderMAC: l.mac(), SenderIP: l.cfg.Addr, TargetMAC: arp.SenderMAC, TargetIP: arp.SenderIP,
		})
	}
}

// inputNeighbor is inputARP for IPv6; direct says that the frame was sent to our own MAC. It returns false if the packet is no neighbour message.
func (l *Link) inputNeighbor(from wire.MAC, direct bool, ip *wire.IP, b []byte) bool {
	s := l.stack
	m, err := wire.ParseICMP(b, ip.Src, ip.Dst)
	if err != nil || m.Type != wire.ICMPv6NeighborSolicitation && m.Type != wire.ICMPv6NeighborAdvertisement {
		return false
	}
	n, err := wire.ParseNeighbor(m)
	if err != nil || ip.TTL != 255 || !l.ethernet() {
		s.Stats.Malformed.Add(1)
		return true
	}
	switch {
	case n.Advertisement && n.Target == l.cfg.Addr:
		l.claimed(direct)
	case n.Advertisement:
		l.learned(n.Target, n.LinkAddr)
	case n.Target == l.cfg.Addr && l.active():
		probe := ip.Src.IsUnspecified() // duplicate address detection: RFC 4862 section 5.4
		if !probe && !s.sure() {
			return true
		}
		answer := wire.Neighbor{Advertisement: true, Target: l.cfg.Addr, LinkAddr: l.mac(), Solicited: !probe, Override: true}
		to := ip.Src
		if probe {
			to = allNodes // but only for who asked: RFC 6085
		} else {
			l.learned(ip.Src, n.LinkAddr)
		}
		l.sendNeighbor(l.mac(), from, to, l.cfg.Addr, answer)
	}
	return true
}

var allNodes = netip.MustParseAddr("ff02::1")

// claimed is called when another station says that our address is its own; direct, if it says so to us alone.
func (l *Link) claimed(direct bool) {
	n := &l.neighbors
	n.mu.Lock()
	// An announcement is not an answer if it may have been under way before the question: its
	// sender may have died since.
	if n.probing != nil && (direct || time.Since(n.probed) >= probeGap) {
		close(n.probing)
		n.probing = nil
	}
	active := l.active()
	n.claimed = time.Now()
	defend := active && n.claimed.Sub(n.defended) >= defendInterval
	if defend {
		n.defended = n.claimed
	}
	n.mu.Unlock()
	if active {
		l.stack.Stats.Conflicts.Add(1)
	}
	if defend {
		l.stack.log.Warn("ftcp: another station claims the service address", "addr", l.cfg.Addr)
		if l.stack.sure() {
			l.announceOnce()
		}
	}
}

// defendInterval is the least time between two answers to a claim: two stations that both
// believe to be in the right must not flood the network (RFC 5227 section 2.4).
const defendInterval = time.Second

// learned takes note of where addr is, and lets go what waits for it.
func (l *Link) learned(addr netip.Addr, mac wire.MAC) {
	if !addr.IsValid() || addr.IsUnspecified() || mac.IsZero() || mac.IsMulticast() {
		return
	}
	n := &l.neighbors
	n.mu.Lock()
	if !slices.Contains(n.seen, addr) {
		if len(n.seen) == maxSolicited {
			n.seen = slices.Delete(n.seen, 0, 1)
		}
		n.seen = append(n.seen, addr)
	}
	var waiting []*Conn
	if q := n.asked[addr]; q != nil {
		waiting = q.waiting
	}
	if _, known := n.known[addr]; known || waiting != nil {
		if len(n.known) >= maxNeighbors {
			clear(n.known)
		}
		n.known[addr] = mac
	}
	delete(n.asked, addr)
	n.mu.Unlock()
	for _, c := range waiting {
		c.mu.Lock()
		c.peerMAC, c.asking = mac, nil
		c.flush(time.Now())
		c.mu.Unlock()
	}
}

// hop returns the station on the link by way of which addr is reached.
func (l *Link) hop(addr netip.Addr) (netip.Addr, error) {
	switch p := l.cfg.Prefix; {
	case !p.IsValid() || p.Contains(addr) || addr.IsLinkLocalUnicast():
		return addr, nil
	case l.cfg.NextHop == nil:
		return netip.Addr{}, errno.NetUnreachable
	}
	return l.cfg.NextHop(addr)
}

// resolve finds out where to send the segments of c, which is locked. If that
// is not known yet it asks and returns false; c is flushed when the answer comes.
func (l *Link) resolve(c *Conn, now time.Time) bool {
	hop, err := l.hop(c.remote.Addr())
	if err != nil {
		return false
	}
	l.neighbors.mu.Lock()
	mac, ok := l.neighbors.known[hop]
	l.neighbors.mu.Unlock()
	if ok {
		c.peerMAC = mac
		return true
	}
	l.askFor(c, hop, now)
	return false
}

// doubt asks anew where the peer of c, which is locked, is reached, because it does not answer: another station may have taken the
// place of the one that c's segments went to (RFC 1122 section 3.3.1.4). Until there is an answer they still go there.
func (l *Link) doubt(c *Conn, now time.Time) {
	if hop, err := l.hop(c.remote.Addr()); err == nil {
		l.askFor(c, hop, now)
	}
}

// askFor asks where hop is, for c.
func (l *Link) askFor(c *Conn, hop netip.Addr, now time.Time) {
	n := &l.neighbors
	n.mu.Lock()
	q := n.asked[hop]
	if q == nil && len(n.asked) < maxNeighbors {
		q = &question{}
		n.asked[hop] = q
	}
	ask := q != nil && now.Sub(q.at) >= askGap
	if ask {
		q.at = now
	}
	if q != nil && c.asking == nil {
		q.waiting = append(q.waiting, c)
		c.asking = l
	}
	n.mu.Unlock()
	if ask {
		l.ask(hop, l.mac(), l.cfg.Addr)
	}
}

// ask sends a question for addr, from a station of the given addresses; an
// unspecified sender makes it a probe.
func (l *Link) ask(addr netip.Addr, from wire.MAC, sender netip.Addr) {
	if addr.Is4() {
		l.sendARP(from, wire.Broadcast, wire.ARP{Op: wire.ARPRequest, SenderMAC: from, SenderIP: sender, TargetIP: addr})
		return
	}
	q := wire.Neighbor{Target: addr}
	if !sender.IsUnspecified() {
		q.LinkAddr = from // RFC 4861 section 4.3: not in a probe
	}
	to := wire.SolicitedNode(addr)
	l.sendNeighbor(from, wire.MulticastMAC(to), to, sender, q)
}

func (l *Link) sendARP(from, to wire.MAC, arp wire.ARP) {
	b := wire.Ethernet{Dst: to, Src: from, Type: wire.EtherTypeARP}.Append(nil)
	l.device().Write([]device.Outbound{{Header: arp.Append(b)}})
}

func (l *Link) sendNeighbor(from, to wire.MAC, dst, src netip.Addr, n wire.Neighbor) {
	m := n.ICMP()
	b := wire.Ethernet{Dst: to, Src: from, Type: wire.EtherTypeIPv6}.Append(nil)
	ip := wire.IP{Src: src, Dst: dst, Proto: wire.ProtoICMPv6, TTL: 255}
	body := m.Append(nil, src, dst)
	b = append(ip.Append(b, len(body)), body...)
	l.device().Write([]device.Outbound{{Header: b}})
}
