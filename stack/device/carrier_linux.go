package device

import "golang.org/x/sys/unix"

// Carrier says whether the interface is there, is up, and has carrier: netdevice(7). An
// interface that cannot tell counts as having it. It takes three system calls, some
// microseconds.
func (p *Packet) Carrier() bool { return p.state() == running }

// state is an interface's.
type state int

const (
	unknown state = iota // the device is closed
	removed
	down
	up // without carrier
	running
)

func (p *Packet) state() (s state) {
	p.sock.raw.Control(func(fd uintptr) { s = interfaceState(int(fd)) })
	return s
}

// interfaceState is that of the interface that a packet socket is bound to, which may
// have been renamed, or removed and replaced by another of the same name.
func interfaceState(fd int) state {
	sa, err := unix.Getsockname(fd)
	link, ok := sa.(*unix.SockaddrLinklayer)
	if err != nil || !ok {
		return unknown
	}
	if link.Ifindex <= 0 {
		return removed // the kernel takes a removed interface away from the socket
	}
	request, err := unix.NewIfreq("?") // any name; it is not looked at
	if err != nil {
		return unknown
	}
	request.SetUint32(uint32(link.Ifindex))
	if unix.IoctlIfreq(fd, unix.SIOCGIFNAME, request) != nil || unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request) != nil {
		return down // it is being removed
	}
	switch flags := request.Uint16(); {
	case flags&unix.IFF_UP == 0:
		return down
	case flags&unix.IFF_RUNNING == 0:
		return up
	}
	return running
}
