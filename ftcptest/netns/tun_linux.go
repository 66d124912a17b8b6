package netns

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// AddTUN adds a tunnel: an interface whose other end is the file. Each read returns one IP packet
// that was sent to it, and each write is one that arrives there, both without anything in front. The interface
// is down, and goes when the file is closed. Of packets that are not read, it keeps 10000.
func (n *Namespace) AddTUN(name string) (*os.File, error) {
	var file *os.File
	err := n.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
		}
		request, err := unix.NewIfreq(name)
		if err == nil {
			request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
		}
		if err != nil {
			unix.Close(fd)
			return err
		}
		file = os.NewFile(uintptr(fd), name) // it can be polled only now that it has an interface
		return nil
	})
	if err == nil {
		req := setLink(name)
		req.attr(unix.IFLA_TXQLEN, uint32(10000))
		if _, err = n.nl.call(req); err != nil {
			file.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("netns: add TUN %s: %w", name, err)
	}
	n.silenceIPv6(name)
	return file, nil
}
