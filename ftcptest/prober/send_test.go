package prober

import (
	"fmt"
	"time"
)

// Data that goes out: windows, segments and probes. RFC 9293 sections 3.7 and 3.8.
var sendProbes = []probeCase{
	{name: "initial window", do: func(p *probe) {
		// RFC 6928: ten segments.
		c := p.open("mss 1000")
		p.write(c, 1, 50000)
		p.flight(10, 1000)
		p.silent(100 * time.Millisecond)
	}},
	{name: "initial window of large segments", do: func(p *probe) {
		c := p.open("mss 1400, wscale 4")
		p.write(c, 1, 50000)
		p.flight(10, 1400)
		p.silent(100 * time.Millisecond)
	}},
	{name: "slow start", do: func(p *probe) {
		c := p.open("mss 1000, wscale 4")
		p.write(c, 1, 90000)
		p.flight(10, 1000)
		at := p.next
		p.send(". 1:1(0)")
		p.drain(moment / 3)
		if n := (p.next - at) / 1000; n < 11 || n > 20 {
			p.fatalf("%d segments after 10 were acknowledged; want 11 to 20", n)
		}
	}},
	{name: "ACKs in pieces gain nothing", do: func(p *probe) {
		// RFC 3465: bytes count, not ACKs.
		c := p.open("mss 1000, wscale 4")
		p.write(c, 1, 90000)
		p.flight(10, 1000)
		at := p.next
		for i := range int64(100) {
			p.send(fmt.Sprintf(". 1:1(0) ack %d", 101+100*i))
		}
		p.drain(moment / 3)
		if n := (p.next - at) / 1000; n < 10 || n > 20 {
			p.fatalf("%d segments after 10 were acknowledged; want 10 to 20", n)
		}
	}},
	{name: "whole segments, PSH on the last", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 2500)
		p.expect(". 1:1001(1000)")
		p.expect(". 1001:2001(1000)")
		if s := p.expect("P. 2001:2501(500)"); s.Flags&8 == 0 {
			p.fatalf("no PSH: %v", s)
		}
	}},
	{name: "small window", do: func(p *probe) {
		p.window = 500
		c := p.open("mss 1000")
		p.write(c, 1, 5000)
		p.drain(2 * moment)
		if p.next != 501 {
			p.fatalf("%d bytes in a window of 500", p.next-1)
		}
		p.send(". 1:1(0)")
		p.drain(2 * moment)
		if p.next != 1001 {
			p.fatalf("%d bytes in a window of 1000", p.next-1)
		}
	}},
	{name: "window that shrinks", do: func(p *probe) {
		// A peer must not, but may: RFC 9293 section 3.8.6. Nothing new goes out.
		c := p.open("mss 1000")
		p.write(c, 1, 50000)
		p.flight(10, 1000)
		p.window = 2000
		p.send(". 1:1(0) ack 5001")
		for _, s := range p.drain(2 * moment) {
			if s.end() > 10001 {
				p.fatalf("beyond the window: %v", s)
			}
		}
		p.window = 32768
		p.send(". 1:1(0) ack 10001")
		p.until(patience, ". 10001:11001(1000)")
	}},
	{name: "zero-window probes", do: func(p *probe) {
		p.window = 0
		c := p.open("mss 1000")
		p.write(c, 1, 1000)
		at := []time.Time{time.Now()}
		for range 3 {
			s := p.receive(3 * time.Second)
			if s == nil || s.pos < 0 || s.pos > 1 || len(s.payload) > 1 {
				p.fatalf("want a probe, got %v", s)
			}
			at = append(at, s.at)
			p.send(". 1:1(0) ack 1")
		}
		p.backsOff(at[1:], 150*time.Millisecond, 4*time.Second)
		p.window = 2000
		p.send(". 1:1(0) ack 1")
		for p.next < 1001 {
			if p.receive(patience) == nil {
				p.fatalf("no data when the window opens")
			}
		}
	}},
	{name: "zero window in the middle", do: func(p *probe) {
		p.window = 3000
		c := p.open("mss 1000")
		p.write(c, 1, 10000)
		p.expect(". 1:1001(1000)")
		p.expect(". 1001:2001(1000)")
		p.expect(". 2001:3001(1000)")
		p.window = 0
		p.send(". 1:1(0)")
		if s := p.receive(3 * time.Second); s == nil || s.pos < 3000 || s.pos > 3001 || len(s.payload) > 1 {
			p.fatalf("want a probe, got %v", s)
		}
		p.window = 3000
		p.send(". 1:1(0) ack 3001")
		p.until(patience, ". 3001:4001(1000)")
	}},
	{name: "zero window, and no answer", do: func(p *probe) {
		p.window = 0
		c := p.open("mss 1000")
		p.write(c, 1, 1000)
		var at []time.Time
		for range 4 {
			s := p.receive(3 * time.Second)
			if s == nil {
				p.fatalf("no probe")
			}
			at = append(at, s.at)
		}
		p.backsOff(at, 150*time.Millisecond, 4*time.Second)
	}},
	{name: "no silly segments", do: func(p *probe) {
		// RFC 9293 section 3.8.6.2.1: a window that opens by ten bytes is not filled, at first.
		p.window = 2000
		c := p.open("mss 1000")
		p.write(c, 1, 10000)
		p.expect(". 1:1001(1000)")
		p.expect(". 1001:2001(1000)")
		p.window = 10
		p.send(". 1:1(0) ack 2001")
		p.silent(150 * time.Millisecond)
		p.window = 2000
		p.send(". 1:1(0) ack 2001")
		p.until(patience, ". 2001:3001(1000)")
	}},
	{name: "Nagle off", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Write(stream(theirs, 1, 10))
		p.expect(". 1:11(10)")
		c.Write(stream(theirs, 11, 10))
		p.expectWithin(150*time.Millisecond, ". 11:21(10)")
	}},
	{name: "Nagle on", do: func(p *probe) {
		c := p.open("mss 1000")
		c.SetNoDelay(false)
		c.Write(stream(theirs, 1, 10))
		p.expect(". 1:11(10)")
		c.Write(stream(theirs, 11, 10))
		c.Write(stream(theirs, 21, 10))
		p.silent(100 * time.Millisecond)
		p.send(". 1:1(0) ack 11")
		p.expect(". 11:31(20)")
	}},
	{name: "Nagle and full segments", do: func(p *probe) {
		c := p.open("mss 1000")
		c.SetNoDelay(false)
		c.Write(stream(theirs, 1, 10))
		p.expect(". 1:11(10)")
		c.Write(stream(theirs, 11, 1500))
		p.expect(". 11:1011(1000)")
		p.silent(100 * time.Millisecond)
		p.send(". 1:1(0) ack 1011")
		p.expect(". 1011:1511(500)")
	}},
	{name: "Nagle and FIN", do: func(p *probe) {
		c := p.open("mss 1000")
		c.SetNoDelay(false)
		c.Write(stream(theirs, 1, 10))
		p.expect(". 1:11(10)")
		c.Write(stream(theirs, 11, 10))
		c.CloseWrite()
		p.until(150*time.Millisecond, "F. 11:21(10)")
	}},
	{name: "ACK with data", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 1:101(100)")
		p.read(c, 100)
		c.Write(stream(theirs, 1, 100))
		p.until(patience, ". 1:101(100) ack 101")
		p.send(". 101:101(0)")
		p.silent(moment)
	}},
	{name: "keep-alive", do: func(p *probe) {
		c := p.exchanged()
		p.check(c.keepAlive(time.Second, time.Second, 3))
		for range 2 {
			p.expectWithin(2*time.Second, ". 100:100(0) ack 101")
			p.send(". 101:101(0)")
		}
		// And now nobody is there.
		for range 3 {
			p.expectWithin(2*time.Second, ". 100:100(0) ack 101")
		}
		p.expectWithin(2*time.Second, "R. 101:101(0) ack 101")
	}},
	{name: "keep-alive only when idle", do: func(p *probe) {
		c := p.exchanged()
		p.check(c.keepAlive(time.Second, time.Second, 3))
		for i := range int64(5) {
			p.send(fmt.Sprintf("P. %d:%d(10)", 101+10*i, 111+10*i))
			p.acked(111 + 10*i)
			p.silent(400 * time.Millisecond)
		}
	}},
	{name: "an old ACK leaves the window alone", do: func(p *probe) {
		// RFC 9293 section 3.10.7.4: SND.WL1 and SND.WL2.
		p.window = 5000
		c := p.open("mss 1000")
		p.write(c, 1, 50000)
		p.flight(5, 1000)
		p.send(". 1:1(0) ack 3001")
		p.expect(". 5001:6001(1000)")
		p.window = 60000
		p.send(". 1:1(0) ack 1001")
		p.until(patience, ". 7001:8001(1000)")
		for _, s := range p.drain(moment / 3) {
			if s.end() > 8001 {
				p.fatalf("beyond the window: %v", s)
			}
		}
	}},
	{name: "window in every segment", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 5000)
		for range 5 {
			if s := p.receive(patience); s == nil || s.Window == 0 {
				p.fatalf("no window: %v", s)
			}
		}
	}},
}

// flight expects n full segments, the first of the stream. More may follow.
func (f *flow) flight(n int, size int64) {
	for i := range int64(n) {
		f.expect(fmt.Sprintf(". %d:%d(%d)", 1+i*size, 1+(i+1)*size, size))
	}
}
