package device

import (
	"errors"
	"time"

	"github.com/ftcp-project/ftcp/wire"
	"golang.org/x/sys/unix"
)

// movedInterval is how often an interface's Ethernet address is looked at. Nothing tells a
// packet socket that it has changed.
const movedInterval = time.Second

// errMoved is the failure of a device whose interface has another Ethernet address than
// when it was opened. Frames for the new one would be answered with the old one.
var errMoved = errors.New("the interface's Ethernet address has changed")

// watch looks at the interface's address until the device is closed. Read is told of a
// change again and again, since other reasons to wake it take the deadline away.
func (p *Packet) watch() {
	if p.closed.Load() {
		return
	}
	if mac, ok := p.address(); ok && mac != p.features.MAC {
		p.moved.Store(true)
		p.sock.file.SetReadDeadline(time.Now())
	}
	time.AfterFunc(movedInterval, p.watch)
}

// address is the interface's Ethernet address now; false if there is no interface.
func (p *Packet) address() (mac wire.MAC, ok bool) {
	p.sock.raw.Control(func(fd uintptr) {
		sa, err := unix.Getsockname(int(fd))
		if link, is := sa.(*unix.SockaddrLinklayer); err == nil && is && link.Ifindex > 0 && link.Halen == 6 {
			mac, ok = wire.MAC(link.Addr[:6]), true
		}
	})
	return mac, ok
}
