package prober

import "fmt"

// challenged is a probe of a segment that an established connection answers with an ACK that says where it is,
// and otherwise ignores. 100 bytes went each way before.
func challenged(name, sent string) probeCase {
	return probeCase{name: name, do: func(p *probe) {
		c := p.exchanged()
		p.send(sent)
		p.expect(". 101:101(0) ack 101")
		p.unread(c)
		p.alive(c, 101)
	}}
}

// disregarded is the same for one that is not even answered.
func disregarded(name, sent string) probeCase {
	return probeCase{name: name, do: func(p *probe) {
		c := p.exchanged()
		p.send(sent)
		p.silent(moment)
		p.unread(c)
		p.alive(c, 101)
	}}
}

// reset is the same for one that ends the connection.
func reset(name, sent string) probeCase {
	return probeCase{name: name, do: func(p *probe) {
		c := p.exchanged()
		p.send(sent)
		p.silent(moment)
		p.broken(c)
		p.send(". 101:101(0) ack 101")
		p.expect("R 101:101(0)")
	}}
}

// exchanged is a connection on which 100 bytes went each way.
func (p *probe) exchanged() conn {
	c := p.open("mss 1000, sackOK")
	p.send("P. 1:101(100)")
	p.acked(101)
	p.read(c, 100)
	p.write(c, 1, 100)
	p.expect(". 1:101(100)")
	p.send(". 101:101(0)")
	return c
}

// bounded sends the same segment many times, and expects few answers, and a connection that works.
func bounded(name, sent string, times, most int) probeCase {
	return probeCase{name: name, do: func(p *probe) {
		c := p.exchanged()
		for range times {
			p.send(sent)
		}
		if n := len(p.drain(moment)); n == 0 || n > most {
			p.fatalf("%d answers to %d segments; want 1 to %d", n, times, most)
		}
		p.alive(c, 101)
	}}
}

// RFC 5961, and what else is thrown at an established connection.
var attackProbes = []probeCase{
	reset("RST", "R 101:101(0)"),
	reset("RST and ACK", "R. 101:101(0) ack 101"),
	reset("RST that acknowledges nothing sent", "R. 101:101(0) ack 900000"),
	reset("RST and SYN", "SR 101:101(0)"),
	reset("all flags", "SFRPUEW. 101:101(0)"),
	reset("RST with data", "R 101:111(10)"),
	challenged("RST in the window", "R 102:102(0)"),
	challenged("RST and ACK in the window", "R. 1000:1000(0) ack 101"),
	disregarded("RST before the window", "R 100:100(0)"),
	disregarded("RST long before the window", "R -500000000:-500000000(0)"),
	disregarded("RST beyond the window", "R 500000000:500000000(0)"),
	challenged("SYN in the window", "S 1000:1000(0) <mss 1000>"),
	challenged("SYN at RCV.NXT", "S 101:101(0) <mss 1000>"),
	challenged("SYN before the window", "S 50:50(0) <mss 1000>"),
	challenged("SYN beyond the window", "S 500000000:500000000(0) <mss 1000>"),
	challenged("SYN of the beginning", "S 0:0(0) <mss 1000>"),
	challenged("SYN and ACK of the beginning", "S. 0:0(0) ack 1 <mss 1000>"),
	challenged("SYN and ACK in the window", "S. 101:101(0) ack 101 <mss 1000>"),
	challenged("SYN with data", "S 101:111(10) <mss 1000>"),
	challenged("SYN and FIN", "SF 101:101(0)"),
	challenged("SYN and FIN of the beginning", "SF 0:0(0)"),
	disregarded("URG and PSH without ACK", "PU 101:101(0)"),
	disregarded("FIN without ACK", "F 101:101(0)"),
	challenged("FIN beyond the window", "F. 500000000:500000000(0)"),
	challenged("ACK too old", ". 101:101(0) ack -500000"),
	challenged("data with an ACK too old", "P. 101:111(10) ack -500000"),
	challenged("ACK out of the window", ". 500000000:500000000(0)"),
	{name: "ACK of what was not sent", do: func(p *probe) {
		// RFC 9293 section 3.10.7.4 has it answered by an ACK; Linux drops it. Data with it is not taken.
		c := p.exchanged()
		p.send("P. 101:111(10) ack 5000")
		for _, s := range p.drain(moment) {
			if s.ack != 101 {
				p.fatalf("want ack 101, got %v", s)
			}
		}
		p.unread(c)
		p.alive(c, 101)
	}},
	{name: "old ACK with data", do: func(p *probe) {
		c := p.exchanged()
		p.send("P. 101:201(100) ack 1")
		p.acked(201)
		p.readAt(c, 101, 100)
	}},
	bounded("many RSTs in the window", "R 1000:1000(0)", 200, 20),
	bounded("many SYNs", "S 1000:1000(0)", 200, 20),
	bounded("many ACKs out of the window", ". 500000000:500000000(0)", 200, 20),
	bounded("many keep-alives", ". 100:100(0)", 200, 20),
	bounded("many ACKs too old", ". 101:101(0) ack -500000", 200, 20),
	bounded("much data out of the window", "P. 500000000:500000100(100)", 200, 200),
	bounded("much old data", "P. 1:101(100)", 200, 200),
	{name: "much data out of order", do: func(p *probe) {
		c := p.exchanged()
		for i := range int64(1000) {
			p.send(fmt.Sprintf("P. %d:%d(1)", 200+2*i, 201+2*i))
		}
		p.drain(moment)
		p.send("P. 101:1501(1400)")
		p.until(patience, ". 101:101(0) ack 1501")
		p.readAt(c, 101, 1400)
	}},
	{name: "peer that has restarted", do: func(p *probe) {
		// RFC 9293 section 3.5.1: it is told where we are, and resets the connection.
		p.exchanged()
		p.send("S 5000:5000(0) <mss 1000>")
		p.expect(". 101:101(0) ack 101")
		p.send("R 101:101(0)")
		p.silent(moment / 3)
		p.reincarnate(p.iss+5000, "mss 1000")
	}},
	{name: "another connection's port", do: func(p *probe) {
		c := p.exchanged()
		f := p.another()
		f.synced = true
		f.send("R 101:101(0)")
		f.send("F. 101:101(0) ack 700")
		f.expect("R 700:700(0)")
		p.alive(c, 101)
	}},
	{name: "header shorter than it can be", do: func(p *probe) {
		c := p.exchanged()
		p.sendEdited("P. 101:111(10)", func(b []byte) { b[12] = 4 << 4 }, nil)
		p.sendEdited("P. 101:111(10)", func(b []byte) { b[12] = 0 }, nil)
		p.sendEdited("P. 101:111(10)", func(b []byte) { b[12] = 15 << 4 }, nil)
		p.silent(moment)
		p.alive(c, 101)
	}},
	{name: "options that are none", do: func(p *probe) {
		// The rest of a segment is good whatever its options are: RFC 9293 section 3.1.
		c := p.exchanged()
		p.send("P. 101:111(10) <raw fe00fe00>")
		p.acked(111)
		p.send("P. 111:121(10) <raw 05ff0102>")
		p.acked(121)
		p.send("P. 121:131(10) <raw 0801>")
		p.acked(131)
		p.readAt(c, 101, 30)
	}},
	{name: "MSS in the middle of a connection", do: func(p *probe) {
		c := p.exchanged()
		p.send("P. 101:111(10) <mss 100, wscale 9>")
		p.acked(111)
		p.readAt(c, 101, 10)
		p.write(c, 101, 900)
		p.expect(". 101:1001(900)")
	}},
}
