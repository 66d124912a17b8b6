package stack

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// IP packets that arrive in pieces are put together: RFC 791 section 3.2, RFC 1122 section 3.3.2, RFC 8200
// section 4.5. A peer's TCP hardly ever sends such, but a router may cut what has no DF.
//
// Fragments cost their sender nothing, and nothing in them can be verified. So what they can take is bounded: memory by
// the two constants below, the oldest packet making way for a new one; work by the number of
// pieces, which these bounds imply. Nothing runs by itself: what is too old is found when
// the next fragment arrives. No ICMP message is sent about a packet that is given up.
//
// A packet whose fragments overlap is given up, in both versions: RFC 5722 for IPv6, and Linux since 4.20 for IPv4,
// whose RFC 791 would let the later one win, which is of use to nobody but those who want two readers to see
// two packets. A fragment that arrives twice, byte for byte, is ignored the second time.
type fragments struct {
	packets map[fragmentKey]*partial
	order   []*partial // the same, the oldest first
	memory  int        // bytes of storage of all
	stats   *Stats
}

const (
	// fragmentsMemory bounds the storage for the pieces of all packets.
	fragmentsMemory = 1 << 20

	// partialMemory bounds that for one packet's: the largest there is in pieces of a kilobyte. As the smallest
	// block has two, it also bounds their number, to 64, and that of all packets to 512.
	partialMemory = 128 << 10

	// fragmentsLife is how long a packet may take: RFC 8200 says 60 s, RFC 1122 60 to 120.
	fragmentsLife = 60 * time.Second
)

// fragmentKey says which packet a fragment is of. In IPv6 only the first fragment's word
// on the protocol counts, so it is left out.
type fragmentKey struct {
	src, dst netip.Addr
	proto    wire.Protocol
	id       uint32
}

// partial is a packet that is not whole yet.
type partial struct {
	key    fragmentKey
	since  time.Time
	header wire.IP // of the first fragment
	ecn    uint8   // a bit for each ECN codepoint that was seen
	pieces []piece // ascending, disjoint
	have   int     // bytes
	total  int     // bytes of the whole payload; -1: the last fragment is not here yet
	memory int     // bytes of storage
}

type piece struct {
	start int
	data  []byte
	block *tcp.Block
}

func (p *piece) end() int { return p.start + len(p.data) }

func (f *fragments) init(stats *Stats) {
	f.packets = map[fragmentKey]*partial{}
	f.stats = stats
}

// add takes a fragment. If it is the last that was missing, add returns the packet: the first
// n bytes of a block that is the caller's.
func (f *fragments) add(now time.Time, ip *wire.IP, payload []byte) (whole *tcp.Block, n int) {
	f.expire(now)
	end := ip.FragOffset + len(payload)
	if len(payload) == 0 || ip.MF && len(payload)%8 != 0 || ip.HeaderLen+end-beyondLength(ip) > maxLength {
		f.stats.Malformed.Add(1)
		return nil, 0
	}
	key := fragmentKey{ip.Src, ip.Dst, ip.Proto, uint32(ip.ID)}
	if ip.Src.Is6() {
		key.proto, key.id = 0, ip.FragID
	}
	p := f.packets[key]
	if p == nil {
		p = &partial{key: key, since: now, total: -1}
		f.packets[key] = p
		f.order = append(f.order, p)
	}
	i, fits := p.place(ip.FragOffset, payload, !ip.MF)
	switch {
	case fits && i < 0:
		return nil, 0 // it is here already
	case !fits:
		f.stats.FragmentsBad.Add(1)
		f.remove(p)
		return nil, 0
	case !f.store(p, i, ip.FragOffset, payload):
		f.stats.FragmentsNoRoom.Add(1)
		f.remove(p)
		return nil, 0
	}
	p.ecn |= 1 << (ip.TOS & 3)
	if ip.FragOffset == 0 {
		p.header = *ip
	}
	if !ip.MF {
		p.total = end
	}
	if p.have != p.total {
		return nil, 0
	}
	whole, n = p.join()
	if whole == nil {
		f.stats.FragmentsBad.Add(1)
	} else {
		f.stats.Reassembled.Add(1)
	}
	f.remove(p)
	return whole, n
}

// maxLength is what the length field of a header can say: with the header in IPv4, without it in IPv6.
const maxLength = 65535

// beyondLength is how much of ip.HeaderLen the length field of the whole packet does not count.
func beyondLength(ip *wire.IP) int {
	if ip.Src.Is6() {
		return ip.Len() + fragmentHeader
	}
	return 0
}

// fragmentHeader is the length of an IPv6 fragment header, which the whole packet has no more.
const fragmentHeader = 8

// place returns the index at which a fragment belongs, or -1 if it is here already; last, if nothing
// follows it. It returns false if the fragment contradicts others.
func (p *partial) place(start int, data []byte, last bool) (i int, fits bool) {
	end := start + len(data)
	switch {
	case p.total >= 0 && (end > p.total || last != (end == p.total)):
		return 0, false
	case p.total < 0 && last && len(p.pieces) > 0 && p.pieces[len(p.pieces)-1].end() >= end:
		return 0, false
	}
	for i < len(p.pieces) && p.pieces[i].end() <= start {
		i++
	}
	if i == len(p.pieces) || p.pieces[i].start >= end {
		return i, true
	}
	return -1, p.pieces[i].start == start && bytes.Equal(p.pieces[i].data, data)
}

// store keeps a piece of p as number i. Older packets make way for it; it returns false if there is no room even so.
func (f *fragments) store(p *partial, i, start int, data []byte) bool {
	block := tcp.NewBlock(len(data))
	size := len(block.B)
	if p.memory+size > partialMemory {
		block.Free()
		return false
	}
	for f.memory+size > fragmentsMemory {
		if f.order[0] == p {
			block.Free()
			return false
		}
		f.stats.FragmentsNoRoom.Add(1)
		f.remove(f.order[0])
	}
	p.pieces = slices.Insert(p.pieces, i, piece{start, block.B[:copy(block.B, data)], block})
	p.have += len(data)
	p.memory += size
	f.memory += size
	return true
}

// join makes one packet of the pieces, which are all there. It returns nil if the network was congested and a fragment
// says that its sender does not know what the mark for that means: RFC 3168 section 5.3.
func (p *partial) join() (block *tcp.Block, n int) {
	const notECT, ce = 0, 3
	h := wire.IP{Src: p.key.src, Dst: p.key.dst, Proto: p.header.Proto, TTL: p.header.TTL, TOS: p.header.TOS, ID: p.header.ID}
	if p.ecn&(1<<ce) != 0 {
		if p.ecn&(1<<notECT) != 0 {
			return nil, 0
		}
		h.TOS |= ce
	}
	block = tcp.NewBlock(device.BufferSize)
	b := h.Append(block.B[:0], p.total)
	for i := range p.pieces {
		b = append(b, p.pieces[i].data...)
	}
	return block, len(b)
}

// expire gives up the packets that have taken too long.
func (f *fragments) expire(now time.Time) {
	for len(f.order) > 0 && now.Sub(f.order[0].since) >= fragmentsLife {
		f.stats.FragmentsLate.Add(1)
		f.remove(f.order[0])
	}
}

// remove forgets a packet.
func (f *fragments) remove(p *partial) {
	for i := range p.pieces {
		p.pieces[i].block.Free()
	}
	f.memory -= p.memory
	delete(f.packets, p.key)
	i := slices.Index(f.order, p)
	f.order = slices.Delete(f.order, i, i+1)
}
