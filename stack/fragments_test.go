package stack

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// modelPacket is a partial as simple as can be.
type modelPacket struct {
	id     int
	since  time.Time
	bytes  []int16 // negative: not here
	ranges [][2]int
	have   int
	total  int
	ecn    []uint8
	tos    uint8
	memory int
}

// model is what fragments has to do, in the words of the RFCs. The oldest is the first.
type model struct {
	packets                         []*modelPacket
	malformed, bad, late, room, all uint64
}

func (m *model) remove(p *modelPacket) {
	m.packets = slices.DeleteFunc(m.packets, func(o *modelPacket) bool { return o == p })
}

func (m *model) memory() (sum int) {
	for _, p := range m.packets {
		sum += p.memory
	}
	return sum
}

// add returns the payload of the packet that has become whole.
func (m *model) add(now time.Time, id, start int, data []byte, more bool, tos uint8) (whole []byte, wholeTOS uint8) {
	for len(m.packets) > 0 && now.Sub(m.packets[0].since) >= fragmentsLife {
		m.packets = m.packets[1:]
		m.late++
	}
	end := start + len(data)
	if len(data) == 0 || more && len(data)%8 != 0 || end > 65535-20 {
		m.malformed++
		return nil, 0
	}
	i := slices.IndexFunc(m.packets, func(p *modelPacket) bool { return p.id == id })
	if i < 0 {
		i = len(m.packets)
		m.packets = append(m.packets, &modelPacket{id: id, since: now, total: -1})
	}
	p := m.packets[i]

	overlap, same := false, slices.Contains(p.ranges, [2]int{start, end})
	for len(p.bytes) < end {
		p.bytes = append(p.bytes, -1)
	}
	for j, b := range data {
		have := p.bytes[start+j]
		overlap = overlap || have >= 0
		same = same && have == int16(b)
	}
	contradiction := p.total >= 0 && (end > p.total || !more && end != p.total || more && end == p.total)
	for _, r := range p.ranges {
		contradiction = contradiction || p.total < 0 && !more && r[1] >= end
	}
	switch {
	case contradiction || overlap && !same:
		m.bad++
		m.remove(p)
		return nil, 0
	case same:
		return nil, 0
	}
	cost := 2 << 10
	if len(data) > 2<<10 {
		cost = 16 << 10
	}
	if len(data) > 16<<10 {
		cost = 64<<10 + 64
	}
	if p.memory+cost > partialMemory {
		m.room++
		m.remove(p)
		return nil, 0
	}
	for m.memory()+cost > fragmentsMemory {
		m.room++
		gone := m.packets[0]
		m.remove(gone)
		if gone == p {
			return nil, 0
		}
	}
	for j, b := range data {
		p.bytes[start+j] = int16(b)
	}
	p.have += len(data)
	p.ranges = append(p.ranges, [2]int{start, end})
	p.memory += cost
	p.ecn = append(p.ecn, tos&3)
	if start == 0 {
		p.tos = tos
	}
	if !more {
		p.total = end
	}
	if p.have != p.total {
		return nil, 0
	}
	m.remove(p)
	wholeTOS = p.tos
	if slices.Contains(p.ecn, 3) {
		if slices.Contains(p.ecn, 0) {
			m.bad++
			return nil, 0
		}
		wholeTOS |= 3
	}
	whole = make([]byte, p.total)
	for j := range whole {
		whole[j] = byte(p.bytes[j])
	}
	m.all++
	return whole, wholeTOS
}

// FuzzFragments cuts packets at random, and changes, repeats, loses and mixes the pieces. Whatever arrives, the
// outcome is that of the model, and the bounds hold.
func FuzzFragments(f *testing.F) {
	for i := range uint64(30) {
		f.Add(i, uint16(40), false)
		f.Add(i, uint16(500), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16, v6 bool) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var stats Stats
		var frags fragments
		frags.init(&stats)
		var m model
		now := time.Unix(1<<30, 0)
		h := wire.IP{Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.0.0.1"), Proto: wire.ProtoTCP, TTL: 64, HeaderLen: 20}
		if v6 {
			// With 20 bytes of extension headers, so that the greatest length is the same.
			h.Src, h.Dst, h.HeaderLen = netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fd00::1"), 40+8+20
		}
		many := 1 + rng.IntN(40)*rng.IntN(40)
		strange := rng.IntN(8)
		sizes := []int{8, 16, 552, 1480, 2048, 2056, 8952, 16384, 16392, 65512}
		codepoints := [][]uint8{{0}, {1}, {1, 3}, {0, 3}, {1, 2}}[rng.IntN(5)]
		size := sizes[rng.IntN(len(sizes))]
		for range min(steps, 2000) {
			if rng.IntN(50) == 0 {
				now = now.Add(time.Duration(rng.IntN(40)) * time.Second)
			}
			id := rng.IntN(many)
			// The packet with this number has a length and contents of its own.
			length := 1 + (id*7919)%min(4*size, 65515)
			start := rng.IntN((length+size-1)/size) * size
			end := min(start+size, length)
			more := end < length
			tos := 0xb8 | codepoints[rng.IntN(len(codepoints))]
			if rng.IntN(10) < strange {
				switch rng.IntN(6) {
				case 0:
					start = max(0, start+8*(rng.IntN(5)-2))
				case 1:
					end += rng.IntN(17) - 8
				case 2:
					more = !more
				case 3:
					start, end = 65528, 65536
				case 4:
					tos = uint8(rng.IntN(256))
				case 5:
					end = start
				}
			}
			data := make([]byte, max(0, end-start))
			for i := range data {
				data[i] = byte((id + start + i) * 31 >> 2)
			}
			if len(data) > 0 && rng.IntN(100) < strange {
				data[rng.IntN(len(data))]++
			}
			h.FragOffset, h.MF, h.TOS = start, more, tos
			h.ID, h.FragID = uint16(id), 0
			if v6 {
				h.ID, h.FragID = 0, uint32(id)<<16
			}
			block, n := frags.add(now, &h, data)
			want, wantTOS := m.add(now, id, start, data, more, tos)
			if (block != nil) != (want != nil) {
				t.Fatalf("packet %d, [%d,%d): whole %v, want %v", id, start, end, block != nil, want != nil)
			}
			if block != nil {
				ip, payload, err := wire.ParseIP(block.B[:n])
				if err != nil || ip.Src != h.Src || ip.Dst != h.Dst || ip.Proto != wire.ProtoTCP || ip.TOS != wantTOS || ip.Fragment() {
					t.Fatalf("packet %d: %+v, %v; want TOS %d", id, ip, err, wantTOS)
				}
				if !bytes.Equal(payload, want) {
					t.Fatalf("packet %d: another payload", id)
				}
				block.Free()
			}
			checkFragments(t, &frags)
		}
		for _, c := range []struct {
			name      string
			got, want uint64
		}{
			{"Reassembled", stats.Reassembled.Load(), m.all},
			{"Malformed", stats.Malformed.Load(), m.malformed},
			{"FragmentsBad", stats.FragmentsBad.Load(), m.bad},
			{"FragmentsLate", stats.FragmentsLate.Load(), m.late},
			{"FragmentsNoRoom", stats.FragmentsNoRoom.Load(), m.room},
		} {
			if c.got != c.want {
				t.Errorf("%s is %d; want %d", c.name, c.got, c.want)
			}
		}
		frags.expire(now.Add(fragmentsLife))
		if frags.memory != 0 || len(frags.order) != 0 {
			t.Errorf("%d packets and %d bytes are kept for ever", len(frags.order), frags.memory)
		}
	})
}

// checkFragments asserts what the fields say, and the bounds.
func checkFragments(t *testing.T, f *fragments) {
	t.Helper()
	memory := 0
	for i, p := range f.order {
		if f.packets[p.key] != p || i > 0 && p.since.Before(f.order[i-1].since) {
			t.Fatalf("packet %d of %d: %+v", i, len(f.order), p.key)
		}
		have, blocks := 0, 0
		for j, q := range p.pieces {
			have += len(q.data)
			blocks += len(q.block.B)
			if len(q.data) == 0 || j > 0 && q.start < p.pieces[j-1].end() {
				t.Fatalf("piece %d is [%d,%d)", j, q.start, q.end())
			}
		}
		if have != p.have || have == 0 || blocks != p.memory || blocks > partialMemory {
			t.Fatalf("packet of %d bytes in %d: %d, %d", have, blocks, p.have, p.memory)
		}
		memory += blocks
	}
	if len(f.packets) != len(f.order) || memory != f.memory || memory > fragmentsMemory {
		t.Fatalf("%d packets, %d in order; memory %d, counted %d", len(f.packets), len(f.order), memory, f.memory)
	}
}

// A flood of first fragments takes as much memory as may be, and the packets of the one
// who is patient enough still get through.
func TestFragmentFlood(t *testing.T) {
	var stats Stats
	var f fragments
	f.init(&stats)
	now := time.Unix(1<<30, 0)
	h := wire.IP{Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.0.0.1"), Proto: wire.ProtoTCP, HeaderLen: 20}
	data := make([]byte, 1480)
	for i := range 100_000 {
		h.Src = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		h.ID, h.MF, h.FragOffset = uint16(i>>16), true, 0
		f.add(now, &h, data)
		if i%1000 == 0 {
			h.Src, h.ID = netip.MustParseAddr("10.0.0.2"), uint16(i)
			f.add(now, &h, data)
			h.MF, h.FragOffset = false, len(data)
			block, _ := f.add(now, &h, data)
			if block == nil {
				t.Fatalf("a packet between two others was lost")
			}
			block.Free()
		}
	}
	checkFragments(t, &f)
	if n := len(f.order); n != fragmentsMemory/(2<<10) {
		t.Errorf("%d packets are kept", n)
	}
}
