package prober

// SACK and D-SACK as a receiver: RFC 2018 section 4, RFC 2883 section 4.
var sackProbes = []probeCase{
	{name: "one block", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:201>")
		p.send("P. 201:301(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:301>")
	}},
	{name: "latest first", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:201>")
		p.send("P. 301:401(100)")
		p.expect(". 1:1(0) ack 1 <sack 301:401, sack 101:201>")
		p.send("P. 501:601(100)")
		p.expect(". 1:1(0) ack 1 <sack 501:601, sack 301:401, sack 101:201>")
		p.send("P. 201:251(50)")
		p.expect(". 1:1(0) ack 1 <sack 101:251, sack 501:601, sack 301:401>")
	}},
	{name: "at most four", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.send("P. 301:401(100)")
		p.send("P. 501:601(100)")
		p.send("P. 701:801(100)")
		p.until(patience, ". 1:1(0) ack 1 <sack 701:801, sack 501:601, sack 301:401, sack 101:201>")
		p.send("P. 901:1001(100)")
		p.expect(". 1:1(0) ack 1 <sack 901:1001, sack 701:801, sack 501:601, sack 301:401>")
	}},
	{name: "at most three with timestamps", do: func(p *probe) {
		p.open("mss 1000, sackOK, ts")
		p.send("P. 101:201(100)")
		p.send("P. 301:401(100)")
		p.send("P. 501:601(100)")
		p.send("P. 701:801(100)")
		p.until(patience, ". 1:1(0) ack 1 <ts, sack 701:801, sack 501:601, sack 301:401>")
	}},
	{name: "blocks merge", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:201>")
		p.send("P. 301:401(100)")
		p.expect(". 1:1(0) ack 1 <sack 301:401, sack 101:201>")
		p.send("P. 201:301(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:401>")
	}},
	{name: "block goes when it is acknowledged", do: func(p *probe) {
		c := p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:201>")
		p.send("P. 301:401(100)")
		p.expect(". 1:1(0) ack 1 <sack 301:401, sack 101:201>")
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 201 <sack 301:401>")
		p.send("P. 201:301(100)")
		p.expect(". 1:1(0) ack 401 <no sack>")
		p.read(c, 400)
	}},
	{name: "no more blocks when all is here", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:201>")
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 201 <no sack>")
		p.send("P. 201:301(100)")
		p.expect(". 1:1(0) ack 301 <no sack>")
	}},
	{name: "duplicate", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 101 <sack 1:101>")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 201 <no sack>") // it is reported once
	}},
	{name: "duplicate of a part", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.send("P. 51:151(100)")
		p.expect(". 1:1(0) ack 151 <sack 51:101>")
	}},
	{name: "duplicate while something is missing", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.send("P. 201:301(100)")
		p.expect(". 1:1(0) ack 101 <sack 201:301>")
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 101 <sack 1:101, sack 201:301>")
	}},
	{name: "duplicate of what is out of order", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 101:301(200)")
		p.expect(". 1:1(0) ack 1 <sack 101:301>")
		p.send("P. 151:251(100)")
		p.expect(". 1:1(0) ack 1 <sack 151:251, sack 101:301>")
	}},
	{name: "duplicate of a part of what is out of order", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:201>")
		p.send("P. 151:251(100)")
		p.expect(". 1:1(0) ack 1 <sack 151:201, sack 101:251>")
	}},
	{name: "duplicate of what filled the gap", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:201>")
		p.send("P. 1:151(150)")
		p.expect(". 1:1(0) ack 201 <sack 101:151>")
	}},
	{name: "duplicate with timestamps", do: func(p *probe) {
		p.open("mss 1000, sackOK, ts")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 101 <ts, sack 1:101>")
	}},
	{name: "duplicate SYN is none", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("S 0:0(0) <mss 1000, sackOK>")
		p.expect(". 1:1(0) ack 1")
	}},
	{name: "FIN alone out of order", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("F. 101:101(0)")
		p.expect(". 1:1(0) ack 1 <sack 101:102>")
	}},
	{name: "duplicate on both sides of what is here", do: func(p *probe) {
		p.open("mss 1000, sackOK")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.send("P. 201:301(100)")
		p.expect(". 1:1(0) ack 101 <sack 201:301>")
		p.send("P. 51:251(200)")
		p.expect(". 1:1(0) ack 301") // which of the two is reported is free
	}},
	{name: "data with an ACK has no room for blocks or has them", do: func(p *probe) {
		c := p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:201>")
		p.write(c, 1, 1000)
		for p.next < 1001 {
			if s := p.receive(patience); s == nil || len(s.payload)+len(s.Append(nil)) > 1020 {
				p.fatalf("too long with its options: %v", s)
			}
		}
	}},
	{name: "FIN out of order", do: func(p *probe) {
		c := p.open("mss 1000, sackOK")
		p.send("FP. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:202>")
		p.send("P. 1:101(100)")
		p.acked(202)
		p.read(c, 200)
		p.eof(c)
	}},
}
