package prober

import "fmt"

// More than a host can hold: RFC 4987.
var floodProbes = []probeCase{
	{name: "SYNs", o: options{backlog: 16}, do: func(p *probe) {
		c := p.open("mss 1000")
		flood := make([]*flow, 300)
		for i := range flood {
			flood[i] = p.another()
			flood[i].send("S 0:0(0) <mss 1000>")
		}
		p.alive(c, 1)
		f := p.another()
		f.connect("mss 1000, sackOK, ts, wscale 2")
		f.alive(p.accept(), 1)
	}},
	{name: "SYNs, one of which means it", o: options{backlog: 16}, do: func(p *probe) {
		flood := make([]*flow, 100)
		for i := range flood {
			flood[i] = p.another()
			flood[i].send("S 0:0(0) <mss 1000>")
		}
		last := flood[len(flood)-1] // a cookie
		last.expect("S. 0:0(0) ack 1")
		last.send("P. 1:101(100) ack 7")
		last.expect("R 7:7(0)")
		last.send("P. 1:101(100)")
		c := p.accept()
		p.read(c, 100)
		last.until(patience, ". 1:1(0) ack 101")
		p.write(c, 1, 3000) // a cookie remembers a MSS only roughly
		last.until(patience, ". *")
	}},
	{name: "SYNs, one of which has options", o: options{backlog: 16}, do: func(p *probe) {
		// A cookie in the timestamp: SACK and the window scale are not lost.
		for range 100 {
			p.another().send("S 0:0(0) <mss 1000>")
		}
		f := p.another()
		f.connect("mss 1400, sackOK, ts, wscale 3")
		f.send("P. 101:201(100)")
		f.until(patience, ". 1:1(0) ack 1 <ts, sack 101:201>")
		f.send("P. 1:101(100)")
		f.until(patience, ". 1:1(0) ack 201 <ts>")
		c := p.accept()
		p.read(c, 200)
		f.window = 1000 // 8000 bytes
		f.send(". 201:201(0)")
		f.silent(moment / 10)
		p.write(c, 1, 100000)
		f.drain(moment / 3)
		if f.next < 5000 || f.next > 8001 {
			p.fatalf("%d bytes in a window of 8000", f.next-1)
		}
	}},
	{name: "SYN flood, the same client again", o: options{backlog: 16}, do: func(p *probe) {
		for range 100 {
			p.another().send("S 0:0(0) <mss 1000>")
		}
		f := p.another()
		f.send("S 0:0(0) <mss 1000>")
		f.expect("S. 0:0(0) ack 1")
		f.send("S 0:0(0) <mss 1000>")
		f.until(patience, "S. 0:0(0) ack 1")
		f.send(". 1:1(0)")
		f.alive(p.accept(), 1)
	}},
	{name: "connections that nobody accepts", o: options{backlog: 4}, do: func(p *probe) {
		flows := make([]*flow, 12)
		opened := 0
		for i := range flows {
			f := p.another()
			flows[i] = f
			f.send("S 0:0(0) <mss 1000>")
			if f.receive(moment/10) != nil {
				f.send(". 1:1(0)")
				opened++
			}
		}
		if opened < 4 || opened > 8 {
			p.fatalf("%d connections with a backlog of 4", opened)
		}
		for range 4 {
			p.accept()
		}
		f := p.another()
		f.send("S 0:0(0) <mss 1000>")
		f.until(patience, "S. 0:0(0) ack 1")
	}},
	{name: "ACKs of no connection", do: func(p *probe) {
		c := p.open("mss 1000")
		for range 200 {
			p.another().send(". 1:1(0) ack 5000")
		}
		p.alive(c, 1)
	}},
	{name: "RSTs of all numbers", do: func(p *probe) {
		c := p.open("mss 1000")
		for i := range int64(1000) {
			p.send(fmt.Sprintf("R %d:%d(0)", 1+(i+1)*4000000, 1+(i+1)*4000000))
		}
		p.drain(moment)
		p.alive(c, 1)
	}},
	{name: "small segments", do: func(p *probe) {
		c := p.open("mss 1000, sackOK")
		for i := range int64(2000) {
			p.send(fmt.Sprintf(". %d:%d(1)", 1+i, 2+i))
		}
		p.acked(2001)
		p.read(c, 2000)
		p.alive(c, 2001)
	}},
	{name: "connections that come and go", do: func(p *probe) {
		for range 100 {
			f := p.another()
			f.connect("mss 1000")
			c := p.accept()
			f.send("F. 1:1(0)")
			f.expect(". 1:1(0) ack 2")
			c.Close()
			f.expect("F. 1:1(0) ack 2")
			f.send(". 2:2(0)")
		}
	}},
}
