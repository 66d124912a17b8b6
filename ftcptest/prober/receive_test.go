package prober

import (
	"fmt"
	"time"
)

// Data that comes in: RFC 9293 section 3.10.7.4, seventh, and 3.8.6.
var receiveProbes = []probeCase{
	{name: "in order", do: func(p *probe) {
		c := p.open("mss 1000")
		for i := range int64(5) {
			p.send(fmt.Sprintf("P. %d:%d(100)", 1+100*i, 101+100*i))
		}
		p.acked(501)
		p.read(c, 500)
	}},
	{name: "without PSH", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send(". 1:101(100)")
		p.read(c, 100)
	}},
	{name: "delayed ACK", do: func(p *probe) {
		p.open("mss 1000")
		p.send("P. 1:101(100)")
		p.expectWithin(500*time.Millisecond, ". 1:1(0) ack 101")
		p.silent(moment)
		p.send("P. 101:201(100)")
		p.expectWithin(500*time.Millisecond, ". 1:1(0) ack 201")
	}},
	{name: "every second segment", do: func(p *probe) {
		c := p.open("mss 1000")
		for i := range int64(20) { // past any quick start
			p.send(fmt.Sprintf("P. %d:%d(1000)", 1+1000*i, 1001+1000*i))
			p.acked(1001 + 1000*i)
		}
		p.read(c, 20000)
		p.drain(moment)
		for i := range int64(5) {
			at := 20001 + 2800*i
			p.send(fmt.Sprintf(". %d:%d(1400)", at, at+1400))
			p.send(fmt.Sprintf(". %d:%d(1400)", at+1400, at+2800))
			p.within(35*time.Millisecond, at+2800)
		}
	}},
	{name: "out of order", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 101:201(100)")
		p.within(35*time.Millisecond, 1)
		p.unread(c)
		p.send("P. 1:101(100)")
		p.within(35*time.Millisecond, 201)
		p.read(c, 200)
	}},
	{name: "gap filled in part", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 201:301(100)")
		p.within(35*time.Millisecond, 1)
		p.send("P. 1:101(100)")
		p.within(35*time.Millisecond, 101) // RFC 5681 section 4.2
		p.send("P. 101:201(100)")
		p.within(35*time.Millisecond, 301)
		p.read(c, 300)
	}},
	{name: "in reverse", do: func(p *probe) {
		c := p.open("mss 1000, sackOK")
		for i := int64(9); i >= 0; i-- {
			p.send(fmt.Sprintf("P. %d:%d(50)", 1+50*i, 51+50*i))
		}
		p.acked(501)
		p.read(c, 500)
	}},
	{name: "overlap on the left", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.send("P. 51:151(100)")
		p.acked(151)
		p.read(c, 150)
	}},
	{name: "overlap on the right", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1")
		p.send("P. 1:151(150)")
		p.acked(201)
		p.read(c, 200)
	}},
	{name: "overlap on both sides", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 51:101(50)")
		p.expect(". 1:1(0) ack 1")
		p.send("P. 151:201(50)")
		p.expect(". 1:1(0) ack 1")
		p.send("P. 76:176(100)")
		p.expect(". 1:1(0) ack 1")
		p.send("P. 1:51(50)")
		p.acked(201)
		p.read(c, 200)
	}},
	{name: "one segment over all", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 51:101(50)")
		p.expect(". 1:1(0) ack 1")
		p.send("P. 151:201(50)")
		p.expect(". 1:1(0) ack 1")
		p.send("P. 1:301(300)")
		p.acked(301)
		p.read(c, 300)
	}},
	{name: "one segment within another", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 101:401(300)")
		p.expect(". 1:1(0) ack 1")
		p.send("P. 201:301(100)")
		p.expect(". 1:1(0) ack 1")
		p.send("P. 1:101(100)")
		p.acked(401)
		p.read(c, 400)
	}},
	{name: "duplicate", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.send("P. 1:101(100)")
		p.within(35*time.Millisecond, 101)
		p.read(c, 100)
		p.unread(c)
	}},
	{name: "ancient duplicate", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. -20000:-19900(100)")
		p.within(35*time.Millisecond, 1)
		p.unread(c)
		p.alive(c, 1)
	}},
	{name: "what came first stays", do: func(p *probe) {
		// Bytes that contradict what is there must not replace what was acknowledged.
		c := p.open("mss 1000")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.sendEdited("P. 51:151(100)", func(b []byte) {
			for i := range b[20:70] {
				b[20+i] ^= 0xff
			}
		}, nil)
		p.acked(151)
		p.read(c, 150)
	}},
	{name: "keep-alive of the peer", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send(". 0:0(0)")
		p.expect(". 1:1(0) ack 1")
		p.alive(c, 1)
		p.pause()
		p.send(". 10:10(0)")
		p.expect(". 11:11(0) ack 11")
	}},
	{name: "keep-alive of the peer with a byte", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 1:11(10)")
		p.acked(11)
		p.send(". 10:11(1)")
		p.expect(". 1:1(0) ack 11")
		p.read(c, 10)
		p.unread(c)
	}},
	{name: "one byte at a time", do: func(p *probe) {
		c := p.open("mss 1000")
		for i := range int64(200) {
			p.send(fmt.Sprintf("P. %d:%d(1)", 1+i, 2+i))
		}
		p.acked(201)
		p.read(c, 200)
	}},
	{name: "beyond the window", o: options{buffer: 8192}, do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 1:101(100)")
		edge := p.acked(101)
		right := 101 + int64(edge.Window)
		for _, at := range []int64{right, right + 1, right + 5000, right + 1<<30} {
			p.send(fmt.Sprintf("P. %d:%d(100)", at, at+100))
			p.expect(". 1:1(0) ack 101 <no sack>")
		}
		p.read(c, 100)
		p.alive(c, 101)
	}},
	{name: "partly beyond the window", o: options{buffer: 8192}, do: func(p *probe) {
		// RFC 9293 section 3.10.7.4 has it trimmed, Linux since 6.17 drops it. Both acknowledge
		// what they have, and take nothing beyond.
		c := p.open("mss 1000")
		p.send("P. 1:101(100)")
		s := p.acked(101)
		right := 101 + int64(s.Window)
		p.fill(101, right-50)
		p.acked(right - 50)
		p.send(fmt.Sprintf("P. %d:%d(100)", right-50, right+50))
		if s := p.receive(patience); s == nil || s.ack != right-50 && s.ack != right {
			p.fatalf("want ack %d or %d, got %v", right-50, right, s)
		}
		p.readAll(c, right-51)
	}},
	{name: "zero window", o: options{buffer: 8192}, do: func(p *probe) {
		c := p.open("mss 1000")
		right := p.closeWindow()
		p.pause()
		// Probes of both kinds are answered (RFC 9293 section 3.8.6.1), and a byte is not taken.
		p.send(fmt.Sprintf(". %d:%d(0)", right-1, right-1))
		p.expect(fmt.Sprintf(". 1:1(0) ack %d win 0", right))
		p.send(fmt.Sprintf("P. %d:%d(1)", right, right+1))
		p.expect(fmt.Sprintf(". 1:1(0) ack %d win 0", right))
		p.readAll(c, right-1)
		p.until(patience, fmt.Sprintf(". 1:1(0) ack %d win>=1460", right))
		p.send(fmt.Sprintf("P. %d:%d(10)", right, right+10))
		p.readAt(c, right, 10)
	}},
	{name: "ACK in a zero window", o: options{buffer: 8192}, do: func(p *probe) {
		// RFC 9293 section 3.10.7.4: ACKs and RSTs are valid.
		c := p.open("mss 1000")
		right := p.closeWindow()
		p.write(c, 1, 100)
		p.expect(". 1:101(100)")
		p.send(fmt.Sprintf(". %d:%d(0) ack 101", right, right))
		p.silent(2 * moment) // nothing is sent again
		p.send(fmt.Sprintf("R %d:%d(0)", right, right))
		p.gone(right)
	}},
	{name: "right edge stays", o: options{buffer: 16384}, do: func(p *probe) {
		c := p.open("mss 1000")
		edge := int64(0)
		at := int64(1)
		for i := range 40 {
			p.send(fmt.Sprintf("P. %d:%d(%d)", at, at+int64(i*5+1), i*5+1))
			at += int64(i*5 + 1)
			s := p.acked(at)
			if right := s.ack + int64(s.Window)<<p.shift; right < edge {
				p.fatalf("the right edge moved left, from %d to %d", edge, right)
			} else {
				edge = right
			}
			if i%7 == 0 {
				p.readAny(c)
			}
		}
	}},
	{name: "no silly windows", o: options{buffer: 8192}, do: func(p *probe) {
		// RFC 9293 section 3.8.6.2.2: reading a byte opens no window of a byte.
		c := p.open("mss 1000")
		right := p.closeWindow()
		for i := range int64(100) {
			p.readAt(c, 1+i, 1)
		}
		p.pause()
		p.send(fmt.Sprintf(". %d:%d(0)", right-1, right-1))
		p.expect(fmt.Sprintf(". 1:1(0) ack %d win 0", right))
	}},
	{name: "window scale of the host", do: func(p *probe) {
		c := p.open("mss 1460, wscale 0")
		// More than 64 KB get in, in the end: the window opens as it is used.
		at, total := int64(1), int64(400000)
		edge := int64(1)
		for at <= total {
			for at+1400 <= edge {
				p.send(fmt.Sprintf(". %d:%d(1400)", at, at+1400))
				at += 1400
			}
			s := p.receive(patience)
			if s == nil && edge == 1 {
				p.send(". 0:0(0)")
				continue
			}
			if s == nil {
				p.fatalf("the window stays closed")
			}
			edge = max(edge, s.ack+int64(s.Window)<<p.shift)
			p.readAny(c)
			if at == 1 {
				p.send(". 1:1401(1400)")
				at = 1401
			}
		}
	}},
	{name: "urgent data", do: func(p *probe) {
		// Linux takes the urgent byte out of the stream, ftcp leaves it in (RFC 6093 section 6);
		// on the wire there is no difference.
		p.open("mss 1000")
		p.send("PU. 1:101(100) urg 100")
		p.acked(101)
		p.send("U. 101:101(0) urg 5")
		p.silent(moment)
		p.send("P. 101:201(100)")
		p.acked(201)
	}},
	{name: "data without ACK", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P 1:101(100)")
		p.silent(moment)
		p.unread(c)
		p.alive(c, 1)
	}},
	{name: "no flags", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("0 1:1(0)")
		p.send("0 1:11(10)")
		p.silent(moment)
		p.alive(c, 1)
	}},
	{name: "around 2^32", do: func(p *probe) {
		p.iss = -200 & 0xffffffff
		c := p.open("mss 1000, sackOK")
		for i := range int64(4) {
			p.send(fmt.Sprintf("P. %d:%d(90)", 1+90*i, 91+90*i))
			p.acked(91 + 90*i)
		}
		p.read(c, 360)
		p.alive(c, 361)
	}},
	{name: "segment across 2^32", do: func(p *probe) {
		p.iss = -50 & 0xffffffff
		c := p.open("mss 1000, sackOK, ts")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 101 <sack 1:101>")
		p.read(c, 100)
	}},
	{name: "SACK across 2^32", do: func(p *probe) {
		p.iss = -150 & 0xffffffff
		c := p.open("mss 1000, sackOK")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <sack 101:201>")
		p.send("P. 301:401(100)")
		p.expect(". 1:1(0) ack 1 <sack 301:401, sack 101:201>")
		p.send("P. 1:101(100)")
		p.expect(". 1:1(0) ack 201 <sack 301:401>")
		p.send("P. 201:301(100)")
		p.acked(401)
		p.read(c, 400)
	}},
	{name: "SYN at 2^32-1", do: func(p *probe) {
		p.iss = 0xffffffff
		p.alive(p.open("mss 1000"), 1)
	}},
	{name: "FIN at 2^32-1", do: func(p *probe) {
		p.iss = 0xffffffff - 11
		c := p.open("mss 1000")
		p.send("FP. 1:11(10)")
		p.acked(12)
		p.read(c, 10)
		p.eof(c)
	}},
	{name: "RST across 2^32", do: func(p *probe) {
		p.iss = -101 & 0xffffffff
		c := p.open("mss 1000")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.read(c, 100)
		p.send("R 100:100(0)")
		p.silent(moment)
		p.send("R 101:101(0)")
		p.broken(c)
	}},
	{name: "window across 2^32", o: options{buffer: 8192}, do: func(p *probe) {
		p.iss = -3000 & 0xffffffff
		c := p.open("mss 1000")
		right := p.closeWindow()
		p.send(fmt.Sprintf("P. %d:%d(100)", right, right+100))
		p.expect(fmt.Sprintf(". 1:1(0) ack %d win 0", right))
		p.readAll(c, right-1)
	}},
}

// within is acked, in a time that leaves no doubt that the ACK was not delayed.
func (f *flow) within(d time.Duration, ack int64) *segment {
	start := time.Now()
	s := f.acked(ack)
	if s.at.Sub(start) > d {
		f.p.fatalf("%v came after %v", s, s.at.Sub(start))
	}
	return s
}

// fill sends data in [from, to).
func (f *flow) fill(from, to int64) {
	for from < to {
		n := min(to-from, 1000)
		f.send(fmt.Sprintf("P. %d:%d(%d)", from, from+n, n))
		from += n
	}
}

// closeWindow sends as much as the host takes while nobody reads, and returns the right edge.
func (f *flow) closeWindow() (right int64) {
	f.send(". 0:0(0)")
	s := f.receive(patience)
	at := int64(1)
	for s != nil {
		right = s.ack + int64(s.Window)<<f.shift
		if right == at {
			return right
		}
		f.fill(at, right)
		at = right
		s = f.acked(at)
	}
	f.p.fatalf("no ACK")
	return 0
}

// readAll reads and compares n bytes, the first of our stream; 0: what is there.
func (p *probe) readAll(c conn, n int64) {
	if n > 0 {
		p.readAt(c, 1, int(n))
	} else {
		p.readAny(c)
	}
}

// readAny reads what is there.
func (p *probe) readAny(c conn) {
	b := make([]byte, 1<<20)
	for {
		c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		n, err := c.Read(b)
		if n == 0 || err != nil {
			return
		}
	}
}

// sendFIN sends a FIN without data.
func (f *flow) sendFIN(pos int64) { f.send(fmt.Sprintf("F. %d:%d(0)", pos, pos)) }
