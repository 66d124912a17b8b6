package device

import (
	"encoding/binary"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A socket is a non-blocking socket in Go's poller: who waits for it holds no
// thread, and Close wakes him up.
type socket struct {
	file *os.File
	raw  syscall.RawConn
}

// newSocket hands fd over to the poller. It closes fd if it fails.
func newSocket(fd int, name string) (socket, error) {
	file := os.NewFile(uintptr(fd), name)
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return socket{}, err
	}
	return socket{file, raw}, nil
}

// mmsghdr is struct mmsghdr: a message of recvmmsg and sendmmsg, which carry many
// in one system call.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32 // the bytes received or sent
}

// batch is how many packets go through one system call. Past some dozens the
// system call no longer shows, and a smaller batch stays in the processor's cache.
const batch = 64

// setBuffer sets a socket's receive or send buffer, over the system's limit
// if the process has CAP_NET_ADMIN, else up to it.
func setBuffer(fd, force, option, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, size)
	}
}

const (
	// The kernel charges a packet's whole memory, which for small packets is several times
	// their size. 32 MB are some 7 ms of 36 Gbit/s, or about 40,000 small packets.
	receiveBuffer = 32 << 20

	// What waits to be sent beyond this waits in Write.
	sendBuffer = 4 << 20
)

// networkOrder returns v such that its bytes in memory are those of a big-endian v.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)})
}
