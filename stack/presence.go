package stack

import (
	"slices"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// OnPresence has f called with the payload of every frame of type wire.EtherTypePresence
// that is for this station or for all, whether the stack is active or not. Nobody has
// looked at the payload yet: it may be anything. It is valid until f returns.
//
// f is called by the goroutine that reads the link, which waits for it, and with no lock
// held. It must not close the stack. Call OnPresence before the first link.
func (s *Stack) OnPresence(f func(l *Link, from wire.MAC, payload []byte)) { s.presence = f }

// SendPresence sends a frame of type wire.EtherTypePresence: to one station, or, with
// wire.Broadcast, to all. It comes from the device's own MAC, since the group's would
// draw the clients' frames here. A link of bare IP packets has nobody to send it to, and
// sends nothing.
func (l *Link) SendPresence(to wire.MAC, payload []byte) {
	hw := l.hw.Load()
	if hw.mac.IsZero() {
		return
	}
	header := wire.Ethernet{Dst: to, Src: hw.own, Type: wire.EtherTypePresence}.Append(nil)
	hw.dev.Write([]device.Outbound{{Header: append(header, payload...)}})
}

// Links returns the links, in the order in which they were added.
func (s *Stack) Links() []*Link {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.links)
}
