package prober

import (
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// The ECN bits of an IP header: RFC 3168 section 5.
const (
	ect0 = 2
	ce   = 3
)

// explicit opens a connection with ECN.
func (p *probe) explicit() conn {
	p.send("SEW 0:0(0) <mss 1000, sackOK>")
	p.expect("S.E 0:0(0) ack 1")
	p.send(". 1:1(0)")
	return p.accept()
}

// Explicit congestion notification: RFC 3168 section 6.1.
var ecnProbes = []probeCase{
	{name: "SYN-ACK is not capable", do: func(p *probe) {
		p.send("SEW 0:0(0) <mss 1000>")
		if s := p.expect("S.E 0:0(0) ack 1"); s.ip.TOS&3 != 0 {
			p.fatalf("ECN bits %d", s.ip.TOS&3)
		}
	}},
	{name: "data is capable", do: func(p *probe) {
		c := p.explicit()
		p.write(c, 1, 2000)
		for range 2 {
			if s := p.receive(patience); s == nil || s.ip.TOS&3 != ect0 {
				p.fatalf("%v", s)
			}
		}
	}},
	{name: "ACK is not capable", do: func(p *probe) {
		p.explicit()
		p.send("P. 1:101(100)")
		if s := p.expect(". 1:1(0) ack 101"); s.ip.TOS&3 != 0 {
			p.fatalf("ECN bits %d", s.ip.TOS&3)
		}
	}},
	{name: "retransmission is not capable", do: func(p *probe) {
		c := p.explicit()
		p.write(c, 1, 100)
		p.expect(". 1:101(100)")
		if s := p.expect(". 1:101(100)"); s.ip.TOS&3 != 0 {
			p.fatalf("ECN bits %d", s.ip.TOS&3)
		}
	}},
	{name: "nothing is capable unless agreed", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 100)
		if s := p.expect(". 1:101(100)"); s.ip.TOS&3 != 0 {
			p.fatalf("ECN bits %d", s.ip.TOS&3)
		}
	}},
	{name: "marks are echoed until CWR", do: func(p *probe) {
		p.explicit()
		p.tos = ce
		p.send("P. 1:101(100)")
		p.expect(".E 1:1(0) ack 101")
		p.tos = ect0
		p.send("P. 101:201(100)")
		p.expect(".E 1:1(0) ack 201")
		p.send("P.W 201:301(100)")
		p.expect(". 1:1(0) ack 301")
		p.send("P. 301:401(100)")
		p.expect(". 1:1(0) ack 401")
	}},
	{name: "mark with CWR", do: func(p *probe) {
		p.explicit()
		p.tos = ce
		p.send("P. 1:101(100)")
		p.expect(".E 1:1(0) ack 101")
		p.send("P.W 101:201(100)")
		p.expect(".E 1:1(0) ack 201")
	}},
	{name: "marks mean nothing unless agreed", do: func(p *probe) {
		p.open("mss 1000")
		p.tos = ce
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 101")
	}},
	{name: "echo is answered by CWR", do: func(p *probe) {
		c := p.explicit()
		p.write(c, 1, 30000)
		p.flight(10, 1000)
		p.send(".E 1:1(0) ack 10001")
		p.expect(".W 10001:11001(1000)")
		for _, s := range p.drain(20 * time.Millisecond) {
			if s.Flags&wire.CWR != 0 && s.pos > 10001 {
				p.fatalf("CWR again: %v", s)
			}
		}
		if n := (p.next - 10001) / 1000; n > 10 {
			p.fatalf("%d segments after a mark", n)
		}
	}},
}
