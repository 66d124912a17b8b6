package device

import "golang.org/x/sys/unix"

// vnetHeader is struct virtio_net_hdr, which precedes every packet on a socket
// with PACKET_VNET_HDR. It is how a packet larger than the MTU, or one without a
// checksum, crosses the boundary to the kernel. Its integers are in the machine's order.
type vnetHeader struct {
	flags          uint8
	gsoType        uint8
	headerLen      uint16
	gsoSize        uint16
	checksumStart  uint16
	checksumOffset uint16
}

const vnetHeaderLen = 10

// describe copies what the header says about a packet that arrived.
func (h *vnetHeader) describe(p *Inbound) {
	// NEEDS_CSUM on a packet that arrives means that its sender left the checksum
	// to hardware that it never met: it comes from this machine. After DATA_VALID,
	// the hardware has looked.
	p.Verified = h.flags&(unix.VIRTIO_NET_HDR_F_NEEDS_CSUM|unix.VIRTIO_NET_HDR_F_DATA_VALID) != 0
	p.SegmentSize = 0
	switch h.gsoType &^ unix.VIRTIO_NET_HDR_GSO_ECN {
	case unix.VIRTIO_NET_HDR_GSO_TCPV4, unix.VIRTIO_NET_HDR_GSO_TCPV6:
		p.SegmentSize = int(h.gsoSize)
	}
}

// request asks the kernel for what p leaves to it. p.Header starts with an
// Ethernet header.
func (h *vnetHeader) request(p *Outbound) {
	*h = vnetHeader{}
	if p.ChecksumStart == 0 {
		return
	}
	h.flags = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
	h.checksumStart = uint16(p.ChecksumStart)
	h.checksumOffset = uint16(p.ChecksumOffset)
	if p.SegmentSize == 0 {
		return
	}
	// The kernel puts the first headerLen bytes into contiguous memory and
	// the rest into pages, which spares it a search for 64 KB in one piece.
	h.headerLen = uint16(len(p.Header))
	h.gsoSize = uint16(p.SegmentSize)
	h.gsoType = unix.VIRTIO_NET_HDR_GSO_TCPV4
	if p.Header[12] == 0x86 { // 0x86dd, IPv6; IPv4 is 0x0800
		h.gsoType = unix.VIRTIO_NET_HDR_GSO_TCPV6
	}
}
