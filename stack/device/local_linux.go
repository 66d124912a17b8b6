package device

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Local is a device for the machine's own addresses, 127.0.0.1 and all others. It
// carries bare IP packets; the kernel routes them, and keeps answering
// for everything but the TCP ports that are reserved.
//
// Link-local IPv6 addresses are not supported: a bare packet does not say on
// which link they are.
type Local struct {
	// One socket for each version of IP, rather than one for all of Ethernet. The
	// latter would see a packet twice where interfaces are stacked: on the
	// port of a bridge, then on the bridge.
	in4, in6   receiver
	sock4      socket
	sock6      socket
	out4, out6 sender
	raw4, raw6 socket
	waiter     socket // an epoll, readable when in4 or in6 is

	reserved reservations
	own      ownAddresses

	closed    atomic.Bool
	malformed atomic.Uint64 // packets given to Write that are not IP
	overrun4  overruns
	overrun6  overruns

	attempt func(fd uintptr) bool // l.try

	// The argument and the results of try.
	pkts []Inbound
	n    int
	err  error
	six  bool // whose turn it is to be first
}

// OpenLocal opens a device for the machine's own addresses. It needs CAP_NET_RAW.
func OpenLocal() (_ *Local, err error) {
	l := &Local{}
	var opened []socket
	defer func() {
		if err != nil {
			for _, s := range opened {
				s.file.Close()
			}
			err = fmt.Errorf("device: local: %w", err)
		}
	}()
	open := func(s *socket, name string, f func() (int, error)) {
		if err != nil {
			return
		}
		var fd int
		if fd, err = f(); err != nil {
			return
		}
		if *s, err = newSocket(fd, name); err == nil {
			opened = append(opened, *s)
		}
	}
	open(&l.sock4, "packet:ip", func() (int, error) { return openProtocol(unix.ETH_P_IP) })
	open(&l.sock6, "packet:ipv6", func() (int, error) { return openProtocol(unix.ETH_P_IPV6) })
	open(&l.raw4, "raw:ip", func() (int, error) { return openRaw(unix.AF_INET) })
	open(&l.raw6, "raw:ipv6", func() (int, error) { return openRaw(unix.AF_INET6) })
	open(&l.waiter, "epoll", func() (int, error) { return waitForEither(l.sock4, l.sock6) })
	if err != nil {
		return nil, err
	}
	l.in4.init(l.sock4)
	l.in6.init(l.sock6)
	l.in4.links, l.in6.links = make([]linkHeader, batch), make([]linkHeader, batch)
	l.in4.keep, l.in6.keep = l.wanted, l.wanted
	l.out4.init(l.raw4, withIPv4Address)
	l.out6.init(l.raw6, withIPv6Address)
	l.attempt = l.try
	return l, nil
}

// openProtocol returns a socket that will receive the packets of one protocol on all
// interfaces. As yet its filter drops them all.
func openProtocol(protocol uint16) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, socketError(err)
	}
	if err = attach(fd, nil); err == nil {
		err = setPacketOptions(fd)
	}
	if err == nil {
		err = os.NewSyscallError("PACKET_AUXDATA", unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1))
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(protocol)}))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openRaw returns a socket that sends whole IP packets, which the kernel routes. They
// must not go the other way, through a packet socket on the loopback interface:
// the kernel would take a packet from 127.0.0.1 that it has not routed itself for a forgery.
func openRaw(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return -1, socketError(err)
	}
	if err := attach(fd, nil); err != nil { // it only sends
		unix.Close(fd)
		return -1, err
	}
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
	return fd, nil
}

// waitForEither returns an epoll of two sockets, for which Go's poller can wait as for
// a socket.
func waitForEither(a, b socket) (int, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("epoll_create1", err)
	}
	err = unix.SetNonblock(epoll, true) // which tells os.NewFile to use the poller
	for _, s := range []socket{a, b} {
		s.raw.Control(func(fd uintptr) {
			err = errors.Join(err, unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN}))
		})
	}
	if err != nil {
		unix.Close(epoll)
		return -1, os.NewSyscallError("epoll_ctl", err)
	}
	return epoll, nil
}

// Features implements Device. The MTU is the loopback interface's; see MTUFor.
func (l *Local) Features() Features { return Features{MTU: maxPacket} }

// maxPacket is the largest IPv4 packet. The loopback interface's MTU is one byte more.
const maxPacket = 65535

// MTUFor returns the largest packet for a peer at dst, by the route and what the kernel has
// learnt about the path. It returns 0 if there is no route.
func (l *Local) MTUFor(dst netip.Addr) int {
	dst = dst.Unmap()
	family, level, option := unix.AF_INET, unix.IPPROTO_IP, unix.IP_MTU
	if dst.Is6() {
		family, level, option = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_MTU
	}
	// To connect a UDP socket sends nothing, and looks the route up.
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	if unix.Connect(fd, sockaddr(netip.AddrPortFrom(dst, 9))) != nil {
		return 0
	}
	mtu, err := unix.GetsockoptInt(fd, level, option)
	if err != nil {
		return 0
	}
	return min(mtu, maxPacket)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// Read implements Device.
func (l *Local) Read(pkts []Inbound) (int, error) {
	if len(pkts) == 0 {
		return 0, nil
	}
	l.pkts = pkts
	err := l.waiter.raw.Read(l.attempt)
	if err == nil {
		if err = l.err; err == nil {
			return l.n, nil
		}
	}
	if l.closed.Load() {
		return 0, errLocalClosed
	}
	return 0, fmt.Errorf("device: read local: %w", err)
}

var errLocalClosed = fmt.Errorf("device: local: %w", net.ErrClosed)

// try reads what is there of both versions. It returns false if that is nothing.
func (l *Local) try(uintptr) bool {
	first, second := &l.in4, &l.in6
	if l.six {
		first, second = second, first
	}
	l.six = !l.six
	if l.n, l.err = first.poll(l.pkts); l.err != nil {
		return true
	}
	if l.n < len(l.pkts) {
		var n int
		n, l.err = second.poll(l.pkts[l.n:])
		l.n += n
	}
	return l.n > 0 || l.err != nil
}

// Write implements Device.
func (l *Local) Write(pkts []Outbound) error {
	for len(pkts) > 0 {
		version := ipVersion(&pkts[0])
		n := 1
		for n < len(pkts) && ipVersion(&pkts[n]) == version {
			n++
		}
		var err error
		switch version {
		case 4:
			err = l.out4.send(pkts[:n])
		case 6:
			err = l.out6.send(pkts[:n])
		default:
			l.malformed.Add(uint64(n))
		}
		switch {
		case err == nil || err == unix.ENETDOWN: // the latter: lost, as on any network
		case l.closed.Load():
			return errLocalClosed
		default:
			return fmt.Errorf("device: write local: %w", err)
		}
		pkts = pkts[n:]
	}
	return nil
}

// ipVersion returns 4 or 6, or 0 if the header is neither or incomplete.
func ipVersion(p *Outbound) int {
	switch h := p.Header; {
	case len(h) >= 20 && h[0]>>4 == 4:
		return 4
	case len(h) >= 40 && h[0]>>4 == 6:
		return 6
	}
	return 0
}

// Stats returns the device's counters.
func (l *Local) Stats() Stats {
	return Stats{
		Overrun:    l.overrun4.read(l.sock4) + l.overrun6.read(l.sock6),
		Truncated:  l.in4.truncated.Load() + l.in6.truncated.Load(),
		Unreadable: l.in4.unreadable.Load() + l.in6.unreadable.Load(),
		Refused:    l.out4.refused.Load() + l.out6.refused.Load() + l.malformed.Load(),
		Dropped:    l.out4.dropped.Load() + l.out6.dropped.Load(),
	}
}

// Close implements Device. It also ends all reservations: the kernel answers for
// their ports again.
func (l *Local) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.overrun4.read(l.sock4)
	l.overrun6.read(l.sock6)
	err := l.waiter.file.Close() // first: Read waits for it
	for _, s := range []socket{l.sock4, l.sock6, l.raw4, l.raw6} {
		err = errors.Join(err, s.file.Close())
	}
	l.reserved.close()
	return err
}
