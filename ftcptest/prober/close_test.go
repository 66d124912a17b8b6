package prober

import "time"

// Every order of closing: RFC 9293 section 3.6, 3.10.4 and 3.10.7.4.
var closeProbes = []probeCase{
	{name: "passive", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("F. 1:1(0)")
		p.expect(". 1:1(0) ack 2")
		p.eof(c)
		c.Close()
		p.expect("F. 1:1(0) ack 2")
		p.send(". 2:2(0) ack 2")
		p.silent(moment)
		p.send(". 2:2(0) ack 2")
		p.expect("R 2:2(0)")
	}},
	{name: "active", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Close()
		p.expect("F. 1:1(0) ack 1")
		p.send(". 1:1(0) ack 2")
		p.silent(moment)
		p.send("F. 1:1(0) ack 2")
		p.expect(". 2:2(0) ack 2")
		p.silent(moment)
	}},
	{name: "active, ACK and FIN in one", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Close()
		p.expect("F. 1:1(0) ack 1")
		p.send("F. 1:1(0) ack 2")
		p.expect(". 2:2(0) ack 2")
		p.silent(moment)
	}},
	{name: "simultaneous", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Close()
		p.expect("F. 1:1(0) ack 1")
		p.send("F. 1:1(0) ack 1")
		p.expect(". 2:2(0) ack 2")
		p.send(". 2:2(0) ack 2")
		p.silent(moment)
		p.send("F. 1:1(0) ack 2")
		p.expect(". 2:2(0) ack 2") // in TIME-WAIT
	}},
	{name: "FIN with data", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("FP. 1:101(100)")
		p.expect(". 1:1(0) ack 102")
		p.read(c, 100)
		p.eof(c)
	}},
	{name: "FIN with data that is here in part", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.send("FP. 51:151(100)")
		p.acked(152)
		p.read(c, 150)
		p.eof(c)
	}},
	{name: "FIN out of order", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("F. 101:101(0)")
		p.expect(". 1:1(0) ack 1")
		p.unread(c)
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 102")
		p.read(c, 100)
		p.eof(c)
	}},
	{name: "FIN again", do: func(p *probe) {
		c := p.open("mss 1000")
		for range 3 {
			p.send("F. 1:1(0)")
			p.expect(". 1:1(0) ack 2")
		}
		p.write(c, 1, 100)
		p.expect(". 1:101(100) ack 2")
	}},
	{name: "data after the FIN", do: func(p *probe) {
		// RFC 9293: this should not occur, and is ignored.
		c := p.open("mss 1000")
		p.send("F. 1:1(0)")
		p.acked(2)
		p.send("P. 2:102(100)")
		p.drain(moment)
		p.eof(c)
		p.write(c, 1, 100)
		p.until(patience, ". 1:101(100) ack 2")
	}},
	{name: "FIN of the host again and again", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Close()
		at := []time.Time{p.expect("F. 1:1(0) ack 1").at}
		for range 3 {
			at = append(at, p.expectWithin(3*time.Second, "F. 1:1(0) ack 1").at)
		}
		p.backsOff(at, 150*time.Millisecond, 3*time.Second)
		p.send("F. 1:1(0) ack 2")
		p.expect(". 2:2(0) ack 2")
	}},
	{name: "data, then FIN", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Write(stream(theirs, 1, 2500))
		c.Close()
		p.until(patience, ". 1001:2001(1000)")
		for p.next < 2502 {
			if p.receive(patience) == nil {
				p.fatalf("no FIN")
			}
		}
		p.send("F. 1:1(0)")
		p.until(patience, ". 2502:2502(0) ack 2")
	}},
	{name: "half-close of the host", do: func(p *probe) {
		c := p.open("mss 1000")
		c.CloseWrite()
		p.expect("F. 1:1(0) ack 1")
		p.send("P. 1:1001(1000) ack 2")
		p.acked(1001)
		p.send("P. 1001:2001(1000) ack 2")
		p.acked(2001)
		p.read(c, 2000)
		p.send("F. 2001:2001(0) ack 2")
		p.expect(". 2:2(0) ack 2002")
		p.eof(c)
	}},
	{name: "half-close of the peer", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("F. 1:1(0)")
		p.acked(2)
		p.eof(c)
		p.write(c, 1, 5000)
		for p.next < 5001 {
			if p.receive(patience) == nil {
				p.fatalf("no data")
			}
		}
		p.send(". 2:2(0)")
		c.Close()
		p.until(patience, "F. 5001:5001(0) ack 2")
		p.send(". 2:2(0)")
		p.silent(moment)
		p.send(". 2:2(0) ack 5002")
		p.expect("R 5002:5002(0)")
	}},
	{name: "close with unread data", do: func(p *probe) {
		// RFC 2525 section 2.17, RFC 9293 section 3.6.1.
		c := p.open("mss 1000")
		p.send("P. 1:101(100)")
		p.acked(101)
		c.Close()
		p.expect("R. 1:1(0) ack 101")
		p.send("P. 101:201(100)")
		p.expect("R 1:1(0)")
	}},
	{name: "close with unread data and FIN", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("FP. 1:101(100)")
		p.acked(102)
		c.Close()
		p.expect("R. 1:1(0) ack 102")
	}},
	{name: "data after close", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Close()
		p.expect("F. 1:1(0) ack 1")
		p.send(". 1:1(0) ack 2")
		p.send("P. 1:101(100) ack 2")
		p.expect("R 2:2(0)")
		p.send("P. 1:101(100) ack 2")
		p.expect("R 2:2(0)")
	}},
	{name: "data after close, FIN not acknowledged", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Close()
		p.expect("F. 1:1(0) ack 1")
		p.send("P. 1:101(100) ack 1")
		p.until(patience, "R *")
		p.drain(moment)
		p.send(". 101:101(0) ack 1")
		p.expect("R 1:1(0)")
	}},
	{name: "abort", do: func(p *probe) {
		c := p.open("mss 1000")
		c.SetLinger(0)
		c.Close()
		p.expect("R. 1:1(0) ack 1 <no ts, no mss>")
		p.send(". 1:1(0)")
		p.expect("R 1:1(0)")
	}},
	{name: "abort with data under way", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 2000)
		p.expect(". 1:1001(1000)")
		p.expect(". 1001:2001(1000)")
		c.SetLinger(0)
		c.Close()
		p.expect("R. 2001:2001(0) ack 1")
	}},
	{name: "abort with data not sent yet", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 30000)
		p.flight(10, 1000)
		c.SetLinger(0)
		c.Close()
		p.expect("R. 10001:10001(0) ack 1")
	}},
	{name: "abort in CLOSE-WAIT", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("F. 1:1(0)")
		p.acked(2)
		c.SetLinger(0)
		c.Close()
		p.expect("R. 1:1(0) ack 2")
	}},
	{name: "RST in CLOSE-WAIT", do: func(p *probe) {
		p.open("mss 1000")
		p.send("F. 1:1(0)")
		p.acked(2)
		p.send("R 2:2(0)")
		p.gone(2)
	}},
	{name: "RST in FIN-WAIT-1", do: func(p *probe) {
		c := p.open("mss 1000")
		c.CloseWrite()
		p.expect("F. 1:1(0)")
		p.send("R 1:1(0)")
		p.gone(1)
	}},
	{name: "RST in FIN-WAIT-2", do: func(p *probe) {
		c := p.open("mss 1000")
		c.CloseWrite()
		p.expect("F. 1:1(0)")
		p.send(". 1:1(0)")
		p.send("R 1:1(0)")
		p.gone(1)
	}},
	{name: "RST in LAST-ACK", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("F. 1:1(0)")
		p.acked(2)
		c.Close()
		p.expect("F. 1:1(0) ack 2")
		p.send("R 2:2(0)")
		p.gone(2)
	}},
	{name: "RST in CLOSING", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Close()
		p.expect("F. 1:1(0) ack 1")
		p.send("F. 1:1(0) ack 1")
		p.expect(". 2:2(0) ack 2")
		p.send("R 2:2(0)")
		p.gone(2)
	}},
	{name: "SYN in FIN-WAIT-2", do: func(p *probe) {
		c := p.open("mss 1000")
		c.CloseWrite()
		p.expect("F. 1:1(0)")
		p.send(". 1:1(0)")
		p.send("S 100:100(0) <mss 1000>")
		p.expect(". 2:2(0) ack 1")
		p.send("F. 1:1(0)")
		p.expect(". 2:2(0) ack 2")
	}},
	{name: "FIN lost in LAST-ACK", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("F. 1:1(0)")
		p.acked(2)
		c.Close()
		p.expect("F. 1:1(0) ack 2")
		p.expect("F. 1:1(0) ack 2")
		p.send("F. 1:1(0) ack 1") // the peer missed the ACK, too
		p.until(patience, ". * ack 2")
		p.send(". 2:2(0) ack 2")
		p.drain(moment)
		p.send(". 2:2(0) ack 2")
		p.expect("R 2:2(0)")
	}},
	{name: "data lost before the FIN", do: func(p *probe) {
		c := p.open("mss 1000")
		c.Write(stream(theirs, 1, 100))
		c.Close()
		p.until(patience, "F. 101:101(0)")
		p.send(". 1:1(0) ack 1")
		for { // the FIN goes with it, or follows
			if s := p.receive(patience); s == nil {
				p.fatalf("the data does not come again")
			} else if s.pos == 1 && len(s.payload) == 100 {
				break
			}
		}
		p.send("F. 1:1(0) ack 102")
		p.until(patience, ". 102:102(0) ack 2")
	}},
	{name: "FIN and a closed window", do: func(p *probe) {
		c := p.open("mss 1000")
		p.window = 0
		p.send(". 1:1(0)")
		p.silent(moment / 10)
		c.Write(stream(theirs, 1, 100))
		c.Close()
		for _, s := range p.drain(moment) {
			if len(s.payload) > 1 || s.pos > 1 {
				p.fatalf("beyond the window: %v", s)
			}
		}
		p.window = 1000
		p.send(". 1:1(0) ack 1")
		for p.next < 102 {
			if p.receive(patience) == nil {
				p.fatalf("no FIN")
			}
		}
	}},
	{name: "FIN in a closed window of the host", o: options{buffer: 8192}, do: func(p *probe) {
		c := p.open("mss 1000")
		right := p.closeWindow()
		p.sendFIN(right)
		p.drain(moment)
		p.readAll(c, right-1)
		p.drain(moment)
		p.sendFIN(right)
		p.acked(right + 1)
		p.eof(c)
	}},
	{name: "TIME-WAIT, FIN again", do: func(p *probe) {
		p.timeWait("mss 1000")
		p.send("F. 1:1(0) ack 2")
		p.expect(". 2:2(0) ack 2")
	}},
	{name: "TIME-WAIT, data", do: func(p *probe) {
		p.timeWait("mss 1000")
		p.send("P. 2:12(10) ack 2")
		p.expect(". 2:2(0) ack 2")
	}},
	{name: "TIME-WAIT, ACK", do: func(p *probe) {
		p.timeWait("mss 1000")
		p.send(". 2:2(0) ack 2")
		p.silent(moment)
	}},
	{name: "TIME-WAIT, RST", do: func(p *probe) {
		// Linux ends the connection, unless tcp_rfc1337 is set, as RFC 9293 section 3.10.7.4 has it; ftcp
		// stays, as RFC 1337 advises. Nothing is sent in either case.
		p.timeWait("mss 1000")
		p.send("R 2:2(0)")
		p.silent(moment)
		p.send("F. 1:1(0) ack 2")
		if p.isFTCP {
			p.expect(". 2:2(0) ack 2")
		} else {
			p.expect("R 2:2(0)")
		}
	}},
	{name: "TIME-WAIT, SYN further on", do: func(p *probe) {
		p.timeWait("mss 1000")
		p.reincarnate(p.iss+100000, "mss 1000")
	}},
	{name: "TIME-WAIT, SYN further back", do: func(p *probe) {
		p.timeWait("mss 1000")
		p.send("S -1000:-1000(0) <mss 1000>")
		p.expect(". 2:2(0) ack 2")
	}},
	{name: "TIME-WAIT, SYN further back of a later time", do: func(p *probe) {
		// RFC 6191.
		p.timeWait("mss 1000, ts")
		p.tsval += 5000
		p.reincarnate(p.iss-1000, "mss 1000, ts")
	}},
	{name: "TIME-WAIT, SYN further back of an earlier time", do: func(p *probe) {
		p.timeWait("mss 1000, ts")
		p.tsval -= 500
		p.send("S -1000:-1000(0) <mss 1000, ts>")
		p.expect(". 2:2(0) ack 2")
	}},
	{name: "new connection of the same numbers", do: func(p *probe) {
		// The host closed last, so that nothing is in the way.
		c := p.open("mss 1000")
		p.send("F. 1:1(0)")
		p.acked(2)
		c.Close()
		p.expect("F. 1:1(0)")
		p.send(". 2:2(0)")
		p.silent(moment)
		p.reincarnate(p.iss-1000, "mss 1000")
	}},
}

// timeWait brings the host to TIME-WAIT.
func (p *probe) timeWait(opts string) {
	c := p.open(opts)
	c.Close()
	p.expect("F. 1:1(0) ack 1")
	p.send("F. 1:1(0) ack 2")
	p.expect(". 2:2(0) ack 2")
}

// reincarnate opens another connection with the same ports.
func (p *probe) reincarnate(iss uint32, opts string) {
	p.iss, p.next, p.synced, p.ts = iss, 0, false, false
	p.alive(p.open(opts), 1)
}
