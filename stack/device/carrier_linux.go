package device

import "golang.org/x/sys/unix"

// Carrier says whether the interface is there, is up, and has carrier: netdevice(7). An interface
// that cannot tell counts as having it. It takes three system calls, some microseconds.
func (p *Packet) Carrier() bool {
	up := false
	err := p.sock.raw.Control(func(fd uintptr) { up = hasCarrier(int(fd)) })
	return err == nil && up
}

// hasCarrier is Carrier for a packet socket. It goes by the interface that the socket is bound to, which may
// have been renamed, or removed and replaced by another of the same name.
func hasCarrier(fd int) bool {
	sa, err := unix.Getsockname(fd)
	link, ok := sa.(*unix.SockaddrLinklayer)
	if err != nil || !ok || link.Ifindex <= 0 {
		return false // the kernel takes a removed interface away from the socket
	}
	request, err := unix.NewIfreq("?") // any name; it is not looked at
	if err != nil {
		return false
	}
	request.SetUint32(uint32(link.Ifindex))
	if unix.IoctlIfreq(fd, unix.SIOCGIFNAME, request) != nil {
		return false
	}
	if unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request) != nil {
		return false
	}
	const upAndRunning = unix.IFF_UP | unix.IFF_RUNNING
	return request.Uint16()&upAndRunning == upAndRunning
}
