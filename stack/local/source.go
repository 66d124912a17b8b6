package local

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
)

// A Source is where a connection starts. If its address has a port, that is held until
// Done.
type Source struct {
	stack *stack.Stack
	link  *stack.Link
	addr  netip.AddrPort
	ports *device.Ports // nil: nothing is held
}

// Source chooses where a connection to remote starts. The zero Addr leaves the choice to
// Source: it is the address of the first link if there is a Device or a group, and
// otherwise the kernel's choice.
func (l *Links) Source(ctx context.Context, ip netip.Addr, remote netip.AddrPort) (s Source, err error) {
	select {
	case l.opening <- struct{}{}:
		defer func() { <-l.opening }()
	case <-ctx.Done():
		return s, ctx.Err()
	}
	if ip, err = l.from(ip.Unmap(), remote); err != nil {
		return s, err
	}
	if ip.Is4() != remote.Addr().Is4() {
		return s, &net.AddrError{Err: "no address of this node is of the same IP version as", Addr: remote.Addr().String()}
	}
	link, err := l.link(ip, 0)
	if err != nil {
		return s, err
	}
	s = Source{stack: l.Stack, link: link, addr: netip.AddrPortFrom(ip.WithZone(""), 0)}
	if l.reserves(link) {
		if s.addr, err = l.ports.Hold(s.addr); err != nil {
			return Source{}, err
		}
		s.ports = l.ports
	}
	return s, nil
}

// from returns ip, or what takes its place if there is none.
func (l *Links) from(ip netip.Addr, remote netip.AddrPort) (netip.Addr, error) {
	switch {
	case ip.IsValid():
		return ip, nil
	case l.cfg.Device == nil && !l.cfg.Grouped:
		return device.SourceFor(remote)
	case l.first == nil:
		return ip, errors.New("ftcp: Dial needs Node.LocalAddr, or a Listen before it")
	}
	return l.first.Addr(), nil
}

// Dial opens a connection: see [stack.Stack.Dial].
func (s Source) Dial(ctx context.Context, remote netip.AddrPort) (*stack.Conn, error) {
	return s.stack.Dial(ctx, s.link, s.addr, remote)
}

// Done ends the holding of the port, which stays reserved for as long as it is used.
func (s Source) Done() {
	if s.ports != nil {
		s.ports.Done(s.addr.Port())
	}
}
