package device

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Reserve takes a TCP port of one of the machine's addresses, or with 0.0.0.0 of all its IPv4
// addresses and with :: of all addresses, away from the kernel: until release,
// Read delivers what is sent to it, the kernel does not answer, and no other
// program gets it. Port 0 means one that the kernel chooses. The error is that of net.Listen,
// such as EADDRINUSE. The reservation ends with the process at the latest.
func (l *Local) Reserve(addr netip.AddrPort) (port uint16, release func(), err error) {
	if addr.Addr().Zone() != "" {
		return 0, nil, fmt.Errorf("device: reserve %v: link-local addresses are not supported", addr)
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	fd, err := silentListener(addr)
	if err != nil && addr.Addr() == netip.IPv6Unspecified() && noIPv6(err) {
		addr = netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())
		fd, err = silentListener(addr)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("device: reserve %v: %w", addr, err)
	}
	addr, err = boundTo(fd, addr)
	if err == nil {
		err = l.reserved.add(l, addr, fd)
	}
	if err != nil {
		unix.Close(fd)
		return 0, nil, fmt.Errorf("device: reserve %v: %w", addr, err)
	}
	return addr.Port(), sync.OnceFunc(func() { l.reserved.remove(l, addr) }), nil
}

// silentListener returns a TCP socket that listens and whose filter drops everything: it
// neither answers nor refuses. A socket that is bound but does not listen would not do,
// the kernel would refuse connections.
func silentListener(addr netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err := attach(fd, nil); err != nil {
		return -1, os.NewSyscallError("SO_ATTACH_FILTER", err)
	}
	if family == unix.AF_INET6 {
		only := 1
		if addr.Addr().IsUnspecified() {
			only = 0
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return -1, os.NewSyscallError("IPV6_V6ONLY", err)
		}
	}
	if addr.Port() != 0 {
		// As net.Listen does: connections of the port's last user, waiting for their
		// end, are no obstacle.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return -1, os.NewSyscallError("SO_REUSEADDR", err)
		}
	}
	if err := unix.Bind(fd, sockaddr(addr)); err != nil {
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, os.NewSyscallError("listen", unix.Listen(fd, 1))
}

// noIPv6 reports whether a listener on :: failed because the system has IPv6 disabled.
func noIPv6(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)
}

// boundTo returns addr with the port that the kernel has chosen.
func boundTo(fd int, addr netip.AddrPort) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return addr, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(addr.Addr(), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(addr.Addr(), uint16(sa.Port)), nil
	}
	return addr, fmt.Errorf("getsockname: %T", sa)
}

// reservations are the reserved ports and the kernel's sockets that hold them.
type reservations struct {
	mu     sync.RWMutex
	fds    map[netip.AddrPort]int
	closed bool
}

func (r *reservations) add(l *Local, addr netip.AddrPort, fd int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return net.ErrClosed
	}
	if r.fds == nil {
		r.fds = make(map[netip.AddrPort]int)
	}
	r.fds[addr] = fd
	err := r.filter(l)
	if err != nil {
		delete(r.fds, addr)
	}
	return err
}

func (r *reservations) remove(l *Local, addr netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fd, ok := r.fds[addr]
	if !ok {
		return // closed
	}
	delete(r.fds, addr)
	r.filter(l) // if it fails, the old one lets too much through, and holds sorts it out
	unix.Close(fd)
}

func (r *reservations) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fd := range r.fds {
		unix.Close(fd)
	}
	r.fds, r.closed = nil, true
}

// filter makes the device's sockets receive what is sent to the reserved ports.
func (r *reservations) filter(l *Local) error {
	var ports4, ports6 []uint16
	for addr := range r.fds {
		if addr.Addr().Is6() {
			ports6 = append(ports6, addr.Port())
		}
		if addr.Addr().Is4() || addr.Addr().IsUnspecified() {
			ports4 = append(ports4, addr.Port())
		}
	}
	return cmp.Or(
		attachTo(l.sock4, localRules4(sortedSet(ports4))),
		attachTo(l.sock6, localRules6(sortedSet(ports6))),
	)
}

func sortedSet(ports []uint16) []uint16 {
	slices.Sort(ports)
	return slices.Compact(ports)
}

func attachTo(s socket, rules []rule) (err error) {
	if e := s.raw.Control(func(fd uintptr) { err = attach(int(fd), rules) }); e != nil {
		return net.ErrClosed
	}
	return err
}

// holds reports whether the port of a local address is reserved, and whether
// only as one of all addresses.
func (r *reservations) holds(addr netip.Addr, port uint16) (held, wildcard bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, ok := r.fds[netip.AddrPortFrom(addr, port)]; ok {
		return true, false
	}
	if _, ok := r.fds[netip.AddrPortFrom(netip.IPv6Unspecified(), port)]; ok {
		return true, true
	}
	if addr.Is4() {
		_, ok := r.fds[netip.AddrPortFrom(netip.IPv4Unspecified(), port)]
		return ok, true
	}
	return false, false
}
