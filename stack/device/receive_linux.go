package device

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A receiver reads packets from a socket with PACKET_VNET_HDR, many per system
// call and without an allocation. One goroutine uses it.
//
// It does not spin before it waits. On two processors that made a round trip a third
// slower and nothing faster (BenchmarkRoundTrip, BenchmarkPacket): whoever is to
// send the next packet needs the processor too.
type receiver struct {
	sock socket

	// keep, if not nil, says which packets to deliver.
	keep func(packet []byte) bool

	msgs  [batch]mmsghdr
	iovs  [batch][3]unix.Iovec // the header, the link's header if it is to be cut off, the packet
	hdrs  [batch]vnetHeader
	links []linkHeader // if it is to be cut off

	// The method try in two forms, as values: made per call they would be allocations.
	attempt func(fd uintptr) bool
	once    func(fd uintptr)

	// The argument and the results of try.
	pkts  []Inbound
	n     int
	errno syscall.Errno

	truncated, unreadable atomic.Uint64
}

func (r *receiver) init(s socket) {
	r.sock = s
	r.attempt = r.try
	r.once = func(fd uintptr) { r.try(fd) }
	for i := range r.msgs {
		r.part(i, (*byte)(unsafe.Pointer(&r.hdrs[i])), vnetHeaderLen)
	}
}

// part adds a part to where message i is received.
func (r *receiver) part(i int, base *byte, n int) {
	hdr := &r.msgs[i].hdr
	v := &r.iovs[i][hdr.Iovlen]
	v.Base = base
	v.SetLen(n)
	hdr.Iov = &r.iovs[i][0]
	hdr.SetIovlen(int(hdr.Iovlen) + 1)
}

// wait waits for packets and stores them into pkts. The error is the kernel's, or
// the poller's when the socket is closed.
func (r *receiver) wait(pkts []Inbound) (int, error) {
	r.pkts = pkts
	if err := r.sock.raw.Read(r.attempt); err != nil {
		return 0, err
	}
	return r.result()
}

// poll stores the packets that are there into pkts, perhaps none.
func (r *receiver) poll(pkts []Inbound) (int, error) {
	r.pkts = pkts
	if err := r.sock.raw.Control(r.once); err != nil {
		return 0, err
	}
	return r.result()
}

func (r *receiver) result() (int, error) {
	if r.errno != 0 && r.errno != unix.EAGAIN {
		return 0, r.errno
	}
	return r.n, nil
}

// try reads once, and again if nothing of what it read is to be delivered. It returns
// false if there is nothing to read.
func (r *receiver) try(fd uintptr) bool {
	pkts := r.pkts[:min(len(r.pkts), batch)]
	for i := range pkts {
		r.msgs[i].hdr.SetIovlen(1)
		if r.links != nil {
			r.receiveLink(i)
		}
		r.part(i, unsafe.SliceData(pkts[i].Buf), len(pkts[i].Buf))
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd,
			uintptr(unsafe.Pointer(&r.msgs[0])), uintptr(len(pkts)), unix.MSG_DONTWAIT, 0, 0)
		r.n, r.errno = 0, errno
		switch errno {
		case 0:
			if r.n = r.deliver(pkts, int(n)); r.n > 0 {
				return true
			}
		case unix.EINTR:
		case unix.EINVAL, unix.ENOBUFS, unix.ENOMEM:
			// One packet is lost. EINVAL: its header cannot say how it was merged.
			r.unreadable.Add(1)
		default:
			return errno != unix.EAGAIN
		}
	}
}

// deliver describes the n messages that were read, and closes the gaps of those that are not
// to be delivered.
func (r *receiver) deliver(pkts []Inbound, n int) int {
	kept := 0
	for i := range n {
		size := int(r.msgs[i].len) - vnetHeaderLen
		if size < 0 || r.msgs[i].hdr.Flags&unix.MSG_TRUNC != 0 {
			r.truncated.Add(1)
			continue
		}
		from, to := &pkts[i], &pkts[kept]
		if r.links != nil {
			if size = r.cutLink(i, from.Buf, size); size < 0 {
				r.truncated.Add(1)
				continue
			}
		}
		if r.keep != nil && !r.keep(from.Buf[:size]) {
			continue
		}
		if from != to {
			// Rare. The buffers stay where the caller has put them.
			if size > len(to.Buf) {
				r.truncated.Add(1)
				continue
			}
			copy(to.Buf, from.Buf[:size])
		}
		to.N = size
		r.hdrs[i].describe(to)
		kept++
	}
	return kept
}
