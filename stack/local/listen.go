package local

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/errno"
)

// probeFirst is for how long a node that stands alone asks whether an address is free
// before it serves there.
const probeFirst = 100 * time.Millisecond

// Listen listens on an address, with a free port if the port is zero.
func (l *Links) Listen(addr netip.AddrPort) (*stack.Listener, error) {
	switch {
	case !unicast(addr.Addr()):
		return nil, errno.AddrNotAvail
	case l.cfg.Grouped && addr.Port() == 0:
		return nil, errors.New("ftcp: a node of a group has to listen on a port that all nodes know, not 0")
	case l.cfg.Grouped && addr.Addr().IsUnspecified():
		return nil, errors.New("ftcp: a node of a group has to listen on a service address, not on all addresses")
	case l.cfg.Device != nil && addr.Addr().IsUnspecified():
		return nil, errors.New("ftcp: a node with a Device has to listen on the one address that it carries, not on all addresses")
	}
	l.opening <- struct{}{}
	defer func() { <-l.opening }()
	link, err := l.link(addr.Addr(), probeFirst)
	if err != nil {
		return nil, err
	}
	if l.reserves(link) {
		if addr, err = l.ports.Hold(addr); err != nil {
			return nil, err
		}
		defer l.ports.Done(addr.Port())
	}
	ip := addr.Addr().WithZone("") // packets have none
	if addr.Port() != 0 {
		return l.Stack.Listen(netip.AddrPortFrom(ip, addr.Port()))
	}
	return l.listenAnywhere(ip)
}

// The ports of listeners that ask for none: the range that Linux has.
const (
	firstPort = 32768
	numPorts  = 28232
	maxTries  = 100
)

// listenAnywhere listens on a port that is free.
func (l *Links) listenAnywhere(ip netip.Addr) (*stack.Listener, error) {
	for tries := 0; ; tries++ {
		port := uint16(firstPort + rand.IntN(numPorts))
		s, err := l.Stack.Listen(netip.AddrPortFrom(ip, port))
		if err == nil || tries == maxTries {
			return s, err
		}
	}
}
