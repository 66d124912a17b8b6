package stack_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
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

// attacker is a station that sends what it likes to a server, and records what comes back.
type attacker struct {
	*bench
	port *ftcptest.Port
	mac  wire.MAC // the server's
}

// frame is a packet that came back.
type frame struct {
	dst wire.MAC
	arp bool
	ip  wire.IP
	tcp wire.TCP

	length int // of the packet
}

var attackerAddr = netip.MustParseAddr("10.0.0.66")

// hostile runs test with a server, a client and an attacker.
func hostile(t *testing.T, cfg stack.Config, test func(t *testing.T, a *attacker)) {
	synctest.Test(t, func(t *testing.T) {
		cfg.Logger = slog.New(slog.DiscardHandler)
		b := &bench{t: t, net: &ftcptest.Network{}, server: stack.New(cfg), client: stack.New(stack.Config{})}
		defer b.close()
		service := b.net.Port("server")
		if _, err := b.server.AddLink(service, stack.LinkConfig{Addr: serverAddr.Addr()}); err != nil {
			t.Fatal(err)
		}
		link, err := b.client.AddLink(b.net.Port("client"), stack.LinkConfig{Addr: clientAddr.Addr()})
		if err != nil {
			t.Fatal(err)
		}
		b.link = link
		a := &attacker{bench: b, port: b.net.Port("attacker"), mac: service.Features().MAC}
		time.Sleep(10 * time.Second) // the announcements are over
		a.answers()
		test(t, a)
	})
}

// send sends a frame to the server, as it is.
func (a *attacker) send(b []byte) {
	a.t.Helper()
	if err := a.port.Write([]device.Outbound{{Header: b}}); err != nil {
		a.t.Fatal(err)
	}
}

// ethernet is the header of a frame to the server.
func (a *attacker) ethernet(typ wire.EtherType) []byte {
	return wire.Ethernet{Dst: a.mac, Src: a.port.Features().MAC, Type: typ}.Append(nil)
}

// ip is a packet to the server.
func (a *attacker) ip(ip wire.IP, payload []byte) []byte {
	if !ip.Dst.IsValid() {
		ip.Dst = serverAddr.Addr()
	}
	if ip.TTL == 0 {
		ip.TTL = 64
	}
	return append(ip.Append(a.ethernet(wire.EtherTypeIPv4), len(payload)), payload...)
}

// segment sends a TCP segment to the server.
func (a *attacker) segment(src netip.AddrPort, h wire.TCP, payload string) {
	a.t.Helper()
	a.send(a.ip(wire.IP{Src: src.Addr(), Proto: wire.ProtoTCP}, segment(src, serverAddr, h, payload)))
}

// segment is a TCP segment with its checksum.
func segment(src, dst netip.AddrPort, h wire.TCP, payload string) []byte {
	h.SrcPort, h.DstPort = src.Port(), dst.Port()
	b := append(h.Append(nil), payload...)
	wire.SetTCPChecksum(b, wire.PseudoHeaderSum(src.Addr(), dst.Addr(), wire.ProtoTCP, len(b)))
	return b
}

// answers returns what has come back since the last call, once nothing moves any more.
func (a *attacker) answers() []frame {
	a.t.Helper()
	synctest.Wait()
	// Read waits for a frame; this is one that nobody answers.
	mark := a.net.Port("mark")
	defer mark.Close()
	a.port.Write([]device.Outbound{{Header: wire.Ethernet{Dst: wire.Broadcast, Src: a.port.Features().MAC, Type: 0x88b5}.Append(nil)}})
	end := wire.Ethernet{Dst: a.port.Features().MAC, Src: mark.Features().MAC, Type: 0x88b5}.Append(nil)
	mark.Write([]device.Outbound{{Header: end}})
	var all []frame
	pkts := []device.Inbound{{Buf: make([]byte, device.BufferSize)}}
	for {
		if _, err := a.port.Read(pkts); err != nil {
			a.t.Fatal(err)
		}
		eth, payload, err := wire.ParseEthernet(pkts[0].Buf[:pkts[0].N])
		if err != nil {
			a.t.Fatal(err)
		}
		if eth.Type == 0x88b5 {
			return all
		}
		f := frame{dst: eth.Dst, arp: eth.Type == wire.EtherTypeARP}
		if !f.arp {
			ip, payload, err := wire.ParseIP(payload)
			if err != nil {
				a.t.Fatal(err)
			}
			f.ip, f.length = ip, ip.HeaderLen+len(payload)
			if ip.Src.Is4() && !ip.DF || ip.Fragment() {
				a.t.Errorf("a packet that can be or is fragmented: %+v", ip)
			}
			if ip.Proto == wire.ProtoTCP {
				f.tcp.Parse(payload)
			}
		}
		all = append(all, f)
	}
}

// silence expects that nothing comes back.
func (a *attacker) silence() {
	a.t.Helper()
	for _, f := range a.answers() {
		a.t.Errorf("answered: %+v", f)
	}
}

// counted expects a counter to have gone up by n since the last call for it.
func (a *attacker) counted(name string, counter *atomic.Uint64, n uint64) {
	a.t.Helper()
	synctest.Wait()
	if got := counter.Swap(0); got != n {
		a.t.Errorf("%s is %d; want %d", name, got, n)
	}
}

// A flood of SYNs costs as many connections as the backlog allows; the rest is answered with
// cookies, which cost none, and with which a client that means it gets in.
func TestSYNFlood(t *testing.T) {
	const backlog = 16
	hostile(t, stack.Config{Backlog: backlog}, func(t *testing.T, a *attacker) {
		l := a.listen()
		old := a.dial()
		served, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		a.answers() // what the client was told
		for i := range 1000 {
			src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1024)
			a.segment(src, wire.TCP{Seq: rand.Uint32(), Flags: wire.SYN, Window: 1000}, "")
		}
		synctest.Wait()
		if n := len(a.server.Conns()); n != backlog+1 {
			t.Errorf("%d connections; want %d", n, backlog+1)
		}
		a.counted("Cookies", &a.server.Stats.Cookies, 1000-backlog)
		if n := len(a.answers()); n != 1000 {
			t.Errorf("%d answers; want %d", n, 1000)
		}
		exchange(t, old, served)
		for range 3 {
			c := a.dial()
			served, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			exchange(t, c, served)
		}
		a.counted("Cookies", &a.server.Stats.Cookies, 3)
		time.Sleep(2 * time.Minute) // SYN-ACKs are given up
		synctest.Wait()
		if n := len(a.server.Conns()); n != 4 {
			t.Errorf("%d connections are left; want 4", n)
		}
	})
}

// An ACK that acknowledges no cookie, or one for another connection, opens nothing.
func TestForgedCookie(t *testing.T) {
	hostile(t, stack.Config{Backlog: 1}, func(t *testing.T, a *attacker) {
		a.listen()
		src := func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 1024)
		}
		for i := range 3 {
			a.segment(src(i), wire.TCP{Seq: 1000, Flags: wire.SYN, Window: 1000}, "")
		}
		cookies := a.answers()
		if len(cookies) != 3 {
			t.Fatalf("%d answers", len(cookies))
		}
		ack := cookies[2].tcp.Seq + 1
		for name, h := range map[string]struct {
			src netip.AddrPort
			tcp wire.TCP
		}{
			"another peer":   {src(9), wire.TCP{Seq: 1001, Ack: ack}},
			"another number": {src(2), wire.TCP{Seq: 1001, Ack: ack + 1}},
			"another MSS":    {src(2), wire.TCP{Seq: 1001, Ack: ack ^ 1<<25}},
			"another ISN":    {src(2), wire.TCP{Seq: 1002, Ack: ack}},
		} {
			h.tcp.Flags, h.tcp.Window = wire.ACK, 1000
			a.segment(h.src, h.tcp, "")
			if got := a.answers(); len(got) != 1 || got[0].tcp.Flags != wire.RST {
				t.Errorf("%s: %+v; want a RST", name, got)
			}
		}
		a.segment(src(2), wire.TCP{Seq: 1001, Ack: ack, Flags: wire.ACK, Window: 1000}, "")
		a.silence()
		if n := len(a.server.Conns()); n != 2 {
			t.Errorf("%d connections; want 2", n)
		}
	})
}

// Connections that complete, and that nobody accepts, are bounded too.
func TestAcceptQueueFull(t *testing.T) {
	const backlog = 4
	hostile(t, stack.Config{Backlog: backlog}, func(t *testing.T, a *attacker) {
		l := a.listen()
		for range backlog {
			a.dial()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		if _, err := a.client.Dial(ctx, a.link, clientAddr, serverAddr); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more: %v", err)
		}
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		a.dial()
	})
}

// What is no packet is dropped, and counted.
func TestGarbage(t *testing.T) {
	src := netip.AddrPortFrom(attackerAddr, 1024)
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		a.listen()
		stats := &a.server.Stats
		syn := segment(src, serverAddr, wire.TCP{Flags: wire.SYN, Window: 1000, Options: wire.Options{MSS: 1460}}, "")
		whole := a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP}, syn)
		const ethernetLen = 14
		for n := ethernetLen; n < len(whole); n++ {
			a.send(whole[:n]) // shorter than its header says
		}
		a.counted("Malformed", &stats.Malformed, uint64(len(whole)-ethernetLen))

		for n := range wire.TCPLen {
			a.send(a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP}, syn[:n]))
		}
		a.counted("BadChecksum", &stats.BadChecksum, wire.TCPLen) // of a header that is not all there

		for _, offset := range []byte{0, 4, 15} {
			b := slices.Clone(syn)
			b[12] = offset << 4
			wire.SetTCPChecksum(b, wire.PseudoHeaderSum(attackerAddr, serverAddr.Addr(), wire.ProtoTCP, len(b)))
			a.send(a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP}, b))
		}
		a.counted("Malformed", &stats.Malformed, 3)

		wrong := slices.Clone(whole)
		wrong[len(wrong)-1] ^= 1
		a.send(wrong)
		a.counted("BadChecksum", &stats.BadChecksum, 1)

		random := rand.NewChaCha8([32]byte{1})
		for i := range 5000 {
			b := make([]byte, i%1400)
			random.Read(b)
			a.send(append(a.ethernet([]wire.EtherType{wire.EtherTypeARP, wire.EtherTypeIPv4, wire.EtherTypeIPv6}[i%3]), b...))
			a.send(a.ip(wire.IP{Src: attackerAddr, Proto: []wire.Protocol{wire.ProtoTCP, wire.ProtoICMP, wire.ProtoUDP, 200}[i%4]}, b))
		}
		a.silence()
		if n := len(a.server.Conns()); n != 0 {
			t.Errorf("%d connections", n)
		}
		a.dial()
	})
}

// Whatever is said in options, the connection works.
func TestStrangeOptions(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		l := a.listen()
		random := rand.New(rand.NewPCG(1, 2))
		options := [][]byte{
			{2, 4, 0, 0},         // a maximum segment size of nothing
			{2, 4, 0, 1},         // of a byte
			{2, 4, 0xff, 0xff},   // of more than a packet
			{3, 3, 255, 0},       // window scale
			{2, 0, 0, 0},         // no length
			{2, 1, 0, 0},         // less than itself
			{2, 255, 0, 0},       // more than there is
			{8, 10, 0, 0},        // timestamps that are cut off
			{5, 10, 0, 0},        // SACK in a SYN, cut off
			{1, 1, 1, 2},         // a kind without a length
			{4, 2, 4, 2},         // twice
			{254, 4, 0xf9, 0x89}, // experiments
		}
		for range 200 {
			b := make([]byte, 4*random.IntN(11))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			options = append(options, b)
		}
		for i, opt := range options {
			src := netip.AddrPortFrom(attackerAddr, uint16(1024+i))
			raw := func(h wire.TCP, opt []byte, payload string) {
				b := segment(src, serverAddr, h, "")
				b[12] = byte(wire.TCPLen+len(opt)) / 4 << 4
				b = append(append(b, opt...), payload...)
				wire.SetTCPChecksum(b, wire.PseudoHeaderSum(attackerAddr, serverAddr.Addr(), wire.ProtoTCP, len(b)))
				a.send(a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP}, b))
			}
			raw(wire.TCP{Seq: 99, Flags: wire.SYN, Window: 1000}, opt, "")
			var synAck *wire.TCP
			for _, f := range a.answers() {
				if f.tcp.DstPort == src.Port() && f.tcp.Flags == wire.SYN|wire.ACK {
					synAck = &f.tcp
				}
			}
			if synAck == nil {
				t.Errorf("%v: no SYN-ACK", opt)
				continue
			}
			h := wire.TCP{Seq: 100, Ack: synAck.Seq + 1, Flags: wire.ACK, Window: 1000}
			if synAck.Options.HasTimestamps {
				h.Options = wire.Options{HasTimestamps: true, TSVal: 0x7fffffff, TSEcr: synAck.Options.TSVal}
				if binary.BigEndian.Uint32(opt[slices.Index(opt, 8)+2:]) > 0x7fffffff {
					h.Options.TSVal = 0xffffffff
				}
			}
			a.segment(src, h, "hello")
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			hello := make([]byte, 5)
			if _, err := io.ReadFull(c, hello); err != nil || string(hello) != "hello" {
				t.Errorf("%v: %q, %v", opt, hello, err)
			}
			if _, err := c.Write(make([]byte, 1000)); err != nil {
				t.Errorf("%v: %v", opt, err)
			}
			for _, f := range a.answers() {
				if f.tcp.SrcPort == serverAddr.Port() && f.ip.HeaderLen == 0 {
					t.Errorf("%v: %+v", opt, f)
				}
			}
			c.SetLinger(0)
			c.Close()
		}
	})
}

// fragments cuts a packet's payload.
func (a *attacker) fragments(ip wire.IP, payload []byte, size int) (frames [][]byte) {
	for ip.MF = true; ip.MF; ip.FragOffset += size {
		rest := payload[ip.FragOffset:]
		ip.MF = len(rest) > size
		frames = append(frames, a.ip(ip, rest[:min(size, len(rest))]))
	}
	return frames
}

// Segments that were cut on their way are put together, in any order, and their checksums count.
func TestFragments(t *testing.T) {
	src := netip.AddrPortFrom(attackerAddr, 1024)
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		l := a.listen()
		stats := &a.server.Stats
		ip := wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP, ID: 1}
		for _, f := range a.fragments(ip, segment(src, serverAddr, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 65535}, ""), 8) {
			a.send(f)
		}
		answers := a.answers()
		if len(answers) != 1 || answers[0].tcp.Flags != wire.SYN|wire.ACK {
			t.Fatalf("answered %+v", answers)
		}
		a.counted("Reassembled", &stats.Reassembled, 1)
		data := testData(5000)
		h := wire.TCP{Seq: 100, Ack: answers[0].tcp.Seq + 1, Flags: wire.ACK, Window: 65535}
		whole := segment(src, serverAddr, h, string(data))

		ip.ID = 2
		wrong := slices.Clone(whole)
		wrong[3000]++
		for _, f := range a.fragments(ip, wrong, 1480) {
			a.send(f)
		}
		a.counted("BadChecksum", &stats.BadChecksum, 1)

		ip.ID = 3 // out of order, the first twice
		frames := a.fragments(ip, whole, 1480)
		for _, i := range []int{2, 0, 3, 0, 1} {
			a.send(frames[i])
		}
		a.counted("Reassembled", &stats.Reassembled, 2)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(data))
		if _, err := io.ReadFull(c, got); err != nil || !slices.Equal(got, data) {
			t.Errorf("another stream, %v", err)
		}
		a.answers()

		ip.ID = 4 // the fragments overlap
		a.send(a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP, ID: 4, MF: true}, whole[:1480]))
		a.send(a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP, ID: 4, FragOffset: 1472}, whole[1472:2000]))
		a.counted("FragmentsBad", &stats.FragmentsBad, 1)
		a.silence()

		// The beginning of a packet, and too late more of it.
		frames = a.fragments(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP, ID: 5}, whole, 1480)
		a.send(frames[0])
		time.Sleep(time.Minute)
		a.send(frames[1])
		a.counted("FragmentsLate", &stats.FragmentsLate, 1)
		a.silence()
	})
}

// A ping that came in fragments is answered in one piece, with as much as fits.
func TestLargePing(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		ping := wire.ICMP{Type: wire.ICMPEchoRequest, Rest: 1, Body: testData(4000)}
		for _, f := range a.fragments(wire.IP{Src: attackerAddr, Proto: wire.ProtoICMP, ID: 1}, ping.Append(nil, attackerAddr, serverAddr.Addr()), 1480) {
			a.send(f)
		}
		answers := a.answers()
		if len(answers) != 1 || answers[0].ip.Proto != wire.ProtoICMP || answers[0].length != 1500 {
			t.Errorf("answered %+v", answers)
		}
	})
}

// Packets with a source route are dropped, also those that have arrived.
func TestSourceRoute(t *testing.T) {
	src := netip.AddrPortFrom(attackerAddr, 1024)
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		a.listen()
		syn := segment(src, serverAddr, wire.TCP{Flags: wire.SYN, Window: 1000}, "")
		withOptions := func(options []byte) []byte {
			b := a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP}, append(options, syn...))
			header := b[14 : 34+len(options)]
			header[0] += byte(len(options) / 4)
			header[10], header[11] = 0, 0
			binary.BigEndian.PutUint16(header[10:], ^wire.Fold(wire.Sum(header, 0)))
			return b
		}
		for _, kind := range []byte{131, 137} {
			for _, pointer := range []byte{4, 8} {
				a.send(withOptions([]byte{kind, 7, pointer, 10, 0, 0, 3, 0}))
				a.counted("Malformed", &a.server.Stats.Malformed, 1)
			}
		}
		a.silence()
		a.send(withOptions([]byte{148, 4, 0, 0})) // router alert
		if n := len(a.answers()); n != 1 {
			t.Errorf("%d answers to a packet with an option that does not matter", n)
		}
	})
}

// Sources that cannot be anybody's are not answered, nor is the server itself.
func TestMartians(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		a.listen()
		stats := &a.server.Stats
		syn := wire.TCP{Seq: 1, Flags: wire.SYN, Window: 1000}
		for _, src := range []string{
			"224.0.0.1:1024", "0.0.0.0:1024", "255.255.255.255:1024", "127.0.0.1:1024",
			"10.0.0.1:1024", "10.0.0.1:80", // a land attack
			"10.0.0.66:0",
		} {
			for _, flags := range []wire.Flags{wire.SYN, wire.ACK} {
				syn.Flags = flags
				a.segment(netip.MustParseAddrPort(src), syn, "")
				a.silence()
				a.counted("Martians from "+src, &stats.Martians, 1)
			}
		}
		// By broadcast.
		b := a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoTCP}, segment(netip.AddrPortFrom(attackerAddr, 1024), serverAddr, syn, ""))
		copy(b, wire.Broadcast[:])
		a.send(b)
		a.silence()
		a.counted("Martians", &stats.Martians, 1)
		if n := len(a.server.Conns()); n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}

// A station that claims the service address is contradicted, but not each time that it does, and
// the connections stay where they are.
func TestSpoofedARP(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		c, s := a.established()
		a.answers()
		claim := wire.ARP{
			Op: wire.ARPReply, SenderMAC: a.port.Features().MAC, SenderIP: serverAddr.Addr(),
			TargetMAC: a.mac, TargetIP: serverAddr.Addr(),
		}
		for range 1000 {
			a.send(claim.Append(a.ethernet(wire.EtherTypeARP)))
		}
		a.counted("Conflicts", &a.server.Stats.Conflicts, 1000)
		if n := len(a.answers()); n != 2 { // a gratuitous request and a reply
			t.Errorf("%d frames in defence of the address; want 2", n)
		}
		// That the client is elsewhere.
		claim.SenderIP = clientAddr.Addr()
		a.send(claim.Append(a.ethernet(wire.EtherTypeARP)))
		// That many others are where they are not.
		for i := range 10000 {
			claim.SenderIP = netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)})
			a.send(claim.Append(a.ethernet(wire.EtherTypeARP)))
		}
		a.answers()
		exchange(t, c, s)
		a.silence()
	})
}

// ICMP errors that quote nothing that is under way are counted, and change nothing.
func TestForgedICMP(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		c, s := a.established()
		quote := func(src, dst netip.AddrPort, seq uint32) []byte {
			h := wire.IP{Src: src.Addr(), Dst: dst.Addr(), Proto: wire.ProtoTCP, TTL: 60}
			b := segment(src, dst, wire.TCP{Seq: seq, Flags: wire.ACK}, "")
			return append(h.Append(nil, len(b)), b...)
		}
		messages := []wire.ICMP{
			wire.FragmentationNeeded(576, quote(s.LocalAddr(), s.RemoteAddr(), 12345)), // a guess
			wire.FragmentationNeeded(0, quote(s.LocalAddr(), s.RemoteAddr(), 12345)),
			wire.HostUnreachable(false, quote(s.LocalAddr(), s.RemoteAddr(), 12345)),
			wire.FragmentationNeeded(576, quote(s.LocalAddr(), netip.MustParseAddrPort("10.0.0.2:1"), 0)),
			wire.FragmentationNeeded(576, quote(s.RemoteAddr(), s.LocalAddr(), 0)), // of the other end
			wire.FragmentationNeeded(576, nil),
			wire.FragmentationNeeded(576, quote(s.LocalAddr(), s.RemoteAddr(), 0)[:24]),
			wire.FragmentationNeeded(576, make([]byte, 100)),
			{Type: wire.ICMPUnreachable, Code: wire.ICMPCodePortUnreachable, Body: quote(s.LocalAddr(), s.RemoteAddr(), 99)},
			{Type: wire.ICMPTimeExceeded, Body: quote(s.LocalAddr(), s.RemoteAddr(), 99)},
			{Type: wire.ICMPParameterProblem, Body: []byte{0x4f}},
		}
		for _, m := range messages {
			a.send(a.ip(wire.IP{Src: attackerAddr, Proto: wire.ProtoICMP}, m.Append(nil, attackerAddr, serverAddr.Addr())))
		}
		a.counted("BadICMP", &a.server.Stats.BadICMP, uint64(len(messages)))
		exchange(t, c, s)
	})
}

// An ICMP error ends a connection attempt, and only that.
func TestUnreachable(t *testing.T) {
	for _, test := range []struct {
		code uint8
		want error
	}{
		{wire.ICMPCodeNetUnreachable, errno.NetUnreachable},
		{wire.ICMPCodeHostUnreachable, errno.HostUnreachable},
	} {
		hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
			// The attacker is a router that is in the way.
			a.client.Close()
			var n ftcptest.Network
			defer n.Close()
			router := n.Port("router")
			client := stack.New(stack.Config{})
			defer client.Close()
			link, err := client.AddLink(n.Port("client"), stack.LinkConfig{
				Addr: clientAddr.Addr(), Prefix: netip.MustParsePrefix("10.0.0.0/24"), NextHop: by(attackerAddr),
			})
			if err != nil {
				t.Fatal(err)
			}
			dialing := make(chan error, 1)
			go func() {
				_, err := client.Dial(context.Background(), link, clientAddr, netip.MustParseAddrPort("192.0.2.1:80"))
				dialing <- err
			}()
			pkts := []device.Inbound{{Buf: make([]byte, device.BufferSize)}}
			for {
				router.Read(pkts)
				eth, payload, _ := wire.ParseEthernet(pkts[0].Buf[:pkts[0].N])
				answer := wire.Ethernet{Dst: eth.Src, Src: router.Features().MAC, Type: eth.Type}.Append(nil)
				if arp, err := wire.ParseARP(payload); eth.Type == wire.EtherTypeARP && err == nil && arp.TargetIP == attackerAddr {
					router.Write([]device.Outbound{{Header: wire.ARP{
						Op: wire.ARPReply, SenderMAC: router.Features().MAC, SenderIP: attackerAddr,
						TargetMAC: arp.SenderMAC, TargetIP: arp.SenderIP,
					}.Append(answer)}})
				}
				if eth.Type != wire.EtherTypeIPv4 {
					continue
				}
				m := wire.ICMP{Type: wire.ICMPUnreachable, Code: test.code, Body: payload[:28]}
				body := m.Append(nil, attackerAddr, clientAddr.Addr())
				ip := wire.IP{Src: attackerAddr, Dst: clientAddr.Addr(), Proto: wire.ProtoICMP, TTL: 64}
				router.Write([]device.Outbound{{Header: append(ip.Append(answer, len(body)), body...)}})
				break
			}
			if err := <-dialing; !errors.Is(err, test.want) {
				t.Errorf("Dial: %v; want %v", err, test.want)
			}
		})
	}
}

// RFC 5961: RSTs, SYNs and data by one who does not know the sequence numbers exactly do no harm, and
// are answered so often at the most.
func TestBlindAttack(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		c, s := a.established()
		exchange(t, c, s)
		var next uint32
		s.View(func(core *tcp.Core) { next = core.NextReceive() })
		src := s.RemoteAddr()
		time.Sleep(time.Second)
		a.answers()
		before := a.net.Stats().Sent
		for i := range uint32(5000) {
			for _, h := range []wire.TCP{
				{Seq: next + 1 + i*7, Flags: wire.RST},
				{Seq: next - 1 - i*7, Flags: wire.RST},
				{Seq: next + 1 + i*7, Flags: wire.RST | wire.ACK, Ack: i},
				{Seq: next + i, Flags: wire.SYN},
				{Seq: rand.Uint32(), Flags: wire.SYN | wire.ACK, Ack: rand.Uint32()},
				{Seq: rand.Uint32() | 1<<31, Flags: wire.FIN | wire.ACK, Ack: rand.Uint32()},
			} {
				h.Window = 1000
				a.segment(src, h, "")
			}
		}
		synctest.Wait()
		// They go to the client, which has nothing to say to them.
		if challenges := a.net.Stats().Sent - before - 6*5000; challenges != 10 {
			t.Errorf("%d challenges in no time; want 10", challenges)
		}
		exchange(t, c, s)

		// One who knows it may end the connection.
		s.View(func(core *tcp.Core) { next = core.NextReceive() })
		a.segment(src, wire.TCP{Seq: next, Flags: wire.RST}, "")
		if _, err := s.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("Read after a reset: %v", err)
		}
	})
}

// established returns both ends of a connection.
func (a *attacker) established() (client, server *stack.Conn) {
	a.t.Helper()
	l := a.listen()
	client = a.dial()
	server, err := l.Accept()
	if err != nil {
		a.t.Fatal(err)
	}
	return client, server
}

// exchange expects a connection to work in both directions.
func exchange(t *testing.T, c, s *stack.Conn) {
	t.Helper()
	for _, way := range [][2]*stack.Conn{{c, s}, {s, c}} {
		data := testData(100_000)
		go way[0].Write(data)
		got := make([]byte, len(data))
		if _, err := io.ReadFull(way[1], got); err != nil || !slices.Equal(got, data) {
			t.Fatalf("the connection does not work any more: %v", err)
		}
	}
}

// A segment that only guesses a connection's numbers does not draw its answers elsewhere.
func TestDiverted(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		c, s := a.established()
		a.answers()
		for range 100 {
			a.segment(c.LocalAddr(), wire.TCP{Seq: rand.Uint32(), Ack: rand.Uint32(), Flags: wire.ACK, Window: 1000}, "x")
		}
		synctest.Wait()
		a.silence()       // not even the challenge ACKs
		exchange(t, s, c) // the server speaks first
	})
}

// Peers who leave gaps cannot make a server hold more than it is willing to hold for all of them, and what
// it holds is free again when they are gone.
func TestGaps(t *testing.T) {
	const limit, count = 256 << 10, 64
	hostile(t, stack.Config{OutOfOrder: limit}, func(t *testing.T, a *attacker) {
		l := a.listen()
		client := a.dial()
		served, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		a.answers()
		payload := string(make([]byte, 1000))
		for i := range uint16(count) {
			src := netip.AddrPortFrom(attackerAddr, 1024+i)
			a.segment(src, wire.TCP{Seq: 99, Flags: wire.SYN, Window: 1000, Options: wire.Options{MSS: 1460}}, "")
			answers := a.answers()
			ack := answers[len(answers)-1].tcp.Seq + 1
			a.segment(src, wire.TCP{Seq: 100, Ack: ack, Flags: wire.ACK, Window: 1000}, "")
			for j := range uint32(10) {
				a.segment(src, wire.TCP{Seq: 101 + j*2000, Ack: ack, Flags: wire.ACK, Window: 1000}, payload)
			}
			synctest.Wait()
			if n := a.server.OutOfOrder(); n > limit {
				t.Fatalf("%d bytes are held; want %d at the most", n, limit)
			}
		}
		if n := a.server.OutOfOrder(); n < limit-2<<10 {
			t.Errorf("%d bytes are held; the test does not test anything", n)
		}
		if a.server.Stats.OutOfOrder.Load() == 0 {
			t.Error("nothing was counted")
		}
		exchange(t, client, served)
		for range count {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.SetLinger(0)
			c.Close()
		}
		if n := a.server.OutOfOrder(); n != 0 {
			t.Errorf("%d bytes are held after the end", n)
		}
	})
}

// by is the next hop of a network with one router.
func by(router netip.Addr) func(netip.Addr) (netip.Addr, error) {
	return func(netip.Addr) (netip.Addr, error) { return router, nil }
}
