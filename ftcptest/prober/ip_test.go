package prober

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/ftcp-project/ftcp/wire"
)

// spoiled is a probe of data in a packet that has to be dropped.
func spoiled(name string, only int, header, whole func([]byte)) probeCase {
	return probeCase{name: name, only: only, do: func(p *probe) {
		c := p.open("mss 1000")
		p.sendEdited("P. 1:11(10)", header, whole)
		p.silent(moment)
		p.unread(c)
		p.alive(c, 1)
	}}
}

// tolerated is a probe of data in a packet that has to be taken. edit returns another packet.
func tolerated(name string, only int, edit func(p *probe, packet []byte) []byte) probeCase {
	return probeCase{name: name, only: only, do: func(p *probe) {
		c := p.open("mss 1000")
		p.sendPacket(edit(p, p.packetOf("P. 1:11(10)")))
		p.acked(11)
		p.read(c, 10)
	}}
}

// rejected is the same for one that has to be dropped, in silence as far as TCP goes.
func rejected(name string, only int, edit func(p *probe, packet []byte) []byte) probeCase {
	return probeCase{name: name, only: only, do: func(p *probe) {
		c := p.open("mss 1000")
		p.sendPacket(edit(p, p.packetOf("P. 1:11(10)")))
		p.silent(moment)
		p.unread(c)
		p.alive(c, 1)
	}}
}

// withOptions puts options into an IPv4 header.
func withOptions(opts []byte) func(*probe, []byte) []byte {
	return func(p *probe, b []byte) []byte {
		b = append(append(bytes.Clone(b[:20]), opts...), b[20:]...)
		b[0] = 0x40 | byte(20+len(opts))/4
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		sumIPv4(b)
		return b
	}
}

// sumIPv4 completes the header.
func sumIPv4(b []byte) {
	header := b[:int(b[0]&15)*4]
	header[10], header[11] = 0, 0
	binary.BigEndian.PutUint16(header[10:], ^wire.Fold(wire.Sum(header, 0)))
}

// extended puts an extension header of eight bytes, or a multiple, into an IPv6 packet.
func extended(kind byte, ext ...byte) func(*probe, []byte) []byte {
	return func(p *probe, b []byte) []byte {
		ext := bytes.Clone(ext)
		ext[0] = b[6]
		b = append(append(bytes.Clone(b[:40]), ext...), b[40:]...)
		b[6] = kind
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		return b
	}
}

// IP around TCP: RFC 791, RFC 8200, RFC 1122.
var ipProbes = []probeCase{
	{name: "header of what is sent", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 3000)
		for range 3 {
			s := p.receive(patience)
			if s == nil || s.ip.TTL != 64 || s.ip.TOS != 0 || !p.o.v6 && !s.ip.DF {
				p.fatalf("%v in %+v", s, s.ip)
			}
		}
	}},
	spoiled("wrong TCP checksum", 0, nil, func(b []byte) { b[len(b)-1] ^= 1 }),
	{name: "no TCP checksum", do: func(p *probe) {
		c := p.open("mss 1000")
		p.sendEdited("P. 1:11(10)", nil, func(b []byte) {
			tcp := b[len(b)-30:]
			tcp[16], tcp[17] = 0, 0
		})
		p.silent(moment)
		p.alive(c, 1)
	}},
	{name: "SYN with a wrong checksum", do: func(p *probe) {
		p.sendEdited("S 0:0(0) <mss 1000>", nil, func(b []byte) { b[len(b)-1] ^= 1 })
		p.silent(moment)
	}},
	{name: "closed port and a wrong checksum", do: func(p *probe) {
		p.l.close()
		p.sendEdited("S 0:0(0) <mss 1000>", nil, func(b []byte) { b[len(b)-1] ^= 1 })
		p.silent(moment)
	}},
	spoiled("wrong IP checksum", 4, nil, func(b []byte) { b[10] ^= 1 }),
	spoiled("wrong IP version", 0, nil, func(b []byte) { b[0] ^= 0x10 }),
	spoiled("longer than it is", 4, nil, func(b []byte) {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)+1))
		sumIPv4(b)
	}),
	spoiled("shorter than its header", 4, nil, func(b []byte) {
		binary.BigEndian.PutUint16(b[2:], 19)
		sumIPv4(b)
	}),
	tolerated("padding", 4, func(p *probe, b []byte) []byte { return append(b, 1, 2, 3, 4, 5, 6) }),
	tolerated("hop limit of one", 4, func(p *probe, b []byte) []byte {
		b[8] = 1
		sumIPv4(b)
		return b
	}),
	tolerated("no DF", 4, func(p *probe, b []byte) []byte {
		b[6] = 0
		sumIPv4(b)
		return b
	}),
	tolerated("reserved bit", 4, func(p *probe, b []byte) []byte {
		b[6] |= 0x80
		sumIPv4(b)
		return b
	}),
	tolerated("DSCP", 4, func(p *probe, b []byte) []byte {
		b[1] = 46 << 2
		sumIPv4(b)
		return b
	}),
	tolerated("record route", 4, withOptions([]byte{7, 7, 4, 0, 0, 0, 0, 0})),
	tolerated("timestamp option", 4, withOptions([]byte{68, 8, 5, 0, 0, 0, 0, 0})),
	tolerated("router alert", 4, withOptions([]byte{148, 4, 0, 0})),
	tolerated("NOPs", 4, withOptions([]byte{1, 1, 1, 0})),
	rejected("source route", 4, withOptions([]byte{131, 7, 4, 10, 77, 0, 9, 0})),
	tolerated("two fragments", 4, func(p *probe, b []byte) []byte {
		first, second := fragment4(b, 24)
		p.sendPacket(first)
		return second
	}),
	tolerated("two fragments, the last first", 4, func(p *probe, b []byte) []byte {
		first, second := fragment4(b, 24)
		p.sendPacket(second)
		return first
	}),
	tolerated("flow label", 6, func(p *probe, b []byte) []byte {
		b[1] |= 0x0a
		b[2], b[3] = 0xbc, 0xde
		return b
	}),
	tolerated("traffic class", 6, func(p *probe, b []byte) []byte {
		b[0], b[1] = 0x6b, 0x80
		return b
	}),
	tolerated("hop-by-hop options", 6, extended(0, 0, 0, 1, 4, 0, 0, 0, 0)),
	tolerated("destination options", 6, extended(60, 0, 0, 1, 4, 0, 0, 0, 0)),
	tolerated("destination options to be skipped", 6, extended(60, 0, 0, 0x1e, 4, 1, 2, 3, 4)),
	rejected("destination option to be refused", 6, extended(60, 0, 0, 0x5e, 4, 1, 2, 3, 4)),
	tolerated("fragment that is whole", 6, extended(44, 0, 0, 0, 0, 1, 2, 3, 4)),
	tolerated("two fragments, IPv6", 6, func(p *probe, b []byte) []byte {
		first, second := fragment6(b, 24)
		p.sendPacket(first)
		return second
	}),
	rejected("routing header of type 0", 6, extended(43, 0, 2, 0, 1, 0, 0, 0, 0, 0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9)),
	{name: "source is the host itself", do: func(p *probe) {
		b := p.packetOf("S 0:0(0) <mss 1000>")
		p.readdress(b, p.remote.Addr())
		binary.BigEndian.PutUint16(b[len(b)-24:], p.remote.Port()) // and its port: a "land" attack
		p.sumTCP(b, 24)
		p.sendPacket(b)
		p.silent(moment)
		p.alive(p.open("mss 1000"), 1)
	}},
	{name: "source is nobody", do: func(p *probe) {
		for _, from := range []string{"127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "::1", "ff02::1"} {
			addr := netip.MustParseAddr(from)
			if addr.Is6() != p.o.v6 {
				continue
			}
			b := p.packetOf("S 0:0(0) <mss 1000>")
			p.readdress(b, addr)
			p.sumTCP(b, 24)
			p.sendPacket(b)
		}
		p.silent(moment)
		p.alive(p.open("mss 1000"), 1)
	}},
	{name: "somebody else's address", do: func(p *probe) {
		b := p.packetOf("S 0:0(0) <mss 1000>")
		if p.o.v6 {
			b[39] = 0xee
		} else {
			b[19] = 0xee
			sumIPv4(b)
		}
		p.sumTCP(b, 24)
		p.sendPacket(b)
		p.silent(moment)
	}},
	{name: "port zero", do: func(p *probe) {
		p.remote = netip.AddrPortFrom(p.remote.Addr(), 0)
		p.synced = true
		p.send("S 0:0(0) <mss 1000>")
		p.expect("R. 0:0(0) ack 1")
	}},
	{name: "unknown protocol", do: func(p *probe) {
		b := p.packetOf("P. 1:11(10)")
		if p.o.v6 {
			b[6] = 253
		} else {
			b[9] = 253
			sumIPv4(b)
		}
		p.sendPacket(b)
		p.silent(moment)
		p.alive(p.open("mss 1000"), 1)
	}},
}

// packetOf is a packet as send would send it.
func (p *probe) packetOf(s string) (packet []byte) {
	p.capture = func(b []byte) { packet = b }
	p.send(s)
	p.capture = nil
	return packet
}

func (p *probe) sendPacket(b []byte) { p.host.send(b) }

// readdress changes the source of a packet.
func (p *probe) readdress(b []byte, src netip.Addr) {
	if p.o.v6 {
		copy(b[8:24], src.AsSlice())
	} else {
		copy(b[12:16], src.AsSlice())
		sumIPv4(b)
	}
}

// sumTCP completes a segment of n bytes at the end of a packet.
func (p *probe) sumTCP(b []byte, n int) {
	var src, dst netip.Addr
	if p.o.v6 {
		src, dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	} else {
		src, dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	}
	wire.SetTCPChecksum(b[len(b)-n:], wire.PseudoHeaderSum(src, dst, wire.ProtoTCP, n))
}

// fragment4 cuts a packet in two, behind n bytes of its payload.
func fragment4(b []byte, n int) (first, second []byte) {
	first = bytes.Clone(b[:20+n])
	second = append(bytes.Clone(b[:20]), b[20+n:]...)
	for i, f := range [][]byte{first, second} {
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		binary.BigEndian.PutUint16(f[4:], 4711)
		binary.BigEndian.PutUint16(f[6:], []uint16{0x2000, uint16(n / 8)}[i])
		sumIPv4(f)
	}
	return first, second
}

func fragment6(b []byte, n int) (first, second []byte) {
	cut := func(payload []byte, off uint16) []byte {
		f := append(bytes.Clone(b[:40]), b[6], 0, byte(off>>8), byte(off), 0, 0, 0x12, 0x34)
		f = append(f, payload...)
		f[6] = 44
		binary.BigEndian.PutUint16(f[4:], uint16(len(f)-40))
		return f
	}
	return cut(b[40:40+n], 1), cut(b[40+n:], uint16(n))
}
