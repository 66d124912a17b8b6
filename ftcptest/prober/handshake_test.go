package prober

import (
	"fmt"
	"time"
)

// synAck is a probe of what a SYN is answered with.
func synAck(name, syn, want string) probeCase {
	return probeCase{name: name, do: func(p *probe) {
		p.send(syn)
		p.expect(want)
		p.send("R 1:1(0)")
	}}
}

// refused is a probe of what a segment to a closed port is answered with; empty: with nothing.
func refused(name, sent, want string) probeCase {
	return probeCase{name: "closed port, " + name, do: func(p *probe) {
		p.l.close()
		p.synced, p.irs = true, 0 // numbers of the host's are as on the wire
		p.send(sent)
		if want == "" {
			p.silent(moment)
		} else {
			p.expect(want)
			p.silent(moment)
		}
	}}
}

// ignored is a probe of a segment to a listener that is answered with nothing, and does no harm.
func ignored(name, sent string) probeCase {
	return probeCase{name: "listener, " + name, do: func(p *probe) {
		p.send(sent)
		p.silent(moment)
		f := p.another()
		f.connect("mss 1000")
		f.alive(p.accept(), 1)
	}}
}

var handshakeProbes = []probeCase{
	{name: "all options", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1460, sackOK, ts 77 ecr 0, wscale 7>")
		s := p.expect("S. 0:0(0) ack 1 <sackOK, ts 0 ecr 77>")
		if !s.Options.HasWindowScale || s.Options.MSS == 0 {
			p.fatalf("options are missing: %v", s)
		}
	}},
	synAck("no options", "S 0:0(0) <raw>", "S. 0:0(0) ack 1 <no wscale, no sackOK, no ts>"),
	synAck("timestamps only", "S 0:0(0) <ts 5 ecr 0>", "S. 0:0(0) ack 1 <ts 0 ecr 5, no wscale, no sackOK>"),
	synAck("window scale only", "S 0:0(0) <wscale 2>", "S. 0:0(0) ack 1 <no ts, no sackOK>"),
	synAck("SACK only", "S 0:0(0) <sackOK>", "S. 0:0(0) ack 1 <sackOK, no ts, no wscale>"),
	synAck("options unaligned", "S 0:0(0) <raw 030307080a0000000500000000010402020405b4>", "S. 0:0(0) ack 1 <sackOK, ts 0 ecr 5>"),
	synAck("unknown options", "S 0:0(0) <raw fe06aaaabbbb2202020405b4ff040102080a0000000500000000>", "S. 0:0(0) ack 1 <ts 0 ecr 5, no sackOK>"),
	synAck("option of no length", "S 0:0(0) <raw 0402fe00080a0000000500000000>", "S. 0:0(0) ack 1 <sackOK, no ts>"),
	synAck("option of length one", "S 0:0(0) <raw 0402fe01080a0000000500000000>", "S. 0:0(0) ack 1 <sackOK, no ts>"),
	synAck("option cut off", "S 0:0(0) <raw 0402080a00000005>", "S. 0:0(0) ack 1 <sackOK, no ts>"),
	synAck("options behind the end", "S 0:0(0) <raw 040200080a0000000500000000>", "S. 0:0(0) ack 1 <sackOK, no ts>"),
	synAck("known option of a wrong length", "S 0:0(0) <raw 0403000809000000050000000303070000>", "S. 0:0(0) ack 1 <no sackOK, no ts>"),
	synAck("SACK blocks in a SYN", "S 0:0(0) <raw 0402050a0000000100000002>", "S. 0:0(0) ack 1 <sackOK, no sack>"),
	synAck("forty bytes of NOP", "S 0:0(0) <raw 01010101010101010101010101010101010101010101010101010101010101010101010101010101>", "S. 0:0(0) ack 1"),
	{name: "MSS of the host", only: 4, do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1 <mss 1460>")
	}},
	{name: "MSS of the host, IPv6", only: 6, do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1 <mss 1440>")
	}},
	{name: "window of the SYN-ACK", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000, wscale 9>")
		p.expect("S. 0:0(0) ack 1 win>=2920")
	}},
	{name: "SYN with data", do: func(p *probe) {
		// RFC 9293 lets the data wait, without TCP Fast Open nobody takes it.
		p.send("S 0:10(10) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		p.send(". 1:1(0)")
		c := p.accept()
		p.send("P. 1:21(20)")
		p.read(c, 20)
	}},
	ignored("SYN and FIN", "SF 0:0(0) <mss 1000>"),
	ignored("SYN and RST", "SR 0:0(0) <mss 1000>"),
	ignored("RST", "R 0:0(0)"),
	ignored("RST and ACK", "R. 0:0(0) ack 1"),
	ignored("FIN", "F 0:0(0)"),
	ignored("no flags", "0 0:0(0)"),
	ignored("data without flags", "P 0:10(10)"),
	ignored("FIN, PSH and URG", "FPU 0:0(0)"),
	{name: "listener, ACK", do: func(p *probe) {
		p.send(". 1:1(0) ack 5000")
		p.synced = true
		p.expect("R 5000:5000(0)")
	}},
	{name: "listener, ACK and data", do: func(p *probe) {
		p.synced = true
		p.send("P. 1:101(100) ack 5000")
		p.expect("R 5000:5000(0)")
	}},
	{name: "listener, SYN and ACK", do: func(p *probe) {
		p.synced = true
		p.send("S. 0:0(0) ack 5000")
		p.expect("R 5000:5000(0)")
	}},
	{name: "listener, FIN and ACK", do: func(p *probe) {
		p.synced = true
		p.send("F. 0:0(0) ack 5000")
		p.expect("R 5000:5000(0)")
	}},
	refused("SYN", "S 0:0(0) <mss 1000>", "R. 0:0(0) ack 1 win 0 <no ts, no mss>"),
	refused("SYN with data", "S 0:10(10)", "R. 0:0(0) ack 11 win 0"),
	refused("ACK", ". 1:1(0) ack 700", "R 700:700(0) win 0"),
	refused("ACK and data", "P. 1:101(100) ack 700", "R 700:700(0) win 0"),
	refused("FIN", "F 0:0(0)", "R. 0:0(0) ack 1"),
	refused("FIN and ACK", "F. 0:0(0) ack 700", "R 700:700(0)"),
	refused("no flags", "0 0:0(0)", "R. 0:0(0) ack 0"),
	refused("data without flags", "P 0:10(10)", "R. 0:0(0) ack 10"),
	refused("FIN, PSH and URG", "FPU 0:0(0)", "R. 0:0(0) ack 1"),
	refused("SYN and FIN", "SF 0:0(0)", "R. 0:0(0) ack 2"),
	refused("SYN and ACK", "S. 0:0(0) ack 700", "R 700:700(0)"),
	refused("RST", "R 0:0(0)", ""),
	refused("RST and ACK", "R. 0:0(0) ack 7", ""),
	refused("SYN and RST", "SR 0:0(0)", ""),

	{name: "SYN again", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000, sackOK, ts 9 ecr 0>")
		a := p.expect("S. 0:0(0) ack 1 <ts 0 ecr 9>")
		p.send("S 0:0(0) <mss 1000, sackOK, ts 9 ecr 0>")
		b := p.expect("S. 0:0(0) ack 1 <sackOK, ts 0 ecr 9>")
		if a.Seq != b.Seq || a.Options.MSS != b.Options.MSS {
			p.fatalf("another SYN-ACK: %v, then %v", a, b)
		}
	}},
	{name: "SYN-ACK again and again", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		at := []time.Time{p.expect("S. 0:0(0) ack 1").at}
		for range 2 {
			at = append(at, p.expectWithin(7*time.Second, "S. 0:0(0) ack 1").at)
		}
		p.backsOff(at, 900*time.Millisecond, 3*time.Second)
		p.send(". 1:1(0)")
		p.alive(p.accept(), 1)
	}},
	{name: "wrong ACK in SYN-RECEIVED", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		for _, ack := range []int64{0, 2, 90000} {
			p.send(fmt.Sprintf(". 1:1(0) ack %d", ack))
			p.expect(fmt.Sprintf("R %d:%d(0)", ack, ack))
		}
		p.send(". 1:1(0)") // and the right one
		p.alive(p.accept(), 1)
	}},
	{name: "RST in SYN-RECEIVED", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		p.send("R 1:1(0)")
		p.silent(moment)
		p.send(". 1:1(0)")
		p.expect("R 1:1(0)")
	}},
	{name: "RST far away in SYN-RECEIVED", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		p.send("R 100000:100000(0)")
		p.silent(moment)
		p.send(". 1:1(0)")
		p.alive(p.accept(), 1)
	}},
	{name: "third ACK with data", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		p.send("P. 1:101(100)")
		c := p.accept()
		p.read(c, 100)
		p.acked(101)
	}},
	{name: "third ACK lost", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		p.send("P. 101:201(100)") // and the first data, too
		p.expect(". 1:1(0) ack 1")
		p.send("P. 1:101(100)")
		p.acked(201)
		p.read(p.accept(), 200)
	}},
	{name: "third ACK with data and FIN", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		p.send("FP. 1:101(100)")
		c := p.accept()
		p.read(c, 100)
		p.eof(c)
		p.acked(102)
		p.write(c, 1, 100)
		p.until(patience, ". 1:101(100) ack 102")
	}},
	{name: "SYN-ACK after the third ACK", do: func(p *probe) {
		// The peer did not get it, and repeats its SYN: RFC 9293 section 3.10.7.4, RFC 5961 section 4.
		c := p.open("mss 1000")
		p.send("S 0:0(0) <mss 1000>")
		p.expect(". 1:1(0) ack 1")
		p.alive(c, 1)
	}},
	{name: "ECN", do: func(p *probe) {
		// RFC 3168 section 6.1.1. Linux does it for those who ask (tcp_ecn = 2).
		p.send("SEW 0:0(0) <mss 1000>")
		p.expect("S.E 0:0(0) ack 1")
	}},
	synAck("no ECN", "S 0:0(0) <mss 1000>", "S. 0:0(0) ack 1"),
	synAck("half of ECN", "SE 0:0(0) <mss 1000>", "S. 0:0(0) ack 1"),
	synAck("SYN with PSH and URG", "SPU 0:0(0) <mss 1000>", "S. 0:0(0) ack 1"),
	{name: "reserved bits", do: func(p *probe) {
		p.sendEdited("S 0:0(0) <mss 1000>", func(b []byte) { b[12] |= 0x0e }, nil)
		p.expect("S. 0:0(0) ack 1")
		p.sendEdited("P. 1:11(10)", func(b []byte) { b[12] |= 0x0e }, nil)
		p.read(p.accept(), 10)
	}},
	{name: "two SYN-ACKs have different numbers", do: func(p *probe) {
		p.send("S 0:0(0) <mss 1000>")
		a := p.expect("S. 0:0(0) ack 1")
		f := p.another()
		f.iss = p.iss
		f.send("S 0:0(0) <mss 1000>")
		if b := f.expect("S. 0:0(0) ack 1"); a.Seq == b.Seq {
			p.fatalf("two connections start with %d", a.Seq)
		}
	}},
	{name: "small MSS", do: func(p *probe) {
		c := p.open("mss 100")
		p.write(c, 1, 1000)
		p.largest(100, 100)
	}},
	{name: "small MSS and timestamps", do: func(p *probe) {
		// RFC 6691: options count as data.
		c := p.open("mss 120, ts")
		p.write(c, 1, 1000)
		p.largest(108, 108)
	}},
	{name: "no MSS", do: func(p *probe) {
		c := p.open("sackOK")
		p.write(c, 1, 5000)
		p.largest(p.defaultMSS(), p.defaultMSS())
	}},
	{name: "MSS of nothing", do: func(p *probe) {
		c := p.open("raw 02040000")
		p.write(c, 1, 5000)
		p.largest(p.defaultMSS(), p.defaultMSS())
	}},
	{name: "MSS of one", do: func(p *probe) {
		// Nobody goes so low; the connection works.
		c := p.open("mss 1")
		p.write(c, 1, 1000)
		p.largest(1, 100)
	}},
	{name: "MSS of 65535", do: func(p *probe) {
		c := p.open("mss 65535")
		p.write(c, 1, 5000)
		p.largest(1400, 1460)
	}},
	{name: "window scale of 15", do: func(p *probe) {
		// RFC 7323 section 2.3: it counts as 14.
		p.windowed("mss 1460, wscale 15", 1, 1<<14)
	}},
	{name: "window scale of 3", do: func(p *probe) { p.windowed("mss 1460, wscale 3", 2000, 16000) }},
	{name: "window without scale", do: func(p *probe) { p.windowed("mss 1460", 16000, 16000) }},
	{name: "timestamps on every segment", do: func(p *probe) {
		c := p.open("mss 1000, ts, sackOK")
		p.send("P. 1:101(100)")
		p.acked(101)
		p.write(c, 1, 5000)
		for p.next < 5001 {
			if s := p.receive(patience); s == nil || !s.Options.HasTimestamps {
				p.fatalf("without timestamps: %v", s)
			}
			p.send(". 101:101(0)")
		}
		c.CloseWrite()
		p.until(patience, "F. 5001:5001(0) <ts>")
	}},
	{name: "no timestamps unless agreed", do: func(p *probe) {
		c := p.open("mss 1000")
		p.send("P. 1:101(100) <ts 5 ecr 0>")
		p.read(c, 100)
		p.write(c, 1, 100)
		p.until(patience, ". 1:101(100) ack 101 <no ts>")
	}},
	{name: "no SACK unless agreed", do: func(p *probe) {
		p.open("mss 1000")
		p.send("P. 101:201(100)")
		p.expect(". 1:1(0) ack 1 <no sack>")
	}},
}

// largest expects data in segments of at most most bytes, and the first of at least least.
func (f *flow) largest(least, most int) {
	s := f.receive(patience)
	if s == nil || len(s.payload) > most || len(s.payload) < least {
		f.p.fatalf("want a segment of %d to %d bytes, got %v", least, most, s)
	}
	for _, s := range f.drain(moment / 2) {
		if len(s.payload) > most {
			f.p.fatalf("want no more than %d bytes, got %v", most, s)
		}
	}
}

// windowed expects the host to fill a window, advertised as field, and not to send more.
func (p *probe) windowed(opts string, field, window int) {
	c := p.open(opts)
	p.window = uint16(field)
	p.send(". 1:1(0)")
	p.write(c, 1, 400000)
	full := 0
	for acked := int64(1); acked < 300000 && full < window-2*1460; {
		s := p.receive(50 * time.Millisecond)
		if s == nil && acked == p.next {
			s = p.receive(patience)
			if s == nil {
				p.fatalf("stopped at %d", p.next)
			}
		}
		if s == nil {
			acked = p.next
			p.send(". 1:1(0)")
			continue
		}
		p.verify(s)
		out := int(s.end() - acked)
		if out > window {
			p.fatalf("%v is %d bytes beyond the window", s, out-window)
		}
		full = max(full, out)
	}
	if full < window-2*1460 {
		p.fatalf("at most %d bytes in flight, in a window of %d", full, window)
	}
}

// defaultMSS is what a peer that does not say has: RFC 9293 section 3.7.1.
func (p *probe) defaultMSS() int {
	if p.o.v6 {
		return 1220
	}
	return 536
}

// backsOff expects the intervals between times to grow by about two, and the first in a range.
func (p *probe) backsOff(at []time.Time, least, most time.Duration) {
	for i := 1; i < len(at); i++ {
		d := at[i].Sub(at[i-1])
		if i == 1 && (d < least || d > most) {
			p.fatalf("again after %v; want %v to %v", d, least, most)
		}
		if i > 1 {
			if r := float64(d) / float64(at[i-1].Sub(at[i-2])); r < 1.6 || r > 2.5 {
				p.fatalf("again after %v, then after %v", at[i-1].Sub(at[i-2]), d)
			}
		}
	}
}
