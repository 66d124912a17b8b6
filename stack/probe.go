package stack

import (
	"net/netip"
	"slices"
	"time"
)

// probe asks once whether another station answers for our address. It speaks
// with the device's own MAC: the group's would draw the clients' frames here.
func (l *Link) probe() {
	l.ask(l.cfg.Addr, l.own(), unspecified(l.cfg.Addr))
}

// probeGap is the time between two probes.
const probeGap = 10 * time.Millisecond

// Probe asks the networks whether another station answers for any of this stack's
// addresses, and waits for an answer for as long as wait.
func (s *Stack) Probe(wait time.Duration) (answered bool) {
	links := s.Links()
	result := make(chan bool, len(links))
	asked := 0
	for _, l := range links {
		if l.ethernet() {
			asked++
			go func() { result <- l.probeFor(wait) }()
		}
	}
	for range asked {
		answered = <-result || answered
	}
	return answered
}

func (l *Link) probeFor(wait time.Duration) bool {
	n := &l.neighbors
	n.mu.Lock()
	if n.probing == nil {
		n.probing, n.probed = make(chan struct{}), time.Now()
	}
	answer := n.probing
	n.mu.Unlock()
	end := time.NewTimer(wait)
	defer end.Stop()
	again := time.NewTicker(probeGap)
	defer again.Stop()
	for {
		l.probe()
		select {
		case <-answer:
			return true
		case <-end.C:
			return false
		case <-again.C:
		}
	}
}

// Solicit asks, without a claim to our addresses, for stations that ought to be there:
// some of our peers, or the routers on the way to them, those that were heard last, and
// the default gateway. An answer shows that a network can be heard: see Health. Solicit
// does not wait for it.
func (s *Stack) Solicit() {
	s.mu.RLock()
	peers := make([]netip.Addr, 0, maxSolicited)
	for t := range s.conns {
		if len(peers) == maxSolicited {
			break
		}
		peers = append(peers, t.remote.Addr())
	}
	s.mu.RUnlock()
	for _, l := range s.Links() {
		if l.ethernet() {
			l.solicit(peers)
			l.solicitGateway()
		}
	}
}

const maxSolicited = 8

func (l *Link) solicit(peers []netip.Addr) {
	l.neighbors.mu.Lock()
	stations := slices.Clone(l.neighbors.seen)
	l.neighbors.mu.Unlock()
	for _, peer := range peers {
		if peer.Is4() != l.cfg.Addr.Is4() {
			continue
		}
		if hop, err := l.hop(peer); err == nil && !slices.Contains(stations, hop) {
			stations = append(stations, hop)
		}
	}
	for _, addr := range stations {
		l.ask(addr, l.own(), unspecified(addr))
	}
}

// Addresses that are nobody's (RFC 5737, RFC 3849): the way to them is that to the world.
var outside4, outside6 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")

// solicitGateway asks for the default gateway, which is there when no client has been
// heard yet. NextHop may take its time, so it has a goroutine, one at a time.
func (l *Link) solicitGateway() {
	if l.cfg.NextHop == nil || !l.asking.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer l.asking.Store(false)
		outside := outside4
		if l.cfg.Addr.Is6() {
			outside = outside6
		}
		// Without a gateway that address would be on the link, where nobody has it.
		if hop, err := l.hop(outside); err == nil && hop != outside {
			l.ask(hop, l.own(), unspecified(hop))
		}
	}()
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}
