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
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// A peer is the least of a TCP endpoint, by hand, on a packet device. Its sequence
// numbers start at 0.
type peer struct {
	t      testing.TB
	dev    *Packet
	in     *inbox
	local  netip.AddrPort
	remote netip.AddrPort
	mac    wire.MAC // where to send
	ack    uint32
	conn   net.Conn // the kernel's end
}

// connect has the kernel at the other end of the cable connect to the service address and
// answers with the device: first the question for the MAC, then the SYN.
func connect(t testing.TB, c cable, addr netip.Addr) *peer {
	t.Helper()
	p := &peer{t: t, dev: c.openPacket(t, addr), local: netip.AddrPortFrom(addr, 80)}
	p.in = readAll(t, c.a, p.dev)

	dialed := make(chan error, 1)
	go func() {
		dialed <- c.b.Do(func() (err error) {
			p.conn, err = net.DialTimeout("tcp", p.local.String(), patience)
			return err
		})
	}()
	if addr.Is4() {
		p.answerARP()
	} else {
		p.answerSolicitation()
	}

	syn := p.in.next("SYN", func(pk packet) bool { return ethertype(pk.b) != wire.EtherTypeARP })
	eth, b, err := wire.ParseEthernet(syn.b)
	check(t, err)
	ip, tcp, _, ok := parseTCP(b)
	if !ok || tcp.Flags != wire.SYN || ip.Dst != addr || tcp.DstPort != 80 {
		t.Fatalf("not the SYN: %s", wire.Format(syn.b))
	}
	if eth.Dst != group {
		t.Errorf("the SYN is for %v, not the group's MAC", eth.Dst)
	}
	if !syn.verified {
		t.Error("the SYN's checksum was never computed; it must not be checked")
	}
	p.remote, p.mac = netip.AddrPortFrom(ip.Src, tcp.SrcPort), eth.Src
	p.ack = tcp.Seq + 1
	p.send(wire.TCP{Flags: wire.SYN | wire.ACK, Options: wire.Options{MSS: 1400}}, nil, 0)
	if err := <-dialed; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.conn.Close() })
	return p
}

func (p *peer) answerARP() {
	p.t.Helper()
	p.in.next("ARP request", p.isARP)
}

// isARP answers a packet if it is an ARP request.
func (p *peer) isARP(question packet) bool {
	p.t.Helper()
	eth, b, err := wire.ParseEthernet(question.b)
	check(p.t, err)
	if eth.Type != wire.EtherTypeARP {
		return false
	}
	arp, err := wire.ParseARP(b)
	check(p.t, err)
	if arp.TargetIP != p.local.Addr() {
		p.t.Fatalf("asks for %v", arp.TargetIP)
	}
	reply := wire.ARP{Op: wire.ARPReply, SenderMAC: group, SenderIP: arp.TargetIP, TargetMAC: arp.SenderMAC, TargetIP: arp.SenderIP}
	p.write(Outbound{Header: reply.Append(wire.Ethernet{Dst: arp.SenderMAC, Src: group, Type: wire.EtherTypeARP}.Append(nil))})
	return true
}

func (p *peer) answerSolicitation() {
	p.t.Helper()
	var src netip.Addr
	var question wire.Neighbor
	frame := p.in.next("neighbour solicitation", func(pk packet) bool {
		_, b, err := wire.ParseEthernet(pk.b)
		check(p.t, err)
		ip, payload, err := wire.ParseIP(b)
		if err != nil || ip.Proto != wire.ProtoICMPv6 {
			return false
		}
		m, err := wire.ParseICMP(payload, ip.Src, ip.Dst)
		check(p.t, err)
		question, err = wire.ParseNeighbor(m)
		src = ip.Src
		return err == nil
	})
	if question.Target != p.local.Addr() {
		p.t.Fatalf("asks for %v", question.Target)
	}
	eth, _, _ := wire.ParseEthernet(frame.b)
	if !eth.Dst.IsMulticast() {
		p.t.Fatalf("the solicitation is for %v, not a group", eth.Dst)
	}
	n := wire.Neighbor{Advertisement: true, Solicited: true, Override: true, Target: question.Target, LinkAddr: group}
	p.write(Outbound{Header: advertisement(n, p.local.Addr(), src, eth.Src)})
}

func advertisement(n wire.Neighbor, src, dst netip.Addr, mac wire.MAC) []byte {
	m := n.ICMP()
	body := m.Append(nil, src, dst)
	ip := wire.IP{Src: src, Dst: dst, Proto: wire.ProtoICMPv6, TTL: 255}
	b := wire.Ethernet{Dst: mac, Src: group, Type: wire.EtherTypeIPv6}.Append(nil)
	return append(ip.Append(b, len(body)), body...)
}

func (p *peer) write(pkts ...Outbound) {
	p.t.Helper()
	check(p.t, p.dev.Write(pkts))
}

// outbound returns a segment with everything left to the device that can be.
func (p *peer) outbound(tcp wire.TCP, payload []byte, segmentSize int) Outbound {
	tcp.Ack, tcp.Window = p.ack, 65535
	b, start := headers(p.local, p.remote, tcp, payload, true)
	typ := wire.EtherTypeIPv4
	if p.local.Addr().Is6() {
		typ = wire.EtherTypeIPv6
	}
	out := Outbound{
		Header:         append(wire.Ethernet{Dst: p.mac, Src: group, Type: typ}.Append(nil), b...),
		ChecksumStart:  wire.EthernetLen + start,
		ChecksumOffset: wire.TCPChecksumOffset,
		SegmentSize:    segmentSize,
	}
	// In parts, as it lies in a stack's buffer.
	for len(payload) > 0 {
		n := min(len(payload), 7001)
		out.Payload = append(out.Payload, payload[:n])
		payload = payload[n:]
	}
	return out
}

func (p *peer) send(tcp wire.TCP, payload []byte, segmentSize int) {
	p.t.Helper()
	p.write(p.outbound(tcp, payload, segmentSize))
}

func bothVersions(t *testing.T, f func(t *testing.T, addr netip.Addr)) {
	for _, addr := range []netip.Addr{service4, service6} {
		t.Run(fmt.Sprintf("ipv%d", map[bool]int{true: 4, false: 6}[addr.Is4()]), func(t *testing.T) { f(t, addr) })
	}
}

// The kernel of another machine connects to an address that no kernel owns, and
// what the two ends send arrives.
func TestPacketConnection(t *testing.T) {
	bothVersions(t, func(t *testing.T, addr netip.Addr) {
		c := newCable(t)
		seen := newCapture(t, c.b, "eth0")
		p := connect(t, c, addr)

		// In: more than one segment's worth in one frame.
		request := make([]byte, 8000)
		rand.Read(request)
		_, err := p.conn.Write(request)
		check(t, err)
		var got []byte
		merged := false
		for len(got) < len(request) {
			frame := p.in.next("data", func(packet) bool { return true })
			_, b, err := wire.ParseEthernet(frame.b)
			check(t, err)
			_, tcp, payload, ok := parseTCP(b)
			if !ok || len(payload) == 0 {
				continue
			}
			if tcp.Seq != p.ack {
				continue // the kernel repeats what was never acknowledged
			}
			got = append(got, payload...)
			p.ack += uint32(len(payload))
			if len(frame.b) > 1514 {
				merged = true
				if frame.segmentSize < 1300 || frame.segmentSize > 1400 {
					t.Errorf("a frame of %d bytes has segment size %d", len(frame.b), frame.segmentSize)
				}
			}
			if !frame.verified {
				t.Error("data not verified")
			}
		}
		if !bytes.Equal(got, request) {
			t.Error("request changed")
		}
		if !merged {
			t.Error("the request came in small segments")
		}

		// Out: likewise.
		response := make([]byte, 30000)
		rand.Read(response)
		p.send(wire.TCP{Flags: wire.ACK | wire.PSH, Seq: 1}, response, 1400)
		got = make([]byte, len(response))
		p.conn.SetReadDeadline(time.Now().Add(patience))
		_, err = io.ReadFull(p.conn, got)
		check(t, err)
		if !bytes.Equal(got, response) {
			t.Error("response changed")
		}

		for _, f := range seen.frames() {
			if _, tcp, _, ok := parseTCP(f[wire.EthernetLen:]); ok && tcp.Flags&wire.RST != 0 {
				t.Errorf("somebody sent %s", wire.Format(f))
			}
		}
		if s := p.dev.Stats(); s != (Stats{}) {
			t.Errorf("lost packets: %+v", s)
		}
	})
}

// Where no hardware cuts segments and computes checksums the kernel has to, before
// the frame leaves.
func TestPacketSegmentation(t *testing.T) {
	bothVersions(t, func(t *testing.T, addr netip.Addr) {
		c := newCable(t)
		setOffload(t, c.a, "eth0", ethtoolSetTSO, 0)
		setOffload(t, c.a, "eth0", ethtoolSetTxChecksum, 0)
		p := connect(t, c, addr)
		seen := newCapture(t, c.b, "eth0")

		response := make([]byte, 30000)
		rand.Read(response)
		const size = 1400
		p.send(wire.TCP{Flags: wire.ACK | wire.PSH, Seq: 1}, response, size)
		got := make([]byte, len(response))
		p.conn.SetReadDeadline(time.Now().Add(patience))
		_, err := io.ReadFull(p.conn, got)
		check(t, err)
		if !bytes.Equal(got, response) {
			t.Error("response changed")
		}
		sent, segments := 0, 0
		for _, f := range seen.until(func(f []byte) bool {
			_, tcp, payload, ok := parseTCP(f[wire.EthernetLen:])
			return ok && int(tcp.Seq)+len(payload) == 1+len(response)
		}) {
			ip, tcp, payload, ok := parseTCP(f[wire.EthernetLen:])
			if !ok || ip.Src != addr {
				continue
			}
			if at := int(tcp.Seq) - 1; len(payload) != min(size, len(response)-at) {
				t.Errorf("the segment at %d has %d bytes", tcp.Seq, len(payload))
			}
			if !bytes.Equal(payload, response[tcp.Seq-1:][:len(payload)]) {
				t.Errorf("segment at %d has other data", tcp.Seq)
			}
			if segment := f[wire.EthernetLen+ip.HeaderLen:]; !wire.TCPChecksumOK(segment[:tcp.Len()+len(payload)], ip.Src, ip.Dst) {
				t.Errorf("segment at %d has a wrong checksum", tcp.Seq)
			}
			sent += len(payload)
			segments++
		}
		if want := (len(response) + size - 1) / size; sent != len(response) || segments != want {
			t.Errorf("%d bytes in %d segments, not %d in %d", sent, segments, len(response), want)
		}
	})
}

// Only frames for the service address arrive, and only on its MACs.
func TestPacketFilter(t *testing.T) {
	c := newCable(t)
	var (
		own    = hardwareAddr(t, c.a, "eth0")
		client = hardwareAddr(t, c.b, "eth0")
		other4 = netip.MustParseAddr("10.0.0.8")
		from4  = netip.MustParseAddr("10.0.0.2")
		other6 = netip.MustParseAddr("fd00::8")
		from6  = netip.MustParseAddr("fd00::2")
		stray  = wire.MAC{0x02, 0xf7, 0xc9, 1, 2, 4}
	)
	segment := func(mac wire.MAC, src, dst netip.Addr) []byte {
		typ := wire.EtherTypeIPv4
		if src.Is6() {
			typ = wire.EtherTypeIPv6
		}
		b, _ := headers(netip.AddrPortFrom(src, 9), netip.AddrPortFrom(dst, 80), wire.TCP{Flags: wire.SYN}, nil, false)
		return append(wire.Ethernet{Dst: mac, Src: client, Type: typ}.Append(nil), b...)
	}
	arp := func(sender, target netip.Addr) []byte {
		a := wire.ARP{Op: wire.ARPRequest, SenderMAC: client, SenderIP: sender, TargetIP: target}
		return a.Append(wire.Ethernet{Dst: wire.Broadcast, Src: client, Type: wire.EtherTypeARP}.Append(nil))
	}
	answer := func(target netip.Addr) []byte {
		a := wire.ARP{Op: wire.ARPReply, SenderMAC: client, SenderIP: from4, TargetMAC: own, TargetIP: target}
		return a.Append(wire.Ethernet{Dst: own, Src: client, Type: wire.EtherTypeARP}.Append(nil))
	}
	neighbor := func(adv bool, target netip.Addr) []byte {
		dst := netip.MustParseAddr("ff02::1")
		n := wire.Neighbor{Advertisement: adv, Target: target, LinkAddr: client}
		return advertisement(n, from6, dst, wire.MulticastMAC(dst))
	}
	presence := func(mac wire.MAC) []byte {
		p := wire.Presence{Kind: wire.PresenceBeacon}
		return p.Append(wire.Ethernet{Dst: mac, Src: client, Type: wire.EtherTypePresence}.Append(nil), new([32]byte))
	}
	tagged := func(vlan byte, frame []byte) []byte {
		return append(append(append([]byte{}, frame[:12]...), 0x81, 0, 0, vlan), frame[12:]...)
	}
	zero := netip.IPv4Unspecified()
	for _, tt := range []struct {
		name    string
		service netip.Addr
		frame   []byte
		want    bool
	}{
		{"segment to the group's MAC", service4, segment(group, from4, service4), true},
		{"segment to the interface's MAC", service4, segment(own, from4, service4), true},
		{"segment to another MAC, last byte", service4, segment(stray, from4, service4), false},
		{"segment to another MAC, first byte", service4, segment(wire.MAC{0x06, 0xf7, 0xc9, 1, 2, 3}, from4, service4), false},
		{"segment to another address", service4, segment(group, from4, other4), false},
		{"segment from the address", service4, segment(group, service4, other4), false},
		{"question for the address", service4, arp(from4, service4), true},
		{"probe for the address", service4, arp(zero, service4), true},
		{"claim to the address", service4, arp(service4, service4), true},
		{"question by the address", service4, arp(service4, other4), true},
		{"question for another address", service4, arp(from4, other4), false},
		{"answer to a probe", service4, answer(zero), true},
		{"answer to another", service4, answer(other4), false},
		{"IPv6 to an IPv4 service", service4, segment(group, from6, service6), false},
		{"presence, to all", service4, presence(wire.Broadcast), true},
		{"presence, to the interface's MAC", service4, presence(own), true},
		{"presence, to the group's MAC", service4, presence(group), true},
		{"presence, to another MAC", service4, presence(stray), false},
		{"presence, in a VLAN", service4, tagged(5, presence(wire.Broadcast)), false},
		{"the other experimental type", service4, wire.Ethernet{Dst: wire.Broadcast, Src: client, Type: 0x88b6}.Append(nil), false},
		{"in a VLAN", service4, tagged(5, segment(group, from4, service4)), false},
		{"with a priority", service4, tagged(0, segment(group, from4, service4)), true},

		{"segment to the group's MAC", service6, segment(group, from6, service6), true},
		{"segment to the interface's MAC", service6, segment(own, from6, service6), true},
		{"segment to another MAC", service6, segment(stray, from6, service6), false},
		{"segment to another address", service6, segment(group, from6, other6), false},
		{"solicitation", service6, neighbor(false, service6), true},
		{"solicitation of another", service6, neighbor(false, other6), false},
		{"advertisement", service6, neighbor(true, service6), true},
		{"advertisement of another to all, as the answer to a probe is", service6, neighbor(true, other6), true},
		{"presence, to all", service6, presence(wire.Broadcast), true},
		{"presence, to the interface's MAC", service6, presence(own), true},
		{"presence, to the group's MAC", service6, presence(group), true},
		{"presence, to another MAC", service6, presence(stray), false},
		{"presence, in a VLAN", service6, tagged(5, presence(wire.Broadcast)), false},
		{"the other experimental type", service6, wire.Ethernet{Dst: wire.Broadcast, Src: client, Type: 0x88b6}.Append(nil), false},
		{"ARP to an IPv6 service", service6, arp(from4, service4), false},
	} {
		t.Run(fmt.Sprintf("%v/%s", tt.service, tt.name), func(t *testing.T) {
			dev := c.openPacket(t, tt.service)
			defer dev.Close()
			in := readAll(t, c.a, dev)
			inject(t, c.b, "eth0", tt.frame)
			if tt.want {
				in.next("frame", func(p packet) bool { return true })
			}
			// A frame that does arrive, to know when the other one would have.
			last := segment(group, from4, service4)
			if tt.service.Is6() {
				last = segment(group, from6, service6)
			}
			last[6] = 0xee // its source
			inject(t, c.b, "eth0", last)
			if p := in.next("last frame", func(p packet) bool { return true }); p.b[6] != 0xee {
				t.Errorf("received %s", wire.Format(p.b))
			}
		})
	}
}

// What the device itself or another program sends on the interface is not received.
func TestPacketIgnoresOutgoing(t *testing.T) {
	c := newCable(t)
	dev := c.openPacket(t, service4)
	in := readAll(t, c.a, dev)
	b, _ := headers(netip.MustParseAddrPort("10.0.0.1:9"), netip.AddrPortFrom(service4, 80), wire.TCP{Flags: wire.SYN}, nil, false)
	frame := append(wire.Ethernet{Dst: group, Src: group, Type: wire.EtherTypeIPv4}.Append(nil), b...)
	check(t, dev.Write([]Outbound{{Header: frame}}))
	inject(t, c.a, "eth0", frame)
	frame[6] = 0xee
	inject(t, c.b, "eth0", frame)
	if p := in.next("frame", func(packet) bool { return true }); p.b[6] != 0xee {
		t.Errorf("received what was sent: %s", wire.Format(p.b))
	}
}

// A checksum that nobody vouches for is not said to be verified.
func TestPacketUnverified(t *testing.T) {
	c := newCable(t)
	dev := c.openPacket(t, service4)
	in := readAll(t, c.a, dev)
	b, start := headers(netip.MustParseAddrPort("10.0.0.2:9"), netip.AddrPortFrom(service4, 80), wire.TCP{Flags: wire.SYN}, nil, false)
	b[start+wire.TCPChecksumOffset] ^= 1
	inject(t, c.b, "eth0", append(wire.Ethernet{Dst: group, Src: hardwareAddr(t, c.b, "eth0"), Type: wire.EtherTypeIPv4}.Append(nil), b...))
	if p := in.next("frame", func(packet) bool { return true }); p.verified {
		t.Error("verified")
	}
}

// The kernel refuses one packet; those before and after it go.
func TestPacketRefused(t *testing.T) {
	c := newCable(t)
	p := connect(t, c, service4)
	before := p.outbound(wire.TCP{Flags: wire.ACK, Seq: 1}, []byte("before "), 0)
	tooLong := p.outbound(wire.TCP{Flags: wire.ACK, Seq: 1}, make([]byte, 5000), 0)
	after := p.outbound(wire.TCP{Flags: wire.ACK, Seq: 8}, []byte("after"), 0)
	badOffset := after
	badOffset.ChecksumStart = 5000
	p.write(before, tooLong, badOffset, after)
	got := make([]byte, 12)
	p.conn.SetReadDeadline(time.Now().Add(patience))
	_, err := io.ReadFull(p.conn, got)
	check(t, err)
	if string(got) != "before after" {
		t.Errorf("got %q", got)
	}
	if s := p.dev.Stats(); s.Refused != 2 {
		t.Errorf("%+v", s)
	}
}

// More packets than one system call takes.
func TestPacketManyAtOnce(t *testing.T) {
	c := newCable(t)
	p := connect(t, c, service4)
	const n = 5*batch + 3
	var want []byte
	var pkts []Outbound
	for i := range n {
		data := fmt.Appendf(nil, "%4d,", i)
		pkts = append(pkts, p.outbound(wire.TCP{Flags: wire.ACK, Seq: uint32(1 + len(want))}, data, 0))
		want = append(want, data...)
	}
	p.write(pkts...)
	got := make([]byte, len(want))
	p.conn.SetReadDeadline(time.Now().Add(patience))
	_, err := io.ReadFull(p.conn, got)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Error("changed on the way")
	}
}

func TestPacketTruncated(t *testing.T) {
	c := newCable(t)
	dev := c.openPacket(t, service4)
	frame := func(source byte, payload int) []byte {
		data := make([]byte, payload)
		b, _ := headers(netip.MustParseAddrPort("10.0.0.2:9"), netip.AddrPortFrom(service4, 80), wire.TCP{Flags: wire.ACK}, data, false)
		eth := wire.Ethernet{Dst: group, Src: wire.MAC{source}, Type: wire.EtherTypeIPv4}.Append(nil)
		return append(append(eth, b...), data...)
	}
	for i, size := range []int{0, 500, 1, 500, 2} {
		inject(t, c.b, "eth0", frame(byte(2*i), size))
	}
	pkts := make([]Inbound, 8)
	var storage []*byte
	for i := range pkts {
		pkts[i].Buf = make([]byte, 100)
		storage = append(storage, &pkts[i].Buf[0])
	}
	var sources []byte
	for len(sources) < 3 {
		n, err := dev.Read(pkts)
		check(t, err)
		for _, p := range pkts[:n] {
			sources = append(sources, p.Buf[6])
		}
	}
	slices.Sort(sources)
	if !bytes.Equal(sources, []byte{0, 4, 8}) {
		t.Errorf("read the frames from %v", sources)
	}
	for i := range pkts {
		if &pkts[i].Buf[0] != storage[i] {
			t.Errorf("buffer %d is another", i)
		}
	}
	if s := dev.Stats(); s.Truncated != 2 {
		t.Errorf("%+v", s)
	}
}

func TestPacketClose(t *testing.T) {
	c := newCable(t)
	dev := c.openPacket(t, service6)
	in := readAll(t, c.a, dev)
	time.Sleep(10 * time.Millisecond) // so that Read most likely waits
	check(t, dev.Close())
	select {
	case err := <-in.done:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Read still waits")
	}
	if err := dev.Write([]Outbound{{Header: make([]byte, 60)}}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	if _, err := dev.Read(buffers(1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read again: %v", err)
	}
	check(t, dev.Close())
	dev.Stats()
}

// An interface that goes down takes packets with it, not the device.
func TestPacketInterfaceDown(t *testing.T) {
	c := newCable(t)
	p := connect(t, c, service4)
	for range 3 {
		check(t, c.a.Down("eth0"))
		p.send(wire.TCP{Flags: wire.ACK, Seq: 1}, []byte("lost"), 0)
		time.Sleep(downInterval + 50*time.Millisecond)
		check(t, c.a.Up("eth0"))
		select {
		case err := <-p.in.done:
			t.Fatal(err)
		default:
		}
	}
	if s := p.dev.Stats(); s.Dropped != 3 {
		t.Errorf("%+v", s)
	}
	p.send(wire.TCP{Flags: wire.ACK, Seq: 1}, []byte("here"), 0)
	p.conn.SetDeadline(time.Now().Add(patience))
	got := make([]byte, 4)
	_, err := io.ReadFull(p.conn, got)
	check(t, err)
	if string(got) != "here" {
		t.Errorf("got %q", got)
	}
	p.in.next("acknowledgement", func(pk packet) bool {
		if p.isARP(pk) { // the other kernel has seen the cable go, and forgotten
			return false
		}
		_, tcp, _, ok := parseTCP(pk.b[wire.EthernetLen:])
		return ok && tcp.Ack == 5
	})
}

// An interface that is removed does not come back.
func TestPacketInterfaceRemoved(t *testing.T) {
	c := newCable(t)
	dev := c.openPacket(t, service4)
	in := readAll(t, c.a, dev)
	time.Sleep(10 * time.Millisecond)
	removeLink(t, c.a, "eth0")
	select {
	case err := <-in.done:
		t.Log(err)
	case <-time.After(patience):
		t.Fatal("Read still waits")
	}
	err := dev.Write([]Outbound{{Header: make([]byte, 60)}})
	if err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	t.Log(err)
}

// What waits to be read when the interface is removed is no sign that it is back.
func TestPacketInterfaceRemovedUnread(t *testing.T) {
	c := newCable(t)
	dev := c.openPacket(t, service4)
	b, _ := headers(netip.MustParseAddrPort("10.0.0.2:9"), netip.AddrPortFrom(service4, 80), wire.TCP{Flags: wire.SYN}, nil, false)
	frame := append(wire.Ethernet{Dst: group, Src: hardwareAddr(t, c.b, "eth0"), Type: wire.EtherTypeIPv4}.Append(nil), b...)
	for range 3 {
		inject(t, c.b, "eth0", frame)
	}
	removeLink(t, c.a, "eth0")
	in := readAll(t, c.a, dev)
	for range 3 {
		in.next("frame that waited", func(packet) bool { return true })
	}
	select {
	case err := <-in.done:
		t.Log(err)
	case <-time.After(patience):
		t.Fatal("Read still waits")
	}
}

func TestOpenPacketErrors(t *testing.T) {
	c := newCable(t)
	for _, tt := range []struct {
		cfg  PacketConfig
		want string
	}{
		{PacketConfig{}, "no service address"},
		{PacketConfig{Interface: "eth7", Addr: service4}, `interface "eth7"`},
		{PacketConfig{Interface: "lo", Addr: service4}, "not an Ethernet interface"},
		{PacketConfig{Addr: netip.MustParseAddr("192.0.2.1")}, "not on the network of any interface"},
	} {
		check(t, c.a.Do(func() error {
			d, err := OpenPacket(tt.cfg)
			if err == nil {
				d.Close()
			}
			if err == nil || !bytes.Contains([]byte(err.Error()), []byte(tt.want)) {
				t.Errorf("%+v: %v", tt.cfg, err)
			}
			return nil
		}))
	}
	check(t, c.a.Do(func() error {
		d, err := OpenPacket(PacketConfig{Addr: service4}) // finds eth0
		if err == nil {
			f := d.Features()
			if f.MTU != 1500 || f.MAC.IsZero() || f.GSO != 65535 || !f.Checksum {
				t.Errorf("%+v", f)
			}
			d.Close()
		}
		return err
	}))
}
