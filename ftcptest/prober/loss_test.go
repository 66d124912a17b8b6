package prober

import (
	"fmt"
	"time"
)

// Retransmission: RFC 6298, RFC 5681, RFC 6675, RFC 8985.
var lossProbes = []probeCase{
	{name: "timeout and back-off", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 100)
		at := []time.Time{p.expect(". 1:101(100)").at}
		for range 3 {
			at = append(at, p.expectWithin(3*time.Second, ". 1:101(100)").at)
		}
		p.backsOff(at, 150*time.Millisecond, 3*time.Second)
		p.send(". 1:1(0)")
		p.alive(c, 1)
	}},
	{name: "timeout and back-off, SACK and timestamps", do: func(p *probe) {
		// The first is a tail loss probe (RFC 8985 section 7), or the timeout.
		c := p.open(stamped)
		p.write(c, 1, 100)
		p.expect(". 1:101(100)")
		at := []time.Time{p.expectWithin(3*time.Second, ". 1:101(100)").at}
		for range 3 {
			at = append(at, p.expectWithin(3*time.Second, ". 1:101(100)").at)
		}
		if d := at[3].Sub(at[2]); d < at[2].Sub(at[1])*16/10 {
			p.fatalf("no back-off: %v, then %v", at[2].Sub(at[1]), d)
		}
	}},
	{name: "timeout of a long round trip", do: func(p *probe) {
		// RFC 6298 (2.2): SRTT + 4*RTTVAR, three times the first sample.
		p.send("S 0:0(0) <mss 1000>")
		p.expect("S. 0:0(0) ack 1")
		p.silent(500 * time.Millisecond)
		p.send(". 1:1(0)")
		c := p.accept()
		p.write(c, 1, 100)
		s := p.expect(". 1:101(100)")
		if d := p.expectWithin(4*time.Second, ". 1:101(100)").at.Sub(s.at); d < 800*time.Millisecond {
			p.fatalf("again after %v, with a round trip of 500ms", d)
		}
	}},
	{name: "only the first after a timeout", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 5000)
		p.flight(5, 1000)
		p.expect(". 1:1001(1000)")
		p.expectWithin(3*time.Second, ". 1:1001(1000)")
		p.send(". 1:1(0) ack 1001")
		p.expect(". 1001:2001(1000)") // and then it is slow start
		p.drain(moment / 10)
		p.send(". 1:1(0) ack 5001")
		p.silent(moment)
	}},
	{name: "no retransmission of what is acknowledged", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 3000)
		p.flight(3, 1000)
		p.send(". 1:1(0) ack 2001")
		p.expect(". 2001:3001(1000)")
		p.send(". 1:1(0) ack 3001")
		p.silent(2 * moment)
	}},
	{name: "ACK in the middle of a segment", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 1000)
		p.expect(". 1:1001(1000)")
		p.send(". 1:1(0) ack 501")
		p.expect(". 501:1001(500)")
		p.send(". 1:1(0) ack 1001")
		p.silent(moment)
	}},
	{name: "three duplicate ACKs", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 10000)
		p.flight(10, 1000)
		p.duplicateACKs(3)
		p.expectWithin(100*time.Millisecond, ". 1:1001(1000)")
		p.send(". 1:1(0) ack 10001")
		p.silent(moment)
	}},
	{name: "two duplicate ACKs", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 10000)
		p.flight(10, 1000)
		p.duplicateACKs(2)
		p.silent(80 * time.Millisecond)
	}},
	{name: "limited transmit", do: func(p *probe) {
		// RFC 3042: each of the first two duplicate ACKs lets a new segment out. Linux would wait
		// for more to send, for a millisecond (tcp_tso_should_defer).
		c := p.open("mss 1000")
		p.write(c, 1, 20000)
		p.flight(10, 1000)
		p.silent(10 * time.Millisecond)
		p.duplicateACKs(1)
		p.expectWithin(100*time.Millisecond, ". 10001:11001(1000)")
		p.silent(10 * time.Millisecond)
		p.duplicateACKs(1)
		p.expectWithin(100*time.Millisecond, ". 11001:12001(1000)")
		p.duplicateACKs(1)
		p.until(100*time.Millisecond, ". 1:1001(1000)")
	}},
	{name: "duplicate ACKs that are none", do: func(p *probe) {
		// They carry data, or another window: RFC 5681 section 2.
		c := p.open("mss 1000")
		p.write(c, 1, 10000)
		p.flight(10, 1000)
		for i := range int64(4) {
			p.window -= 100
			p.send(fmt.Sprintf("P. %d:%d(10) ack 1", 1+10*i, 11+10*i))
		}
		for _, s := range p.drain(80 * time.Millisecond) {
			if len(s.payload) > 0 {
				p.fatalf("sent again: %v", s)
			}
		}
	}},
	{name: "partial acknowledgement", do: func(p *probe) {
		// RFC 6582: the next hole follows at once.
		c := p.open("mss 1000")
		p.write(c, 1, 10000)
		p.flight(10, 1000)
		p.duplicateACKs(8) // the first and the fifth are missing
		p.expectWithin(100*time.Millisecond, ". 1:1001(1000)")
		p.send(". 1:1(0) ack 4001")
		p.expectWithin(100*time.Millisecond, ". 4001:5001(1000)")
		p.send(". 1:1(0) ack 10001")
		p.silent(moment)
	}},
	{name: "SACK, the hole is sent again", do: func(p *probe) {
		c := p.open("mss 1000, sackOK")
		p.write(c, 1, 10000)
		p.flight(10, 1000)
		p.send(". 1:1(0) ack 1 <sack 1001:10001>")
		p.until(150*time.Millisecond, ". 1:1001(1000)")
		p.send(". 1:1(0) ack 10001")
		p.silent(moment)
	}},
	{name: "SACK, two holes", do: func(p *probe) {
		c := p.open("mss 1000, sackOK")
		p.write(c, 1, 10000)
		p.flight(10, 1000)
		p.send(". 1:1(0) ack 1 <sack 2001:3001>")
		p.send(". 1:1(0) ack 1001 <sack 4001:10001, sack 2001:3001>")
		sent := map[int64]bool{}
		for len(sent) < 2 {
			s := p.receive(patience)
			if s == nil || s.pos != 1001 && s.pos != 3001 || len(s.payload) != 1000 {
				p.fatalf("want 1001:2001 and 3001:4001 again, got %v", s)
			}
			sent[s.pos] = true
			if len(sent) == 1 {
				p.send(fmt.Sprintf(". 1:1(0) ack %d <sack 4001:10001>", map[bool]int{true: 3001, false: 1001}[s.pos == 1001]))
			}
		}
		p.send(". 1:1(0) ack 10001")
		p.silent(moment)
	}},
	{name: "SACK, timeout keeps to the holes", do: func(p *probe) {
		c := p.open("mss 1000, sackOK")
		p.write(c, 1, 5000)
		p.flight(5, 1000)
		p.send(". 1:1(0) ack 1 <sack 2001:4001>")
		for _, s := range p.drain(2 * time.Second) {
			if s.pos >= 2001 && s.pos < 4001 {
				p.fatalf("sent again, though it was reported: %v", s)
			}
		}
		p.send(". 1:1(0) ack 5001")
		p.silent(moment)
	}},
	{name: "SACK, reordering is waited for", do: func(p *probe) {
		// One segment arrived before another: RFC 8985 gives it a little time, RFC 6675 two more.
		c := p.open("mss 1000, sackOK")
		p.write(c, 1, 3000)
		p.expect(". 1:1001(1000)")
		p.expect(". 1001:2001(1000)")
		p.expect(". 2001:3001(1000)")
		p.send(". 1:1(0) ack 1 <sack 1001:2001>")
		p.send(". 1:1(0) ack 3001")
		for _, s := range p.drain(moment) {
			if s.pos == 2001 {
				p.fatalf("sent again: %v", s)
			}
		}
		p.alive(c, 1)
	}},
	{name: "SACK, nonsense", do: func(p *probe) {
		c := p.open("mss 1000, sackOK")
		p.write(c, 1, 3000)
		p.drain(moment / 10)
		for _, b := range []string{"90001:91001", "2001:1001", "1001:1001", "1001:900001", "-5000:-4000", "-5000:2000"} {
			p.send(". 1:1(0) ack 1 <sack " + b + ">")
		}
		p.drain(moment / 2)
		p.send(". 1:1(0) ack 3001")
		p.drain(moment / 2)
		p.alive(c, 1)
	}},
	{name: "tail loss probe", do: func(p *probe) {
		// RFC 8985 section 7: the last segment, before the timeout.
		c := p.open("mss 1000, sackOK")
		p.alive(c, 1) // a round trip is known
		p.write(c, 11, 3000)
		p.until(patience, ". 2011:3011(1000)")
		p.expect(". 2011:3011(1000)")
		p.send(". 11:11(0) ack 11 <sack 2011:3011>")
		p.until(patience, ". 11:1011(1000)")
		p.send(". 11:11(0) ack 3011")
	}},
	{name: "timestamps of a retransmission", do: func(p *probe) {
		c := p.open(stamped)
		p.write(c, 1, 100)
		a := p.expect(". 1:101(100)")
		b := p.expectWithin(3*time.Second, ". 1:101(100)")
		if int32(b.Options.TSVal-a.Options.TSVal) <= 0 {
			p.fatalf("the timestamp of the retransmission is not later: %v, %v", a, b)
		}
	}},
	{name: "retransmission acknowledges what came meanwhile", do: func(p *probe) {
		c := p.open("mss 1000")
		p.write(c, 1, 100)
		p.expect(". 1:101(100) ack 1")
		p.send("P. 1:51(50) ack 1")
		p.acked(51)
		p.until(3*time.Second, ". 1:101(100) ack 51")
	}},
	{name: "loss halves the window", do: func(p *probe) {
		c := p.open("mss 1000, sackOK, wscale 4")
		p.write(c, 1, 300000)
		p.flight(10, 1000)
		p.send(". 1:1(0) ack 10001")
		p.drain(20 * time.Millisecond)
		at := p.next // about 20 in flight
		p.send(fmt.Sprintf(". 1:1(0) ack 10001 <sack 11001:%d>", at))
		p.until(patience, ". 10001:11001(1000)")
		p.drain(20 * time.Millisecond)
		p.send(fmt.Sprintf(". 1:1(0) ack %d", p.next))
		before := p.next
		p.drain(20 * time.Millisecond)
		if n := (p.next - before) / 1000; n < 3 || n > 17 {
			p.fatalf("%d segments after a loss with %d in flight", n, (at-10001)/1000)
		}
	}},
	{name: "restart after a timeout", do: func(p *probe) {
		// RFC 5681 section 3.1: one segment, and slow start.
		c := p.open("mss 1000")
		p.write(c, 1, 30000)
		p.flight(10, 1000)
		p.expect(". 1:1001(1000)")
		p.send(". 1:1(0) ack 10001")
		p.drain(50 * time.Millisecond)
		if n := (p.next - 10001) / 1000; n < 1 || n > 12 {
			p.fatalf("%d segments after a timeout", n)
		}
	}},
}

// duplicateACKs sends ACKs that say nothing new.
func (f *flow) duplicateACKs(n int) {
	for range n {
		f.send(". 1:1(0) ack 1")
	}
}
