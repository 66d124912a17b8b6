package device

import (
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A sender writes packets to a socket, many per system call and without an
// allocation. Several goroutines may use it at once.
type sender struct {
	sock    socket
	carry   carrier
	batches sync.Pool // of *sendBatch: writers share nothing, so none waits for another

	refused, dropped atomic.Uint64
}

// A carrier says what a sender's socket needs besides the packet.
type carrier int

const (
	withVnetHeader  carrier = iota // a packet socket: a vnetHeader before the frame
	withIPv4Address                // a raw IPv4 socket: the destination beside the packet
	withIPv6Address
)

func (s *sender) init(sock socket, carry carrier) {
	s.sock, s.carry = sock, carry
	s.batches.New = func() any {
		b := &sendBatch{s: s}
		b.once = func(fd uintptr) { b.try(fd) }
		b.attempt = b.try
		return b
	}
}

// send sends the packets. What the kernel does not take is counted and forgotten. An
// error means that the socket cannot send any more, or (ENETDOWN) not now.
func (s *sender) send(pkts []Outbound) error {
	b := s.batches.Get().(*sendBatch)
	defer s.batches.Put(b)
	var down error
	for len(pkts) > 0 {
		n := min(len(pkts), batch)
		err := b.send(pkts[:n])
		if err == unix.ENETDOWN {
			down, err = err, nil
		}
		if err != nil {
			return err
		}
		pkts = pkts[n:]
	}
	return down
}

// A sendBatch is one call of send in progress.
type sendBatch struct {
	s *sender

	msgs  [batch]mmsghdr
	iovs  []unix.Iovec
	hdrs  [batch]vnetHeader
	addr4 [batch]unix.RawSockaddrInet4
	addr6 [batch]unix.RawSockaddrInet6

	once    func(fd uintptr)
	attempt func(fd uintptr) bool

	next, end int // of msgs
	errno     syscall.Errno
}

func (b *sendBatch) send(pkts []Outbound) error {
	b.load(pkts)
	// The first attempt is outside of the poller, whose lock admits one writer at a time.
	err := b.s.sock.raw.Control(b.once)
	if err == nil && b.errno == unix.EAGAIN {
		err = b.s.sock.raw.Write(b.attempt)
	}
	clear(b.iovs) // do not keep the packets
	if err != nil {
		return err
	}
	if b.errno != 0 {
		return b.errno
	}
	return nil
}

// load makes messages of the packets.
func (b *sendBatch) load(pkts []Outbound) {
	parts := 0
	for i := range pkts {
		parts += 2 + len(pkts[i].Payload)
	}
	if cap(b.iovs) < parts {
		b.iovs = make([]unix.Iovec, 0, 2*parts)
	}
	// The messages point into iovs, which must not move from here on.
	b.iovs = b.iovs[:0]
	for i := range pkts {
		p, hdr := &pkts[i], &b.msgs[i].hdr
		first := len(b.iovs)
		switch b.s.carry {
		case withVnetHeader:
			b.hdrs[i].request(p)
			b.add((*byte)(unsafe.Pointer(&b.hdrs[i])), vnetHeaderLen)
		case withIPv4Address:
			b.addr4[i] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte(p.Header[16:20])}
			hdr.Name, hdr.Namelen = (*byte)(unsafe.Pointer(&b.addr4[i])), unix.SizeofSockaddrInet4
		case withIPv6Address:
			b.addr6[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: [16]byte(p.Header[24:40])}
			hdr.Name, hdr.Namelen = (*byte)(unsafe.Pointer(&b.addr6[i])), unix.SizeofSockaddrInet6
		}
		b.add(unsafe.SliceData(p.Header), len(p.Header))
		for _, part := range p.Payload {
			if len(part) > 0 {
				b.add(unsafe.SliceData(part), len(part))
			}
		}
		hdr.Iov = &b.iovs[first]
		hdr.SetIovlen(len(b.iovs) - first)
	}
	b.next, b.end = 0, len(pkts)
}

func (b *sendBatch) add(base *byte, n int) {
	v := unix.Iovec{Base: base}
	v.SetLen(n)
	b.iovs = append(b.iovs, v)
}

// try sends what is left. It returns false if the socket has no room for it.
func (b *sendBatch) try(fd uintptr) bool {
	b.errno = 0
	for b.next < b.end {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd,
			uintptr(unsafe.Pointer(&b.msgs[b.next])), uintptr(b.end-b.next), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.next += int(n)
			continue
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			b.errno = errno
			return false
		case unix.ENODEV, unix.ENXIO, unix.EBADF:
			b.errno = errno
			return true
		case unix.ENETDOWN:
			b.s.dropped.Add(uint64(b.end - b.next))
			b.errno = errno
			return true
		case unix.ENOBUFS, unix.ENOMEM:
			b.s.dropped.Add(1)
		default:
			b.s.refused.Add(1)
		}
		b.next++ // the kernel stopped at this one; the rest still goes
	}
	return true
}
