package prober

import (
	"context"
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// The kinds of errors that probes send.
type unreachableKind int

const (
	portUnreachable unreachableKind = iota
	hostUnreachable
	protocolUnreachable
	timeExceeded
	tooBig // with an MTU of 1280
)

// packet makes the segment that came once more.
func (s *segment) packet() []byte {
	b := append(s.TCP.Append(nil), s.payload...)
	ip := s.ip
	return append(ip.Append(nil, len(b)), b...)
}

// unreachable sends an error that quotes s.
func (p *probe) unreachable(s *segment, kind unreachableKind) { p.icmpError(s, kind, 1280) }

func (p *probe) icmpError(s *segment, kind unreachableKind, mtu int) {
	quote := s.packet()
	m := wire.ICMP{V6: p.o.v6, Body: quote[:min(len(quote), 500)]}
	if p.o.v6 {
		m.Type = wire.ICMPv6Unreachable
		m.Code = map[unreachableKind]uint8{
			portUnreachable: wire.ICMPv6CodePortUnreachable, hostUnreachable: wire.ICMPv6CodeAddressUnreachable, protocolUnreachable: wire.ICMPv6CodeProhibited,
		}[kind]
	} else {
		m.Type = wire.ICMPUnreachable
		m.Code = map[unreachableKind]uint8{
			portUnreachable: wire.ICMPCodePortUnreachable, hostUnreachable: wire.ICMPCodeHostUnreachable, protocolUnreachable: wire.ICMPCodeProtocolUnreachable,
		}[kind]
	}
	if kind == timeExceeded {
		m.Code = 0
		if m.Type = wire.ICMPTimeExceeded; p.o.v6 {
			m.Type = wire.ICMPv6TimeExceeded
		}
	}
	if kind == tooBig {
		m = wire.FragmentationNeeded(mtu, quote)
	}
	p.note(time.Now(), "< ICMP %d %d, about %v", m.Type, m.Code, s)
	p.icmp(m)
}

func (p *probe) icmp(m wire.ICMP) {
	dst := p.host.addr(p.o.v6)
	ip := wire.IP{Src: p.addr, Dst: dst, Proto: wire.ProtoICMP, TTL: 64}
	if p.o.v6 {
		ip.Proto = wire.ProtoICMPv6
	}
	b := m.Append(nil, p.addr, dst)
	p.host.send(append(ip.Append(nil, len(b)), b...))
}

func (f *flow) addrPort() netip.AddrPort { return netip.AddrPortFrom(f.p.addr, f.port) }

func (p *probe) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p.cleanup = append(p.cleanup, cancel)
	return ctx
}

// sending is a connection on which 3 segments of 1400 bytes are under way; the first is returned.
func (p *probe) sending() (conn, *segment) {
	c := p.open("mss 1400")
	p.write(c, 1, 4200)
	s := p.expect(". 1:1401(1400)")
	p.expect(". 1401:2801(1400)")
	p.expect(". 2801:4201(1400)")
	return c, s
}

// ICMP: RFC 1122 section 3.2.2, RFC 1191, RFC 8201, RFC 5927.
var icmpProbes = []probeCase{
	{name: "ping", do: func(p *probe) {
		m := wire.ICMP{V6: p.o.v6, Type: wire.ICMPEchoRequest, Rest: 0x12340001, Body: []byte("probe")}
		reply := uint8(wire.ICMPEchoReply)
		if p.o.v6 {
			m.Type, reply = wire.ICMPv6EchoRequest, wire.ICMPv6EchoReply
		}
		p.icmp(m)
		select {
		case k := <-p.stray:
			got, err := wire.ParseICMP(k.payload, k.ip.Src, k.ip.Dst)
			if err != nil || got.Type != reply || got.Rest != m.Rest || string(got.Body) != "probe" {
				p.fatalf("got %s", wire.FormatIP(k.whole))
			}
		case <-time.After(patience):
			p.fatalf("no answer")
		}
	}},
	{name: "ping with a wrong checksum", do: func(p *probe) {
		dst := p.host.addr(p.o.v6)
		m := wire.ICMP{V6: p.o.v6, Type: wire.ICMPEchoRequest, Body: []byte("probe")}
		ip := wire.IP{Src: p.addr, Dst: dst, Proto: wire.ProtoICMP, TTL: 64}
		if p.o.v6 {
			m.Type, ip.Proto = wire.ICMPv6EchoRequest, wire.ProtoICMPv6
		}
		b := m.Append(nil, p.addr, dst)
		b[2] ^= 0xff
		p.host.send(append(ip.Append(nil, len(b)), b...))
		p.nothingElse(moment)
	}},
	{name: "too big", do: func(p *probe) {
		c, s := p.sending()
		p.unreachable(s, tooBig)
		size := 1280 - 40
		if p.o.v6 {
			size = 1280 - 60
		}
		got := p.receive(patience)
		if got == nil || got.pos != 1 || len(got.payload) > size {
			p.fatalf("want at most %d bytes again, got %v", size, got)
		}
		p.drain(moment / 2)
		p.send(". 1:1(0) ack 4201")
		p.drain(moment / 2)
		p.write(c, 4201, 3000)
		got = p.receive(patience)
		if got == nil || got.pos != 4201 || len(got.payload) > size || len(got.payload) < size-12 {
			p.fatalf("want %d bytes, got %v", size, got)
		}
	}},
	{name: "too big, and timestamps", do: func(p *probe) {
		c := p.open("mss 1400, ts, sackOK")
		p.write(c, 1, 1388)
		s := p.expect(". 1:1389(1388)")
		p.unreachable(s, tooBig)
		got := p.receive(patience)
		if size := 1280 - s.ip.Len() - 20 - 12; got == nil || got.pos != 1 || len(got.payload) > size {
			p.fatalf("want at most %d bytes again, got %v", size, got)
		}
	}},
	{name: "too big for another segment", do: func(p *probe) {
		c, s := p.sending()
		for _, off := range []uint32{100000, 1 << 31, 0xffff0000} {
			other := *s
			other.Seq += off
			p.unreachable(&other, tooBig)
		}
		p.send(". 1:1(0) ack 4201")
		p.drain(moment / 3)
		p.write(c, 4201, 1400)
		p.expect(". 4201:5601(1400)")
	}},
	{name: "too big for what has been acknowledged", do: func(p *probe) {
		c, s := p.sending()
		p.send(". 1:1(0) ack 4201")
		p.silent(moment / 10)
		p.unreachable(s, tooBig)
		p.silent(moment / 3)
		p.write(c, 4201, 1400)
		p.expect(". 4201:5601(1400)")
	}},
	{name: "too big for nothing", do: func(p *probe) {
		// A claim of 68 bytes is bounded: Linux has a floor (min_pmtu), for IPv6 it is 1280.
		c, s := p.sending()
		p.icmpError(s, tooBig, 68)
		p.drain(moment / 3)
		p.send(". 1:1(0) ack 4201")
		p.drain(moment / 3)
		p.write(c, 4201, 3000)
		if got := p.receive(patience); got == nil || len(got.payload) < 400 {
			p.fatalf("got %v", got)
		}
	}},
	{name: "port unreachable", do: func(p *probe) { p.unharmed(portUnreachable) }},
	{name: "host unreachable", do: func(p *probe) { p.unharmed(hostUnreachable) }},
	{name: "protocol unreachable", do: func(p *probe) { p.unharmed(protocolUnreachable) }},
	{name: "error in SYN-RECEIVED", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		s := p.expect("S. 0:0(0) ack 1")
		// Linux lets some kinds end it; to ftcp all are hints.
		p.unreachable(s, map[bool]unreachableKind{false: portUnreachable, true: hostUnreachable}[p.o.v6])
		p.silent(moment / 3)
		p.send(". 1:1(0)")
		p.alive(p.accept(), 1)
	}},
	{name: "error for another segment in SYN-RECEIVED", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		s := p.expect("S. 0:0(0) ack 1")
		other := *s
		other.Seq += 5000
		p.unreachable(&other, portUnreachable)
		p.send(". 1:1(0)")
		p.alive(p.accept(), 1)
	}},
	{name: "time exceeded", do: func(p *probe) { p.unharmed(timeExceeded) }},
	{name: "source quench", only: 4, do: func(p *probe) {
		// RFC 6633: ignored.
		c, s := p.sending()
		p.icmp(wire.ICMP{Type: 4, Body: s.packet()[:28]})
		p.send(". 1:1(0) ack 4201")
		p.drain(moment / 3)
		p.alive(c, 1)
	}},
	{name: "error with a quote cut short", do: func(p *probe) {
		c, s := p.sending()
		for _, n := range []int{0, 1, 19, 20, 27, 40, 47} {
			m := wire.ICMP{V6: p.o.v6, Type: wire.ICMPUnreachable, Code: wire.ICMPCodeFragmentationNeeded, Rest: 600, Body: s.packet()[:n]}
			if p.o.v6 {
				m.Type, m.Code = wire.ICMPv6PacketTooBig, 0
			}
			p.icmp(m)
		}
		p.drain(moment / 3)
		p.send(". 1:1(0) ack 4201")
		p.drain(moment / 3)
		p.alive(c, 1)
	}},
}

// unharmed expects an established connection to outlive an error: RFC 1122 section 4.2.3.9, RFC 5927 section 5.
func (p *probe) unharmed(kind unreachableKind) {
	c, s := p.sending()
	p.unreachable(s, kind)
	p.send(". 1:1(0) ack 4201")
	p.silent(moment / 3)
	p.alive(c, 1)
}
