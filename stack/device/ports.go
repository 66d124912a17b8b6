package device

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/ftcp-project/ftcp/stack/errno"
)

// Ports are the ports of the machine's own addresses that a stack uses, and that are therefore reserved
// in the kernel. A port is given back when nobody uses it any more. The methods may be called at the same time.
type Ports struct {
	reserve func(netip.AddrPort) (port uint16, release func(), err error)
	used    func(port uint16) bool

	mu     sync.Mutex
	ports  map[uint16]*port
	closed bool
}

// port is a port that is reserved for one or more addresses.
type port struct {
	release map[netip.Addr]func()
	held    int // the stack is about to use it
}

// NewPorts returns the ports of l, none so far. Used says whether the stack uses a port.
func NewPorts(l *Local, used func(port uint16) bool) *Ports {
	return &Ports{reserve: l.Reserve, used: used, ports: map[uint16]*port{}}
}

// Hold takes a port away from the kernel and from other programs, unless it has been before: see
// [Local.Reserve]. It stays reserved until Done, and for as long as it is used then. Errors are those of package
// errno, if they are among them.
func (p *Ports) Hold(addr netip.AddrPort) (netip.AddrPort, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return addr, net.ErrClosed
	}
	if addr.Port() != 0 && p.reserved(addr) {
		p.ports[addr.Port()].held++
		return addr, nil // connections of an earlier listener still use it
	}
	number, release, err := p.reserve(addr)
	for _, e := range []error{errno.AddrInUse, errno.AddrNotAvail} {
		if errors.Is(err, e) {
			err = e
		}
	}
	if err != nil {
		return addr, err
	}
	if p.ports[number] == nil {
		p.ports[number] = &port{release: map[netip.Addr]func(){}}
	}
	p.ports[number].release[addr.Addr()] = release
	p.ports[number].held++
	return netip.AddrPortFrom(addr.Addr(), number), nil
}

// reserved says whether a port of an address is reserved, perhaps as one of all addresses.
func (p *Ports) reserved(addr netip.AddrPort) bool {
	r := p.ports[addr.Port()]
	if r == nil {
		return false
	}
	return r.release[addr.Addr()] != nil || r.release[netip.IPv6Unspecified()] != nil ||
		addr.Addr().Is4() && r.release[netip.IPv4Unspecified()] != nil
}

// Done ends what Hold has begun.
func (p *Ports) Done(number uint16) {
	p.mu.Lock()
	if r := p.ports[number]; r != nil && r.held > 0 {
		r.held--
	}
	p.mu.Unlock()
	p.Free(number)
}

// Free gives a port back if it is neither used nor held.
func (p *Ports) Free(number uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.ports[number]; r != nil && r.held == 0 && !p.used(number) {
		p.give(number)
	}
}

func (p *Ports) give(number uint16) {
	for _, release := range p.ports[number].release {
		release()
	}
	delete(p.ports, number)
}

// Close gives all ports back.
func (p *Ports) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for number := range p.ports {
		p.give(number)
	}
}
