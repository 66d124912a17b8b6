package netns

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// tapQueue is how many frames may wait in the kernel for this process to read them. What the
// sender's kernel sends at once must fit; dropping is the business of Faults.
const tapQueue = 10000

// AddTUN adds an interface for bare IP packets whose other end is the file that it returns: one packet a read,
// one a write. The interface is up, and is gone when the file is closed. It has no offloads, so no
// packet is longer than the MTU and all checksums are there.
func (n *Namespace) AddTUN(name string) (*os.File, error) {
	return n.addTunnel("TUN", name, unix.IFF_TUN)
}

// addTAP is AddTUN for an Ethernet interface.
func (n *Namespace) addTAP(name string) (*os.File, error) {
	return n.addTunnel("TAP", name, unix.IFF_TAP)
}

func (n *Namespace) addTunnel(kind, name string, mode uint16) (tap *os.File, err error) {
	err = n.Do(func() error { // the interface is where the file was opened
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
		}
		req, err := unix.NewIfreq(name)
		if err == nil {
			req.SetUint16(mode | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
		}
		if err != nil {
			unix.Close(fd)
			return os.NewSyscallError("TUNSETIFF", err)
		}
		tap = os.NewFile(uintptr(fd), name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("netns: add %s %s: %w", kind, name, err)
	}
	n.silenceIPv6(name)
	req := setLink(name)
	req.attr(unix.IFLA_TXQLEN, uint32(tapQueue))
	if _, err = n.nl.call(req); err == nil {
		err = n.setFlags(name, unix.IFF_UP)
	}
	if err != nil {
		tap.Close()
		return nil, fmt.Errorf("netns: up %s %s: %w", kind, name, err)
	}
	return tap, nil
}
