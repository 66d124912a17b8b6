package stack

import (
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// announceAgain are the times after the first announcement at which it is repeated:
// several, since any one may be lost, and over seconds, for switches that are slow to
// learn.
var announceAgain = [...]time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}

// Announce tells all stations, several times, where the addresses are now.
func (s *Stack) Announce() {
	for _, l := range s.Links() {
		l.announce()
	}
}

func (l *Link) announce() {
	l.announceOnce()
	l.repeatAnnouncement()
}

// repeatAnnouncement announces the address later on, if this node is then still the one
// that has it.
func (l *Link) repeatAnnouncement() {
	if !l.ethernet() {
		return
	}
	for _, after := range announceAgain {
		time.AfterFunc(after, func() {
			if l.mayAnnounce() {
				l.announceOnce()
			}
		})
	}
}

// mayAnnounce says whether no other node can have taken over, so that an announcement
// draws nobody's clients away.
func (l *Link) mayAnnounce() bool { return l.active() && l.stack.sure() }

// announceOnce sends gratuitous ARP, as a request (RFC 5227 section 3) and as a reply,
// since stations differ in which they heed; or an unsolicited neighbour advertisement
// (RFC 4861 section 7.2.6).
func (l *Link) announceOnce() {
	if !l.ethernet() {
		return
	}
	if l.cfg.Addr.Is4() {
		for _, op := range [...]uint16{wire.ARPRequest, wire.ARPReply} {
			l.sendARP(l.mac(), wire.Broadcast, wire.ARP{
				Op: op, SenderMAC: l.mac(), SenderIP: l.cfg.Addr, TargetMAC: wire.Broadcast, TargetIP: l.cfg.Addr,
			})
		}
		return
	}
	l.sendNeighbor(l.mac(), wire.MulticastMAC(allNodes), allNodes, l.cfg.Addr,
		wire.Neighbor{Advertisement: true, Target: l.cfg.Addr, LinkAddr: l.mac(), Override: true})
}
