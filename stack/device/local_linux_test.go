package device

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
	"github.com/ftcp-project/ftcp/wire"
)

func openLocal(t testing.TB, ns *netns.Namespace) *Local {
	t.Helper()
	var l *Local
	check(t, ns.Do(func() (err error) {
		l, err = OpenLocal()
		return err
	}))
	t.Cleanup(func() { l.Close() })
	return l
}

func reserve(t testing.TB, ns *netns.Namespace, l *Local, addr string) (port uint16, release func()) {
	t.Helper()
	check(t, ns.Do(func() (err error) {
		port, release, err = l.Reserve(netip.MustParseAddrPort(addr))
		return err
	}))
	return port, release
}

func dial(ns *netns.Namespace, addr netip.AddrPort, timeout time.Duration) (conn net.Conn, err error) {
	err = ns.Do(func() error {
		conn, err = net.DialTimeout("tcp", addr.String(), timeout)
		return err
	})
	return conn, err
}

// resets returns the segments with RST that were captured.
func (c *capture) resets() (lines []string) {
	for _, f := range c.frames() {
		if _, tcp, _, ok := parseTCP(f[wire.EthernetLen:]); ok && tcp.Flags&wire.RST != 0 {
			lines = append(lines, wire.Format(f))
		}
	}
	return lines
}

// The kernel's client connects to a reserved port of the same machine; nobody but the device
// answers.
func TestLocalConnection(t *testing.T) {
	for _, tt := range []struct{ reserve, dial string }{
		{"127.0.0.1:0", "127.0.0.1"},
		{"[::1]:0", "::1"},
		{"0.0.0.0:0", "127.0.0.1"},
		{"0.0.0.0:0", "10.1.1.1"},
		{"[::]:0", "127.0.0.1"},
		{"[::]:0", "::1"},
		{"[::]:0", "fd01::1"},
	} {
		t.Run(tt.reserve+" "+tt.dial, func(t *testing.T) {
			ns := newNamespace(t)
			for _, p := range []string{"10.1.1.1/32", "fd01::1/128"} {
				addAddr(t, ns, "lo", p)
			}
			seen := newCapture(t, ns, "lo")
			l := openLocal(t, ns)
			port, release := reserve(t, ns, l, tt.reserve)
			in := readAll(t, ns, l)
			local := netip.AddrPortFrom(netip.MustParseAddr(tt.dial), port)

			var conn net.Conn
			dialed := make(chan error, 1)
			go func() {
				var err error
				conn, err = dial(ns, local, patience)
				dialed <- err
			}()
			syn := in.next("SYN", func(packet) bool { return true })
			ip, tcp, _, ok := parseTCP(syn.b)
			if !ok || tcp.Flags != wire.SYN || ip.Dst != local.Addr() || tcp.DstPort != port {
				t.Fatalf("not the SYN: %s", wire.FormatIP(syn.b))
			}
			if !syn.verified {
				t.Error("a checksum that was never computed must not be checked")
			}
			remote := netip.AddrPortFrom(ip.Src, tcp.SrcPort)
			ack := tcp.Seq + 1
			send := func(tcp wire.TCP, payload []byte) {
				tcp.Ack, tcp.Window = ack, 65535
				h, _ := headers(local, remote, tcp, payload, false)
				check(t, l.Write([]Outbound{{Header: h, Payload: [][]byte{payload}}}))
			}
			send(wire.TCP{Flags: wire.SYN | wire.ACK, Options: wire.Options{MSS: 65495}}, nil)
			check(t, <-dialed)
			defer conn.Close()

			request := make([]byte, 20000)
			rand.Read(request)
			_, err := conn.Write(request)
			check(t, err)
			data := in.next("data", func(p packet) bool {
				_, _, payload, ok := parseTCP(p.b)
				return ok && len(payload) > 0
			})
			ip, tcp, payload, _ := parseTCP(data.b)
			if !bytes.Equal(payload, request) || !data.verified {
				t.Error("the request changed, or is not verified")
			}
			if want := ip.HeaderLen + tcp.Len() + len(payload); len(data.b) != want {
				t.Errorf("a packet of %d bytes has %d", want, len(data.b))
			}
			ack += uint32(len(request))

			// The largest packet there is. The kernel takes it in one piece.
			response := make([]byte, maxPacket-40)
			if local.Addr().Is6() {
				response = response[:maxPacket-60]
			}
			rand.Read(response)
			send(wire.TCP{Flags: wire.ACK | wire.PSH, Seq: 1}, response)
			got := make([]byte, len(response))
			conn.SetReadDeadline(time.Now().Add(patience))
			_, err = io.ReadFull(conn, got)
			check(t, err)
			if !bytes.Equal(got, response) {
				t.Error("the response changed")
			}
			if s := l.Stats(); s != (Stats{}) {
				t.Errorf("lost packets: %+v", s)
			}
			if r := seen.resets(); r != nil {
				t.Errorf("somebody sent %q", r)
			}

			// The kernel answers again after release, or we would not know that it
			// kept silent.
			release()
			if _, err := dial(ns, local, patience); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("after release: %v", err)
			}
			release()
		})
	}
}

// Without an answer the client waits; it is not refused.
func TestLocalSilence(t *testing.T) {
	ns := newNamespace(t)
	seen := newCapture(t, ns, "lo")
	l := openLocal(t, ns)
	port, _ := reserve(t, ns, l, "127.0.0.1:0")
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	if _, err := dial(ns, addr, 100*time.Millisecond); !isTimeout(err) {
		t.Errorf("connect: %v", err)
	}
	// Nor does anything else get an answer.
	from := netip.MustParseAddrPort("127.0.0.1:9")
	for _, flags := range []wire.Flags{0, wire.ACK, wire.SYN | wire.ACK, wire.FIN | wire.ACK, wire.RST} {
		h, _ := headers(from, addr, wire.TCP{Flags: flags, Seq: 77, Ack: 88}, nil, false)
		check(t, l.Write([]Outbound{{Header: h}}))
	}
	dst := netip.MustParseAddrPort("127.0.0.1:10") // nobody's
	h, _ := headers(from, dst, wire.TCP{Flags: wire.ACK}, nil, false)
	check(t, l.Write([]Outbound{{Header: h}}))
	isReset := func(f []byte) bool {
		_, tcp, _, ok := parseTCP(f[wire.EthernetLen:])
		return ok && tcp.Flags == wire.RST && tcp.SrcPort == dst.Port()
	}
	seen.until(isReset)
	for _, r := range seen.frames() {
		_, tcp, _, ok := parseTCP(r[wire.EthernetLen:])
		if ok && tcp.SrcPort == port {
			t.Errorf("the kernel answered: %s", wire.Format(r))
		}
	}
	if len(seen.resets()) < 2 {
		t.Errorf("only saw %q; the check is worth nothing", seen.resets())
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestReserveTaken(t *testing.T) {
	ns := newNamespace(t)
	l := openLocal(t, ns)
	port, release := reserve(t, ns, l, "127.0.0.1:0")
	again := fmt.Sprintf("127.0.0.1:%d", port)
	check(t, ns.Do(func() error {
		for _, addr := range []string{again, fmt.Sprintf("0.0.0.0:%d", port), fmt.Sprintf("[::]:%d", port)} {
			if _, _, err := l.Reserve(netip.MustParseAddrPort(addr)); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%s: %v", addr, err)
			}
		}
		if _, err := net.Listen("tcp", again); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("another program: %v", err)
		}
		if _, _, err := l.Reserve(netip.MustParseAddrPort("192.0.2.1:80")); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("not our address: %v", err)
		}
		if _, _, err := l.Reserve(netip.MustParseAddrPort("[fe80::1%lo]:80")); err == nil {
			t.Error("a link-local address")
		}
		// One port of different addresses.
		if _, _, err := l.Reserve(netip.AddrPortFrom(netip.IPv6Loopback(), port)); err != nil {
			t.Error(err)
		}
		release()
		if _, _, err := l.Reserve(netip.MustParseAddrPort(again)); err != nil {
			t.Errorf("after release: %v", err)
		}
		check(t, l.Close())
		if _, _, err := l.Reserve(netip.MustParseAddrPort(again)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		n, err := net.Listen("tcp", again)
		if err == nil {
			n.Close()
		}
		return err
	}))
}

// What arrives is what was reserved, however many ports that are.
func TestLocalPorts(t *testing.T) {
	for _, count := range []int{0, 1, 5, 2500} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			ns := newNamespace(t)
			addAddr(t, ns, "lo", "10.1.1.1/32")
			l := openLocal(t, ns)
			var mine []uint16
			check(t, ns.Do(func() error {
				for i := range count {
					// Every other port, so that they do not make one range.
					port, _, err := l.Reserve(netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", 20000+2*i)))
					if err != nil {
						return err
					}
					mine = append(mine, port)
				}
				return nil
			}))
			in := readAll(t, ns, l)

			from := netip.MustParseAddrPort("127.0.0.1:9")
			send := func(dst netip.AddrPort, change func(b []byte)) {
				h, _ := headers(from, dst, wire.TCP{Flags: wire.SYN}, nil, false)
				if change != nil {
					change(h)
				}
				check(t, l.Write([]Outbound{{Header: h}}))
			}
			loopback, other := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.1.1.1")
			for _, port := range []uint16{80, 19998, 19999, 20001, 20003} {
				send(netip.AddrPortFrom(loopback, port), nil)
			}
			for _, port := range mine {
				send(netip.AddrPortFrom(other, port), nil) // not that address
			}
			for _, port := range mine[:min(len(mine), 1)] {
				send(netip.AddrPortFrom(loopback, port), func(b []byte) { b[6] = 0x20 }) // a fragment
				send(netip.AddrPortFrom(loopback, port), func(b []byte) { b[9] = 17 })   // not TCP
			}
			for _, port := range mine {
				send(netip.AddrPortFrom(loopback, port), nil)
			}
			var got []uint16
			for range mine {
				p := in.next("SYN", func(packet) bool { return true })
				_, tcp, _, ok := parseTCP(p.b)
				if !ok || p.verified {
					t.Fatalf("%v %s", p.verified, wire.FormatIP(p.b))
				}
				got = append(got, tcp.DstPort)
			}
			slices.Sort(got) // they may overtake each other
			if !slices.Equal(got, mine) {
				t.Errorf("not those that were sent: %v", got)
			}
			select {
			case p := <-in.packets:
				t.Errorf("and then %s", wire.FormatIP(p.b))
			case <-time.After(20 * time.Millisecond):
			}
		})
	}
}

// A router forwards packets that, on the way in, look like those for itself.
func TestLocalForwarded(t *testing.T) {
	c := newCable(t)
	check(t, c.a.Sysctl("net.ipv4.ip_forward", "1"))
	l := openLocal(t, c.a)
	port, _ := reserve(t, c.a, l, "[::]:0")
	in := readAll(t, c.a, l)
	mac, client := hardwareAddr(t, c.a, "eth0"), netip.MustParseAddrPort("10.0.0.2:9")
	for _, dst := range []string{"192.0.2.7", "10.0.0.1"} {
		b, _ := headers(client, netip.AddrPortFrom(netip.MustParseAddr(dst), port), wire.TCP{Flags: wire.SYN}, nil, false)
		inject(t, c.b, "eth0", append(wire.Ethernet{Dst: mac, Src: wire.MAC{2, 2}, Type: wire.EtherTypeIPv4}.Append(nil), b...))
	}
	p := in.next("SYN", func(packet) bool { return true })
	if ip, _, _, _ := parseTCP(p.b); ip.Dst != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("received %s", wire.FormatIP(p.b))
	}
}

// A tunnel's packets have no link header to cut off.
func TestLocalTunnel(t *testing.T) {
	ns := newNamespace(t)
	tun := newTun(t, ns, "tun0")
	addAddr(t, ns, "tun0", "10.2.0.1/24")
	l := openLocal(t, ns)
	port, _ := reserve(t, ns, l, "10.2.0.1:0")
	in := readAll(t, ns, l)
	for _, size := range []int{0, 1000} {
		payload := make([]byte, size)
		rand.Read(payload)
		b, _ := headers(netip.MustParseAddrPort("10.2.0.2:9"), netip.AddrPortFrom(netip.MustParseAddr("10.2.0.1"), port), wire.TCP{Flags: wire.ACK}, payload, false)
		b = append(b, payload...)
		_, err := tun.Write(b)
		check(t, err)
		if p := in.next("segment", func(packet) bool { return true }); !bytes.Equal(p.b, b) {
			t.Errorf("received %s, not %s", wire.FormatIP(p.b), wire.FormatIP(b))
		}
	}
}

// ICMP errors about TCP arrive, others do not.
func TestLocalICMP(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		t.Run(addr, func(t *testing.T) {
			ns := newNamespace(t)
			l := openLocal(t, ns)
			self := netip.AddrPortFrom(netip.MustParseAddr(addr), 1234)
			send := func(quoted wire.Protocol, message func(quote []byte) wire.ICMP) {
				quote, start := headers(self, self, wire.TCP{}, nil, false)
				if self.Addr().Is4() {
					ip := wire.IP{Src: self.Addr(), Dst: self.Addr(), Proto: quoted, TTL: 9}
					quote = append(ip.Append(nil, len(quote)-start), quote[start:]...)
				} else {
					quote[6] = byte(quoted)
				}
				m := message(quote)
				body := m.Append(nil, self.Addr(), self.Addr())
				ip := wire.IP{Src: self.Addr(), Dst: self.Addr(), Proto: wire.ProtoICMP, TTL: 64}
				if self.Addr().Is6() {
					ip.Proto = wire.ProtoICMPv6
				}
				check(t, l.Write([]Outbound{{Header: append(ip.Append(nil, len(body)), body...)}}))
			}
			unreachable := func(quote []byte) wire.ICMP { return wire.HostUnreachable(self.Addr().Is6(), quote) }
			tooBig := func(quote []byte) wire.ICMP {
				if self.Addr().Is6() {
					return wire.PacketTooBig(1400, quote)
				}
				return wire.FragmentationNeeded(1400, quote)
			}
			exceeded := func(quote []byte) wire.ICMP {
				m := unreachable(quote)
				m.Type = map[bool]uint8{true: wire.ICMPv6TimeExceeded, false: wire.ICMPTimeExceeded}[m.V6]
				return m
			}
			send(wire.ProtoTCP, unreachable) // nothing is reserved yet
			reserve(t, ns, l, netip.AddrPortFrom(self.Addr(), 0).String())
			in := readAll(t, ns, l)
			send(wire.ProtoUDP, unreachable)
			send(wire.ProtoTCP, exceeded)
			send(wire.ProtoTCP, tooBig)
			send(wire.ProtoTCP, unreachable)
			var got, want [][2]uint8
			for _, m := range []wire.ICMP{tooBig(nil), unreachable(nil)} {
				want = append(want, [2]uint8{m.Type, m.Code})
				p := in.next("ICMP", func(packet) bool { return true })
				ip, b, err := wire.ParseIP(p.b)
				check(t, err)
				received, err := wire.ParseICMP(b, ip.Src, ip.Dst)
				check(t, err)
				got = append(got, [2]uint8{received.Type, received.Code})
			}
			for _, w := range want { // they may overtake each other
				if !slices.Contains(got, w) {
					t.Errorf("received the types and codes %v, not %v", got, want)
				}
			}
		})
	}
}

func TestMTUFor(t *testing.T) {
	c := newCable(t)
	check(t, c.a.SetMTU("eth0", 1300))
	l := openLocal(t, c.a)
	if f := l.Features(); f != (Features{MTU: 65535}) {
		t.Errorf("%+v", f)
	}
	check(t, c.a.Do(func() error {
		for addr, want := range map[string]int{
			"127.0.0.1": 65535, "::1": 65535, "10.0.0.1": 65535, "fd00::1": 65535,
			"10.0.0.2": 1300, "fd00::2": 1300, "::ffff:10.0.0.2": 1300,
			"192.0.2.1": 0, "2001:db8::1": 0,
		} {
			if got := l.MTUFor(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: %d, not %d", addr, got, want)
			}
		}
		return nil
	}))
}

// What the kernel cannot send is counted, and the rest goes.
func TestLocalRefused(t *testing.T) {
	ns := newNamespace(t)
	l := openLocal(t, ns)
	var pkts []Outbound
	var want []uint16
	for _, ip := range []string{"127.0.0.1", "::1", "192.0.2.1", "2001:db8::1", "127.0.0.1"} {
		var port uint16
		dst := netip.MustParseAddr(ip)
		if dst.IsLoopback() {
			port, _ = reserve(t, ns, l, netip.AddrPortFrom(dst, 0).String())
			want = append(want, port)
		}
		h, _ := headers(netip.AddrPortFrom(dst, 9), netip.AddrPortFrom(dst, port), wire.TCP{Flags: wire.SYN}, nil, false)
		pkts = append(pkts, Outbound{Header: h}, Outbound{Header: []byte("rubbish")})
	}
	in := readAll(t, ns, l)
	check(t, l.Write(pkts))
	var got []uint16
	for range want {
		_, tcp, _, _ := parseTCP(in.next("SYN", func(packet) bool { return true }).b)
		got = append(got, tcp.DstPort)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("arrived for %v, not %v", got, want)
	}
	if s := l.Stats(); s.Refused != 7 {
		t.Errorf("%+v", s)
	}
}

// The two versions take turns, so that neither starves.
func TestLocalFair(t *testing.T) {
	ns := newNamespace(t)
	l := openLocal(t, ns)
	var pkts []Outbound
	for _, ip := range []string{"127.0.0.1", "::1"} {
		dst := netip.MustParseAddr(ip)
		port, _ := reserve(t, ns, l, netip.AddrPortFrom(dst, 0).String())
		h, _ := headers(netip.AddrPortFrom(dst, 9), netip.AddrPortFrom(dst, port), wire.TCP{Flags: wire.SYN}, nil, false)
		pkts = append(pkts, slices.Repeat([]Outbound{{Header: h}}, 10)...)
	}
	check(t, l.Write(pkts))
	time.Sleep(20 * time.Millisecond) // until most likely all have arrived
	check(t, ns.Do(func() error {
		seen := make(map[byte]bool)
		in := buffers(2)
		for range 2 {
			n, err := l.Read(in)
			if err != nil {
				return err
			}
			for _, p := range in[:n] {
				seen[p.Buf[0]>>4] = true
			}
		}
		if len(seen) != 2 {
			t.Errorf("only saw version %v", seen)
		}
		return nil
	}))
}

func TestLocalClose(t *testing.T) {
	ns := newNamespace(t)
	l := openLocal(t, ns)
	_, release := reserve(t, ns, l, "[::]:0")
	in := readAll(t, ns, l)
	time.Sleep(10 * time.Millisecond) // so that Read most likely waits
	check(t, l.Close())
	select {
	case err := <-in.done:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Read still waits")
	}
	h, _ := headers(netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:1"), wire.TCP{}, nil, false)
	if err := l.Write([]Outbound{{Header: h}}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	check(t, l.Close())
	release()
	l.Stats()
}
