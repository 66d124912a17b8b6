package prober

import "time"

const stamped = "mss 1000, sackOK, ts"

// Timestamps and PAWS: RFC 7323 sections 3 to 5.
var timestampsProbes = []probeCase{
	{name: "echo", do: func(p *probe) {
		p.open(stamped)
		p.tsval = 2000
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 101 <ts 0 ecr 2000>")
		p.tsval = 3000
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 201 <ts 0 ecr 3000>")
	}},
	{name: "echo with data", do: func(p *probe) {
		c := p.open(stamped)
		p.tsval = 2000
		p.send("P. 1:101(100)")
		p.acked(101)
		p.write(c, 1, 100)
		p.expect(". 1:101(100) ack 101 <ts 0 ecr 2000>")
	}},
	{name: "no echo of what is out of order", do: func(p *probe) {
		p.open(stamped)
		p.tsval = 2000
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 101 <ts 0 ecr 2000>")
		p.tsval = 3000
		p.send("P. 201:301(100)")
		p.expect(". 1:1(0) ack 101 <ts 0 ecr 2000>")
		p.tsval = 3500
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 301 <ts 0 ecr 3500>")
	}},
	{name: "echo of a SYN at zero", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000, ts 0 ecr 0>")
		p.expect("S. 0:0(0) ack 1 <ts 0 ecr 0>")
	}},
	{name: "clock", do: func(p *probe) {
		p.open(stamped)
		p.send("P. 1:101(100)")
		a := p.acked(101)
		p.silent(time.Second)
		p.send("P. 101:201(100)")
		b := p.acked(201)
		// RFC 7323 section 5.4: a tick is 1 ms to 1 s.
		if d := int32(b.Options.TSVal - a.Options.TSVal); d < 1 || d > 3000 {
			p.fatalf("the clock went %d ticks in a second", d)
		}
	}},
	{name: "PAWS", do: func(p *probe) {
		c := p.open(stamped)
		p.tsval = 2000
		p.send("P. 1:101(100)")
		p.acked(101)
		p.tsval = 1500
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 101 <ts 0 ecr 2000>")
		p.read(c, 100)
		p.unread(c)
		p.tsval = 2001
		p.alive(c, 101)
	}},
	{name: "PAWS for a FIN", do: func(p *probe) {
		c := p.open(stamped)
		p.tsval = 500
		p.send("F. 1:1(0)")
		p.expect(". 1:1(0) ack 1")
		p.tsval = 1001
		p.alive(c, 1)
	}},
	{name: "PAWS for a SYN", do: func(p *probe) {
		c := p.open(stamped)
		p.send("S 50:50(0) <mss 1000, ts 1 ecr 0>")
		p.expect(". 1:1(0) ack 1")
		p.alive(c, 1)
	}},
	{name: "PAWS not for a RST", do: func(p *probe) {
		p.open(stamped)
		p.send("R 1:1(0) <ts 1 ecr 0>")
		p.silent(moment)
		p.gone(1)
	}},
	{name: "RST without timestamps", do: func(p *probe) {
		p.open(stamped)
		p.send("R. 1:1(0) ack 1")
		p.silent(moment)
		p.gone(1)
	}},
	{name: "same timestamp again", do: func(p *probe) {
		c := p.open(stamped)
		for range 3 {
			p.send("P. 1:11(10)")
			p.acked(11)
		}
		p.read(c, 10)
		p.alive(c, 11)
	}},
	{name: "clock of the peer across 2^32", do: func(p *probe) {
		p.tsval = 0xffffff00
		c := p.open(stamped)
		p.send("P. 1:101(100)")
		p.acked(101)
		p.tsval = 100
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 201 <ts 0 ecr 100>")
		p.read(c, 200)
		p.tsval = 0xffffffff
		p.send("P. 201:301(100)")
		p.expect(". 1:1(0) ack 201 <ts 0 ecr 100>")
		p.unread(c)
	}},
	{name: "data without timestamps", do: func(p *probe) {
		// RFC 7323 section 3.2: it SHOULD be dropped in silence, and is by ftcp. Linux takes it.
		c := p.open(stamped)
		p.send("P. 1:101(100) <nots>")
		if p.isFTCP {
			p.silent(moment)
			p.unread(c)
			p.send("P. 1:101(100)")
		}
		p.acked(101)
		p.read(c, 100)
	}},
	{name: "echo of the first that is acknowledged", do: func(p *probe) {
		// RFC 7323 section 4.3: a delayed ACK echoes the earliest.
		c := p.open(stamped)
		p.alive(c, 1)
		p.tsval = 2000
		p.send("P. 11:21(10)")
		p.tsval = 2005
		p.send("P. 21:31(10)")
		s := p.receive(patience)
		if s == nil || s.Options.TSEcr != 2000 {
			p.fatalf("want ecr 2000, got %v", s)
		}
	}},
	{name: "abort", do: func(p *probe) {
		// RFC 7323 section 3.2: a RST should have them, too.
		c := p.open(stamped)
		c.SetLinger(0)
		c.Close()
		p.expect("R. 1:1(0) ack 1 <ts 0 ecr 1000>")
	}},
	{name: "unaligned", do: func(p *probe) {
		c := p.open(stamped)
		p.send("P. 1:101(100) <raw 080a000007d000000000>")
		p.expect(". 1:1(0) ack 101 <ts 0 ecr 2000>")
		p.read(c, 100)
	}},
	{name: "echo of the future", do: func(p *probe) {
		c := p.open(stamped)
		p.write(c, 1, 100)
		p.expect(". 1:101(100)")
		p.send(". 1:1(0) ack 101 <ts 1000 ecr 4000000000>")
		p.alive(c, 1)
	}},
}
