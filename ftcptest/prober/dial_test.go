package prober

import (
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Active opens: RFC 9293 sections 3.5 and 3.10.7.3.
var dialProbes = []probeCase{
	{name: "SYN", do: func(p *probe) {
		syn, done := p.dial()
		o := &syn.Options
		if o.MSS < 1400 || !o.HasWindowScale || !o.SACKPermitted || !o.HasTimestamps || len(syn.payload) > 0 || syn.Ack != 0 || syn.Window == 0 {
			p.fatalf("%v", syn)
		}
		p.ts = true
		p.send("S. 0:0(0) <mss 1000, sackOK, ts, wscale 5>")
		p.expect(". 1:1(0) ack 1 <ts 0 ecr 1000>")
		p.alive(p.established(done), 1)
	}},
	{name: "SYN-ACK without options", do: func(p *probe) {
		_, done := p.dial()
		p.send("S. 0:0(0) <mss 1000>")
		p.shift = 0
		p.expect(". 1:1(0) ack 1 <no ts>")
		c := p.established(done)
		p.alive(c, 1)
		p.send("P. 21:31(10)")
		p.expect(". 11:11(0) ack 11 <no sack, no ts>")
	}},
	{name: "SYN again and again", do: func(p *probe) {
		syn, done := p.dial()
		at := []time.Time{syn.at}
		for range 2 {
			at = append(at, p.expectWithin(7*time.Second, "S 0:0(0)").at)
		}
		// Linux sends the first few in even intervals (tcp_syn_linear_timeouts).
		if d := at[1].Sub(at[0]); d < 900*time.Millisecond || d > 3*time.Second {
			p.fatalf("again after %v", d)
		}
		p.send("S. 0:0(0) <mss 1000>")
		p.expect(". 1:1(0) ack 1")
		p.established(done)
	}},
	{name: "refused", do: func(p *probe) {
		_, done := p.dial()
		p.send("R. 0:0(0) ack 1")
		if d := p.dialed(done); d.err == nil {
			p.fatalf("connected")
		}
		p.silent(moment)
	}},
	{name: "RST without ACK", do: func(p *probe) {
		_, done := p.dial()
		p.send("R 0:0(0)")
		p.send("R 1:1(0)")
		p.silent(moment)
		p.send("S. 0:0(0) <mss 1000>")
		p.expect(". 1:1(0) ack 1")
		p.established(done)
	}},
	{name: "RST of another number", do: func(p *probe) {
		_, done := p.dial()
		p.send("R. 0:0(0) ack 0")
		p.send("R. 0:0(0) ack 2")
		p.drain(moment)
		p.send("S. 0:0(0) <mss 1000>")
		p.until(patience, ". 1:1(0) ack 1")
		p.established(done)
	}},
	{name: "SYN-ACK of another number", do: func(p *probe) {
		_, done := p.dial()
		p.send("S. 0:0(0) ack 5000 <mss 1000>")
		p.expect("R 5000:5000(0)")
		p.send("S. 0:0(0) ack 0 <mss 1000>")
		p.until(patience, "R 0:0(0)")
		p.send("S. 0:0(0) <mss 1000>")
		p.until(patience, ". 1:1(0) ack 1")
		p.established(done)
	}},
	{name: "ACK of another number", do: func(p *probe) {
		_, done := p.dial()
		p.send(". 0:0(0) ack 5000")
		p.expect("R 5000:5000(0)")
		p.send("S. 0:0(0) <mss 1000>")
		p.until(patience, ". 1:1(0) ack 1")
		p.established(done)
	}},
	{name: "ACK without SYN", do: func(p *probe) {
		_, done := p.dial()
		p.send(". 0:0(0) ack 1")
		p.send("F. 0:0(0) ack 1")
		p.send("F 0:0(0)")
		p.send("0 0:0(0)")
		p.silent(moment)
		p.send("S. 0:0(0) <mss 1000>")
		p.expect(". 1:1(0) ack 1")
		p.established(done)
	}},
	{name: "SYN-ACK again", do: func(p *probe) {
		_, done := p.dial()
		p.send("S. 0:0(0) <mss 1000>")
		p.expect(". 1:1(0) ack 1")
		c := p.established(done)
		p.send("S. 0:0(0) <mss 1000>")
		p.expect(". 1:1(0) ack 1")
		p.shift = 0
		p.alive(c, 1)
	}},
	{name: "SYN-ACK with data", do: func(p *probe) {
		// RFC 9293 takes it, Linux only with TCP Fast Open; the peer repeats it.
		_, done := p.dial()
		p.send("S. 0:10(10) <mss 1000>")
		if s := p.receive(patience); s == nil || s.Flags&wire.RST != 0 || s.ack != 1 && s.ack != 11 {
			p.fatalf("want ack 1 or 11, got %v", s)
		}
		c := p.established(done)
		p.send("P. 1:11(10)")
		p.acked(11)
		p.read(c, 10)
	}},
	{name: "simultaneous", do: func(p *probe) {
		_, done := p.dial()
		p.shift = 0
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		p.send("S. 0:0(0) ack 1 <mss 1000>")
		c := p.established(done)
		p.drain(moment / 3)
		p.alive(c, 1)
	}},
	{name: "simultaneous, then an ACK", do: func(p *probe) {
		_, done := p.dial()
		p.shift = 0
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		p.send(". 1:1(0) ack 1")
		p.alive(p.established(done), 1)
	}},
	{name: "window scale of the peer", do: func(p *probe) {
		_, done := p.dial()
		p.window = 5000
		p.send("S. 0:0(0) <mss 1000, wscale 1>")
		p.expect(". 1:1(0) ack 1")
		c := p.established(done)
		p.write(c, 1, 50000)
		p.drain(moment / 3)
		if p.next != 5001 { // the window of a SYN is not scaled
			p.fatalf("%d bytes in a window of 5000", p.next-1)
		}
		p.send(". 1:1(0)")
		p.drain(moment / 3)
		if p.next != 15001 {
			p.fatalf("%d bytes in a window of 15000", p.next-1)
		}
	}},
	{name: "port unreachable", do: func(p *probe) {
		syn, done := p.dial()
		p.unreachable(syn, portUnreachable)
		if d := p.dialed(done); d.err == nil {
			p.fatalf("connected")
		}
	}},
	{name: "host unreachable", do: func(p *probe) {
		syn, done := p.dial()
		p.unreachable(syn, hostUnreachable)
		if d := p.dialed(done); d.err == nil {
			p.fatalf("connected")
		}
	}},
	{name: "port unreachable for another segment", do: func(p *probe) {
		syn, done := p.dial()
		other := *syn
		other.Seq += 1000
		p.unreachable(&other, portUnreachable)
		p.silent(moment)
		p.send("S. 0:0(0) <mss 1000>")
		p.expect(". 1:1(0) ack 1")
		p.established(done)
	}},
	{name: "ports and numbers differ", do: func(p *probe) {
		a, _ := p.dial()
		f := p.another()
		go func() {
			if l, err := p.host.dial(p.context(), f.addrPort()); err == nil {
				l.Close()
			}
		}()
		b := f.expect("S 0:0(0)")
		if a.SrcPort == b.SrcPort || a.Seq == b.Seq {
			p.fatalf("%d and %d, %d and %d", a.SrcPort, b.SrcPort, a.Seq, b.Seq)
		}
		p.send("R. 0:0(0) ack 1")
		f.send("R. 0:0(0) ack 1")
	}},
	{name: "close in SYN-RECEIVED", do: func(p *probe) {
		_, done := p.dial()
		p.send("S. 0:0(0) <mss 1000>")
		p.expect(". 1:1(0) ack 1")
		c := p.established(done)
		c.Close()
		p.expect("F. 1:1(0) ack 1")
		p.send("F. 1:1(0) ack 2")
		p.expect(". 2:2(0) ack 2")
	}},
}
