package netns

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// tapQueue is how many frames may wait in the kernel for this process to read them. What the
// sender's kernel sends at once must fit; dropping is the business of Faults.
const tapQueue = 10000

// addTAP adds an Ethernet interface to n whose other end is the file that it returns: one frame a read, one a
// write. The interface is up, and is gone when the file is closed. It has no offloads, so no
// frame is longer than the MTU and all checksums are there.
func (n *Namespace) addTAP(name string) (tap *os.File, err error) {
	err = n.Do(func() error { // the interface is where the file was opened
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
		}
		req, err := unix.NewIfreq(name)
		if err == nil {
			req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
		}
		if err != nil {
			unix.Close(fd)
			return os.NewSyscallError("TUNSETIFF", err)
		}
		tap = os.NewFile(uintptr(fd), "tap:"+name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("netns: add TAP %s: %w", name, err)
	}
	n.silenceIPv6(name)
	req := setLink(name)
	req.attr(unix.IFLA_TXQLEN, uint32(tapQueue))
	if _, err = n.nl.call(req); err == nil {
		err = n.setFlags(name, unix.IFF_UP)
	}
	if err != nil {
		tap.Close()
		return nil, fmt.Errorf("netns: up TAP %s: %w", name, err)
	}
	return tap, nil
}
