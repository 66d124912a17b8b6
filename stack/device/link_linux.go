package device

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A linkHeader receives what precedes an IP packet. A socket without link headers (SOCK_DGRAM)
// would spare us this, but cannot have vnet headers. On all interfaces but tunnels
// the link's header is Ethernet's, so it has its own place and the packet arrives where it
// is to be.
type linkHeader struct {
	bytes   [ethernetLen]byte
	control auxdata
}

const ethernetLen = 14

// auxdata is the control message of PACKET_AUXDATA.
type auxdata struct {
	header unix.Cmsghdr
	data   unix.TpacketAuxdata
}

// receiveLink prepares message i for a link header.
func (r *receiver) receiveLink(i int) {
	l, hdr := &r.links[i], &r.msgs[i].hdr
	r.part(i, &l.bytes[0], ethernetLen)
	hdr.Control = (*byte)(unsafe.Pointer(&l.control))
	hdr.SetControllen(int(unsafe.Sizeof(l.control)))
}

// cutLink returns the size of the IP packet in message i, which it moves to the start of buf
// if the link's header had another length than Ethernet's. It returns a negative size if there
// is no packet. The size given is that of the whole frame.
func (r *receiver) cutLink(i int, buf []byte, size int) int {
	l := &r.links[i]
	if r.msgs[i].hdr.Controllen == 0 {
		return -1
	}
	link := int(l.control.data.Net)
	packet := size - link
	switch {
	case packet < 0 || packet > len(buf):
		return -1
	case link > ethernetLen: // the start of buf has the rest of it
		copy(buf, buf[link-ethernetLen:size-ethernetLen])
	case link < ethernetLen: // its place has the start of the packet
		start := l.bytes[link:]
		copy(buf[len(start):], buf[:max(size-ethernetLen, 0)])
		copy(buf, start)
	}
	return packet
}
