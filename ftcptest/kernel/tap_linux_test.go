package kernel_test

import (
	"encoding/binary"
	"net"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/ftcp-project/ftcp/wire"
)

// A tap is a packet socket on the client's interface. It keeps what it has seen until it is asked.
type tap struct {
	t  *testing.T
	fd int
}

// tap starts to watch the frames, in both directions, that a filter selects; nil selects all.
func (l *lab) tap(filter []bpf.Instruction) *tap {
	l.t.Helper()
	w := &tap{t: l.t}
	check(l.t, l.client.Do(func() (err error) {
		w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		l.t.Cleanup(func() { unix.Close(w.fd) })
		link, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		if err := setFilter(w.fd, filter); err != nil {
			return err
		}
		all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
		return unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index})
	}))
	return w
}

func setFilter(fd int, filter []bpf.Instruction) error {
	if filter == nil {
		return nil
	}
	raw, err := bpf.Assemble(filter)
	if err != nil {
		return err
	}
	prog := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		prog[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]})
}

// resets selects IPv4 segments with RST.
var resets = []bpf.Instruction{
	bpf.LoadAbsolute{Off: 12, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IP, SkipTrue: 6},
	bpf.LoadAbsolute{Off: wire.EthernetLen + 9, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 4},
	bpf.LoadMemShift{Off: wire.EthernetLen},
	bpf.LoadIndirect{Off: wire.EthernetLen + 13, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: uint32(wire.RST), SkipTrue: 1},
	bpf.RetConstant{Val: 65535},
	bpf.RetConstant{Val: 0},
}

// frames returns what has been seen since the last call.
func (w *tap) frames() (frames [][]byte) {
	w.t.Helper()
	b := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(w.fd, b, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return frames
		}
		check(w.t, err)
		frames = append(frames, append([]byte(nil), b[:n]...))
	}
}

// none fails the test if anything has been seen.
func (w *tap) none(what string) {
	w.t.Helper()
	for _, f := range w.frames() {
		w.t.Errorf("%s: %s", what, wire.Format(f))
	}
}
