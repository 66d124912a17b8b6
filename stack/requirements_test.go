package stack_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// Requirements of RFC 9293 that the core cannot meet alone: see tcp/rfc9293.md.

var attackerPort = netip.AddrPortFrom(attackerAddr, 1024)

// open opens a connection from the attacker and returns the server's end, and the server's initial sequence number. The
// attacker's is 99.
func (a *attacker) open(l *stack.Listener, options wire.Options) (*stack.Conn, uint32) {
	a.t.Helper()
	a.segment(attackerPort, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 65535, Options: options}, "")
	answers := a.answers()
	if len(answers) != 1 || answers[0].tcp.Flags != wire.SYN|wire.ACK {
		a.t.Fatalf("answered %+v", answers)
	}
	iss := answers[0].tcp.Seq
	a.segment(attackerPort, wire.TCP{Seq: 100, Ack: iss + 1, Flags: wire.ACK, Window: 65535}, "")
	c, err := l.Accept()
	if err != nil {
		a.t.Fatal(err)
	}
	return c, iss
}

func state(c *stack.Conn) (s tcp.State) {
	c.View(func(core *tcp.Core) { s = core.State() })
	return s
}

// A peer that does not say how large its segments may be gets the default of its version of IP, also if only a
// cookie remembers it.
func TestDefaultMSS(t *testing.T) {
	for _, test := range []struct {
		name     string
		src, dst string
		backlog  int
		want     int
	}{
		{"IPv4", "10.0.0.66:1024", "10.0.0.1:80", 0, 536},
		{"IPv6", "[fd00::66]:1024", "[fd00::1]:80", 0, 1220},
		{"IPv4, cookie", "10.0.0.66:1024", "10.0.0.1:80", 1, 536},
		{"IPv6, cookie", "[fd00::66]:1024", "[fd00::1]:80", 1, 1220},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, dst := netip.MustParseAddrPort(test.src), netip.MustParseAddrPort(test.dst)
				b := &bench{t: t, net: &ftcptest.Network{}, server: stack.New(stack.Config{Backlog: test.backlog}), client: stack.New(stack.Config{})}
				defer b.close()
				service := b.net.Port("server")
				if _, err := b.server.AddLink(service, stack.LinkConfig{Addr: dst.Addr()}); err != nil {
					t.Fatal(err)
				}
				l, err := b.server.Listen(dst)
				if err != nil {
					t.Fatal(err)
				}
				a := &attacker{bench: b, port: b.net.Port("attacker"), mac: service.Features().MAC}
				time.Sleep(10 * time.Second) // the announcements are over
				a.answers()
				send := func(src netip.AddrPort, h wire.TCP) {
					payload := segment(src, dst, h, "")
					typ := wire.EtherTypeIPv4
					if src.Addr().Is6() {
						typ = wire.EtherTypeIPv6
					}
					ip := wire.IP{Src: src.Addr(), Dst: dst.Addr(), Proto: wire.ProtoTCP, TTL: 64}
					a.send(append(ip.Append(a.ethernet(typ), len(payload)), payload...))
				}
				if test.backlog > 0 {
					send(netip.AddrPortFrom(src.Addr(), 1), wire.TCP{Flags: wire.SYN, Window: 65535}) // fills it
					a.answers()
				}
				send(src, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 65535})
				synAck := a.answers()
				if len(synAck) != 1 {
					t.Fatalf("answered %+v", synAck)
				}
				if mss, want := int(synAck[0].tcp.Options.MSS), 1500-synAck[0].ip.HeaderLen-20; mss != want {
					t.Errorf("the server takes %d; want %d", mss, want)
				}
				a.counted("Cookies", &b.server.Stats.Cookies, uint64(test.backlog))
				send(src, wire.TCP{Seq: 100, Ack: synAck[0].tcp.Seq + 1, Flags: wire.ACK, Window: 65535})
				c, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				c.Write(make([]byte, 3*test.want))
				var sizes []int
				for _, f := range a.answers() {
					sizes = append(sizes, f.length-f.ip.HeaderLen-f.tcp.Len())
				}
				if want := []int{test.want, test.want, test.want}; !slices.Equal(sizes, want) {
					t.Errorf("segments of %d; want %d", sizes, want)
				}
			})
		})
	}
}

// Initial sequence numbers follow a clock of 4 microseconds, and from elsewhere one cannot know where.
func TestInitialSequence(t *testing.T) {
	iss := func(t *testing.T, key byte, src netip.AddrPort, after time.Duration) (n uint32) {
		hostile(t, stack.Config{Key: [32]byte{key}}, func(t *testing.T, a *attacker) {
			a.listen()
			time.Sleep(after)
			a.segment(src, wire.TCP{Flags: wire.SYN, Window: 1000}, "")
			n = a.answers()[0].tcp.Seq
		})
		return n
	}
	first := iss(t, 1, attackerPort, 0)
	if later := iss(t, 1, attackerPort, time.Second); later-first != 250_000 {
		t.Errorf("%d ticks in a second; want 250000", later-first)
	}
	for name, other := range map[string]uint32{
		"port":    iss(t, 1, netip.AddrPortFrom(attackerAddr, 1025), 0),
		"address": iss(t, 1, netip.AddrPortFrom(attackerAddr.Next(), 1024), 0),
		"key":     iss(t, 2, attackerPort, 0),
	} {
		if d := int32(other - first); -1<<16 < d && d < 1<<16 {
			t.Errorf("with another %s the number is only %d away", name, d)
		}
	}
}

// No ICMP error ends a connection that is established, also if it quotes what is in flight; and what RFC 9293 section
// 3.9.2.2 calls soft, but for those that say that there is no way, ends no attempt either.
func TestSoftErrors(t *testing.T) {
	unreachable := func(code uint8) wire.ICMP { return wire.ICMP{Type: wire.ICMPUnreachable, Code: code} }
	messages := []wire.ICMP{
		unreachable(0), unreachable(1), unreachable(2), unreachable(3), unreachable(5), unreachable(13),
		{Type: 4}, // source quench
		{Type: wire.ICMPTimeExceeded}, {Type: wire.ICMPTimeExceeded, Code: 1},
		{Type: wire.ICMPParameterProblem},
	}
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		c, iss := a.open(a.listen(), wire.Options{MSS: 1460})
		c.Write(make([]byte, 1000))
		if n := len(a.answers()); n != 1 {
			t.Fatalf("%d segments", n)
		}
		h := wire.IP{Src: serverAddr.Addr(), Dst: attackerAddr, Proto: wire.ProtoTCP, TTL: 60}
		quoted := segment(serverAddr, attackerPort, wire.TCP{Seq: iss + 1, Ack: 100, Flags: wire.ACK}, "")
		for _, m := range messages {
			m.Body = append(h.Append(nil, len(quoted)), quoted...)
			a.send(a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoICMP}, m.Append(nil, attackerAddr, serverAddr.Addr())))
		}
		a.silence()
		a.counted("BadICMP", &a.server.Stats.BadICMP, 0)
		if s := state(c); s != tcp.Established {
			t.Errorf("%v", s)
		}
	})
	for _, m := range messages[6:] {
		hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
			a.listen()
			a.segment(attackerPort, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 1000}, "")
			synAck := a.answers()[0].tcp
			h := wire.IP{Src: serverAddr.Addr(), Dst: attackerAddr, Proto: wire.ProtoTCP, TTL: 60}
			quoted := segment(serverAddr, attackerPort, synAck, "")
			m.Body = append(h.Append(nil, len(quoted)), quoted...)
			a.send(a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoICMP}, m.Append(nil, attackerAddr, serverAddr.Addr())))
			a.silence()
			if n := len(a.server.Conns()); n != 1 {
				t.Errorf("type %d ended an attempt", m.Type)
			}
		})
	}
}

// Segments to many are not answered, whoever sends them.
func TestToMany(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		a.listen()
		for _, dst := range []string{"224.0.0.1:80", "255.255.255.255:80", "10.255.255.255:80"} {
			dst := netip.MustParseAddrPort(dst)
			for _, flags := range []wire.Flags{wire.SYN, wire.ACK} {
				b := segment(attackerPort, dst, wire.TCP{Seq: 99, Ack: 1, Flags: flags, Window: 1000}, "")
				a.send(a.ip(wire.IP{Src: attackerAddr, Dst: dst.Addr(), Proto: wire.ProtoTCP}, b))
			}
		}
		a.silence()
		if n := len(a.server.Conns()); n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}

// A connection to many is refused by the call.
func TestDialMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n ftcptest.Network
		defer n.Close()
		client := stack.New(stack.Config{})
		defer client.Close()
		link, err := client.AddLink(n.Port("client"), stack.LinkConfig{
			Addr: clientAddr.Addr(), Prefix: netip.MustParsePrefix("10.0.0.0/24"), NextHop: by(serverAddr.Addr()),
		})
		if err != nil {
			t.Fatal(err)
		}
		for remote, want := range map[string]error{
			"224.0.0.1:80":       errno.NetUnreachable,
			"255.255.255.255:80": errno.NetUnreachable,
			"10.0.0.255:80":      errno.NetUnreachable,
			"0.0.0.0:80":         errno.NetUnreachable,
			"[ff02::1]:80":       errno.NetUnreachable,
			"10.0.1.255:80":      errno.HostUnreachable, // of another network: its prefix may be larger
		} {
			_, err := client.Dial(context.Background(), link, clientAddr, netip.MustParseAddrPort(remote))
			if !errors.Is(err, want) {
				t.Errorf("%s: %v; want %v", remote, err, want)
			}
		}
	})
}

// A listener does not mind a connection of its port that is being opened, nor that one it.
func TestListenWhileOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &ftcptest.Network{Faults: ftcptest.Faults{Delay: time.Second}})
		defer b.close()
		serve := b.listen()
		local := netip.AddrPortFrom(clientAddr.Addr(), 4000)
		dialing := make(chan error, 1)
		go func() {
			_, err := b.client.Dial(context.Background(), b.link, local, serverAddr)
			dialing <- err
		}()
		synctest.Wait() // SYN-SENT, or the question for the neighbour
		l, err := b.client.Listen(local)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.client.Listen(local); !errors.Is(err, errno.AddrInUse) {
			t.Errorf("a second Listen: %v", err)
		}
		if err := <-dialing; err != nil {
			t.Error(err)
		}
		if _, err := serve.Accept(); err != nil {
			t.Error(err)
		}
		l.Close()
	})
}

// The time to live is the configuration's.
func TestTTL(t *testing.T) {
	for _, test := range []struct{ set, want uint8 }{{0, 64}, {7, 7}} {
		hostile(t, stack.Config{TTL: test.set}, func(t *testing.T, a *attacker) {
			a.listen()
			a.segment(attackerPort, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 1000}, "")
			if got := a.answers()[0].ip.TTL; got != test.want {
				t.Errorf("TTL %d; want %d", got, test.want)
			}
		})
	}
}

// The Diffserv field is the configuration's from the first segment on, and the user can change it. It leaves ECN its bits.
func TestTrafficClass(t *testing.T) {
	hostile(t, stack.Config{TrafficClass: 0xc3}, func(t *testing.T, a *attacker) {
		l := a.listen()
		sent := func(when string, want uint8) {
			t.Helper()
			frames := a.answers()
			if len(frames) == 0 {
				t.Errorf("%s: nothing was sent", when)
			}
			for _, f := range frames {
				if f.ip.TOS != want {
					t.Errorf("%s: the field is %#x; want %#x", when, f.ip.TOS, want)
				}
			}
		}
		a.segment(attackerPort, wire.TCP{Seq: 99, Flags: wire.SYN | wire.ECE | wire.CWR, Window: 1000}, "")
		synack := a.answers()[0]
		if synack.ip.TOS != 0xc0 {
			t.Errorf("SYN-ACK: the field is %#x; want 0xc0", synack.ip.TOS)
		}
		a.segment(attackerPort, wire.TCP{Seq: 100, Ack: synack.tcp.Seq + 1, Flags: wire.ACK, Window: 1000}, "")
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("x"))
		sent("data", 0xc0|uint8(wire.ECT0))
		if err := c.SetTrafficClass(0x29); err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("y"))
		sent("data after it was set", 0x28|uint8(wire.ECT0))
		a.segment(netip.AddrPortFrom(attackerAddr, 4), wire.TCP{Seq: 1, Ack: 1, Flags: wire.ACK}, "")
		sent("RST", 0xc0)
	})
}

// Segments that are processed together are answered together.
func TestAcknowledgedTogether(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		_, iss := a.open(a.listen(), wire.Options{MSS: 1460})
		var batch []device.Outbound
		payload := strings.Repeat("x", 1000)
		for i := range uint32(10) {
			h := wire.TCP{Seq: 100 + 1000*i, Ack: iss + 1, Flags: wire.ACK, Window: 65535}
			b := a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP}, segment(attackerPort, serverAddr, h, payload))
			batch = append(batch, device.Outbound{Header: b})
		}
		if err := a.port.Write(batch); err != nil {
			t.Fatal(err)
		}
		answers := a.answers()
		if n := len(answers); n != 1 || answers[0].tcp.Ack != 100+10*1000 {
			t.Errorf("%d answers to ten segments: %+v", n, answers)
		}
	})
}

// A SYN that can only be of a new connection opens one in the place of one in TIME-WAIT (RFC 9293 section 3.6.1, RFC 6191),
// with a sequence number beyond all that the old one used, if somebody listens.
func TestTimeWaitReused(t *testing.T) {
	for _, test := range []struct {
		name   string
		ts     bool
		seq    uint32 // of the SYN; the old connection ended at 101
		tsval  uint32 // its timestamp; the old connection's was 1000
		closed bool   // nobody listens
		want   wire.Flags
	}{
		{name: "number beyond", seq: 102, want: wire.SYN | wire.ACK},
		{name: "number before", seq: 50, want: wire.ACK},
		{name: "number beyond, nobody listens", seq: 102, closed: true, want: wire.ACK},
		{name: "time later", ts: true, seq: 50, tsval: 1001, want: wire.SYN | wire.ACK},
		{name: "time earlier", ts: true, seq: 102, tsval: 999, want: wire.ACK},
		{name: "the same time, number beyond", ts: true, seq: 102, tsval: 1000, want: wire.SYN | wire.ACK},
		{name: "the same time, number before", ts: true, seq: 50, tsval: 1000, want: wire.ACK},
	} {
		t.Run(test.name, func(t *testing.T) {
			hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
				options := wire.Options{MSS: 1460, HasTimestamps: test.ts, TSVal: 1000}
				l := a.listen()
				a.segment(attackerPort, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 65535, Options: options}, "")
				iss := a.answers()[0].tcp.Seq
				options.MSS = 0
				a.segment(attackerPort, wire.TCP{Seq: 100, Ack: iss + 1, Flags: wire.ACK, Window: 65535, Options: options}, "")
				c, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				if test.closed {
					l.Close()
				}
				// More than the clock of initial sequence numbers runs in the time.
				const size = 1 << 20
				go func() {
					c.Write(make([]byte, size))
					c.CloseWrite()
				}()
				end := iss + 1
				for fin := false; !fin; {
					for _, f := range a.answers() {
						fin = fin || f.tcp.Flags&wire.FIN != 0
						end += uint32(f.length - f.ip.HeaderLen - f.tcp.Len())
					}
					if fin {
						end++
					}
					a.segment(attackerPort, wire.TCP{Seq: 100, Ack: end, Flags: wire.ACK, Window: 65535, Options: options}, "")
				}
				a.segment(attackerPort, wire.TCP{Seq: 100, Ack: end, Flags: wire.FIN | wire.ACK, Window: 65535, Options: options}, "")
				a.answers()
				if s := state(c); s != tcp.TimeWait {
					t.Fatal(s)
				}
				options.TSVal = test.tsval
				a.segment(attackerPort, wire.TCP{Seq: test.seq, Flags: wire.SYN, Window: 65535, Options: options}, "")
				answers := a.answers()
				if len(answers) != 1 || answers[0].tcp.Flags != test.want {
					t.Fatalf("answered %+v; want %v", answers, test.want)
				}
				if seq := answers[0].tcp.Seq; test.want == wire.SYN|wire.ACK && int32(seq-end) < 0 {
					t.Errorf("the new connection begins %d before the end of the old one", int32(end-seq))
				}
			})
		})
	}
}
