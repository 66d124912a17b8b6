// Package device connects a stack to a network: to an interface of the
// machine (Linux), to the addresses that the kernel itself owns (Linux), or,
// in tests, to a network in memory (package ftcptest).
package device

import "github.com/ftcp-project/ftcp/wire"

// BufferSize is the least length of an Inbound's Buf: an Ethernet header and the
// largest IP packet, which is what a device that merges segments can deliver.
const BufferSize = 64<<10 + 64

// A Device carries packets between a stack and a network, many per call.
//
// Read and Write may be called at the same time, and Write by several
// goroutines at once. Read is called by one goroutine.
//
// A device may also have a method Carrier() bool, which says whether its interface is
// there, is up, and has carrier. It is called many times a second.
type Device interface {
	// Read waits until at least one packet is there, stores the packets that are
	// there into pkts from the front, and returns how many. After Close it
	// returns an error that wraps net.ErrClosed. Any other error is final too.
	Read(pkts []Inbound) (n int, err error)

	// Write sends the packets, in order. It does not keep them, nor what they
	// point to. A network may lose any packet; Write returns an error only when
	// the device is closed or broken.
	Write(pkts []Outbound) error

	// Features says what the device is and what work it takes over. It does not
	// change in a device's life.
	Features() Features

	// Close ends the device and unblocks Read. It may be called more than once.
	Close() error
}

// Features describes a device.
type Features struct {
	// MTU is the largest IP packet that a peer can be sent in one piece, in bytes.
	MTU int

	// MAC is the device's own Ethernet address. If it is zero, the device carries
	// bare IP packets, without Ethernet headers, ARP or neighbour discovery.
	MAC wire.MAC

	// GSO is the largest IP packet, in bytes, that Write accepts with a
	// SegmentSize, to be cut into segments by the device. Zero means
	// that every packet has to fit the MTU.
	GSO int

	// Checksum says that Write completes partial transport checksums.
	Checksum bool
}

// Inbound is a packet that arrived.
type Inbound struct {
	Buf []byte // storage that the caller provides, at least BufferSize long
	N   int    // the packet is Buf[:N]

	// Verified says that the transport checksum needs no check: the hardware has
	// verified it, or the packet never crossed a wire and has none yet
	// (CHECKSUM_PARTIAL).
	Verified bool

	// SegmentSize is the payload size of the segments that the packet was merged
	// from (GRO) or would have been cut into (GSO). Zero means one segment.
	SegmentSize int
}

// Outbound is a packet to send: Header, then the parts of Payload.
type Outbound struct {
	Header  []byte   // link (if the device has a MAC), network and transport headers
	Payload [][]byte // zero or more parts

	// ChecksumStart, if not zero, is the offset in Header of the transport
	// header, whose checksum field (ChecksumOffset bytes further on) holds the
	// sum of the pseudo-header only. Used if Features.Checksum is set.
	ChecksumStart, ChecksumOffset int

	// SegmentSize, if not zero, is the size into which the device has to cut
	// the payload. Only with ChecksumStart, and if Features.GSO allows.
	SegmentSize int
}
