package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
)

func TestICMPCapture(t *testing.T) {
	for _, tt := range []struct {
		name  string
		frame []byte
		want  ICMP
	}{
		{"port unreachable", portUnreachable,
			ICMP{Type: ICMPUnreachable, Code: ICMPCodePortUnreachable, Body: portUnreachable[42:]}},
		{"port unreachable 6", portUnreachable6,
			ICMP{V6: true, Type: ICMPv6Unreachable, Code: ICMPv6CodePortUnreachable, Body: portUnreachable6[62:]}},
		{"neighbor advertisement", neighborAdvertisement,
			ICMP{V6: true, Type: ICMPv6NeighborAdvertisement, Rest: 0x60000000, Body: neighborAdvertisement[62:]}},
	} {
		ip, b, err := ParseIP(tt.frame[EthernetLen:])
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseICMP(b, ip.Src, ip.Dst)
		if err != nil || !sameICMP(got, tt.want) {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
		if got := tt.want.Append([]byte("before"), ip.Src, ip.Dst)[6:]; !bytes.Equal(got, b) {
			t.Errorf("%s: append: %x\nwant %x", tt.name, got, b)
		}
		for i := range len(b) * 8 {
			c := bytes.Clone(b)
			c[i/8] ^= 1 << (i % 8)
			if _, err := ParseICMP(c, ip.Src, ip.Dst); !errors.Is(err, ErrChecksum) {
				t.Errorf("%s: bit %d flipped: %v", tt.name, i, err)
			}
		}
		if _, err := ParseICMP(b[:7], ip.Src, ip.Dst); !errors.Is(err, ErrShort) {
			t.Errorf("%s: 7 bytes: %v", tt.name, err)
		}
	}
}

func sameICMP(a, b ICMP) bool {
	same := bytes.Equal(a.Body, b.Body)
	return same && a.V6 == b.V6 && a.Type == b.Type && a.Code == b.Code && a.Rest == b.Rest
}

func TestICMPEcho(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		request := ICMP{V6: v6, Type: ICMPEchoRequest, Rest: 0x12340001, Body: []byte("ping")}
		want := ICMP{V6: v6, Type: ICMPEchoReply, Rest: 0x12340001, Body: []byte("ping")}
		if v6 {
			request.Type, want.Type = ICMPv6EchoRequest, ICMPv6EchoReply
		}
		if !request.EchoRequest() || want.EchoRequest() {
			t.Errorf("V6 %v: EchoRequest is wrong", v6)
		}
		if got := request.EchoReply(); !sameICMP(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		// The number of the other version means something else.
		request.V6 = !v6
		if request.EchoRequest() {
			t.Errorf("%+v is a request", request)
		}
	}
}

func TestICMPMTU(t *testing.T) {
	for _, tt := range []struct {
		m   ICMP
		mtu int
		ok  bool
	}{
		{FragmentationNeeded(1400, nil), 1400, true},
		{ICMP{Type: ICMPUnreachable, Code: ICMPCodeFragmentationNeeded}, 0, true},
		{ICMP{Type: ICMPUnreachable, Code: ICMPCodeFragmentationNeeded, Rest: 0xff000578}, 1400, true},
		{ICMP{Type: ICMPUnreachable, Code: ICMPCodePortUnreachable, Rest: 1400}, 0, false},
		{PacketTooBig(1280, nil), 1280, true},
		{PacketTooBig(100000, nil), 100000, true},
		{ICMP{V6: true, Type: ICMPv6PacketTooBig, Rest: 0xffffffff}, 0x7fffffff, true},
		{ICMP{Type: ICMPv6PacketTooBig, Rest: 1400}, 0, false},
		{ICMP{V6: true, Type: ICMPUnreachable, Code: ICMPCodeFragmentationNeeded, Rest: 1400}, 0, false},
		{HostUnreachable(false, nil), 0, false},
		{HostUnreachable(true, nil), 0, false},
	} {
		if mtu, ok := tt.m.MTU(); mtu != tt.mtu || ok != tt.ok {
			t.Errorf("%+v: %d, %v, want %d, %v", tt.m, mtu, ok, tt.mtu, tt.ok)
		}
	}
}

// An error quotes a segment that we sent: the headers come back, whatever of the rest is missing.
func TestICMPQuoted(t *testing.T) {
	for _, tt := range []struct {
		name     string
		packet   []byte
		header   int
		v6       bool
		src, dst netip.Addr
		tcp      QuotedTCP
	}{
		{"v4", syn[EthernetLen:], 20, false, addr("10.0.0.1"), addr("10.0.0.2"), QuotedTCP{55540, 80, 1246570339}},
		{"v6", push6[EthernetLen:], 40, true, addr("fd00::1"), addr("fd00::2"), QuotedTCP{60958, 80, 46466478}},
	} {
		for _, m := range []ICMP{FragmentationNeeded(1400, tt.packet), HostUnreachable(tt.v6, tt.packet)} {
			m.Body = bytes.Clone(m.Body)
			for n := tt.header + 8; n <= len(tt.packet); n++ {
				m := m
				m.Body = m.Body[:n]
				ip, tcp, err := m.Quoted()
				if err != nil || ip.Src != tt.src || ip.Dst != tt.dst || tcp != tt.tcp || m.V6 != tt.v6 {
					t.Fatalf("%s: %d bytes: %+v, %+v, %v", tt.name, n, ip, tcp, err)
				}
			}
			for n := range tt.header + 8 {
				m := m
				m.Body = m.Body[:n]
				if _, _, err := m.Quoted(); !errors.Is(err, ErrShort) {
					t.Errorf("%s: %d bytes: %v, want ErrShort", tt.name, n, err)
				}
			}
			other := m
			other.V6 = !m.V6
			other.Type = ICMPUnreachable
			if _, _, err := other.Quoted(); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: in a message of the other version: %v", tt.name, err)
			}
			if !tt.v6 {
				m.Body[8] -= 3 // TTL
				if _, _, err := m.Quoted(); err != nil {
					t.Errorf("%s: a stale checksum: %v", tt.name, err)
				}
			}
		}
	}
	middle := bytes.Clone(syn[EthernetLen:])
	middle[7] = 1 // a fragment offset
	udp := portUnreachable[42:]
	for _, tt := range []struct {
		name string
		m    ICMP
		err  error
	}{
		{"echo request", ICMP{Type: ICMPEchoRequest, Body: syn[EthernetLen:]}, ErrUnsupported},
		{"echo request 6", ICMP{V6: true, Type: ICMPv6EchoRequest, Body: push6[EthernetLen:]}, ErrUnsupported},
		{"UDP", HostUnreachable(false, udp), ErrUnsupported},
		{"later fragment", HostUnreachable(false, middle), ErrUnsupported},
		{"nothing", HostUnreachable(false, nil), ErrShort},
		{"version 5", HostUnreachable(false, []byte{0x55}), ErrUnsupported},
	} {
		if _, _, err := tt.m.Quoted(); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
	}
}

func TestICMPQuoteLimit(t *testing.T) {
	long := make([]byte, 9000)
	long[0] = 0x45
	long6 := make([]byte, 9000)
	long6[0] = 0x60
	for _, tt := range []struct {
		m    ICMP
		want int
	}{
		{FragmentationNeeded(1500, long), 576 - 28},
		{HostUnreachable(false, long), 576 - 28},
		{FragmentationNeeded(1500, long6), 1280 - 48},
		{PacketTooBig(1500, long6), 1280 - 48},
		{HostUnreachable(true, long6), 1280 - 48},
	} {
		if len(tt.m.Body) != tt.want {
			t.Errorf("%+v quotes %d bytes, want %d", tt.m.Type, len(tt.m.Body), tt.want)
		}
	}
}

func FuzzICMP(f *testing.F) {
	v4 := HostUnreachable(false, syn[EthernetLen:])
	v6 := PacketTooBig(1280, push6[EthernetLen:])
	f.Add(v4.Append(nil, addr("10.0.0.1"), addr("10.0.0.2")), false)
	f.Add(v6.Append(nil, addr("fd00::1"), addr("fd00::2")), true)
	f.Add(portUnreachable[34:], false)
	f.Add(neighborSolicitation[54:], true)
	f.Fuzz(func(t *testing.T, b []byte, is6 bool) {
		src, dst := addr("10.0.0.1"), addr("10.0.0.2")
		if is6 {
			src, dst = addr("fd00::1"), addr("fd00::2")
		}
		if len(b) >= icmpLen { // put the checksum right: no random change would
			b = bytes.Clone(b)
			b[2], b[3] = 0, 0
			binary.BigEndian.PutUint16(b[2:], ^Fold(Sum(b, icmpInitialSum(is6, src, dst, len(b)))))
		}
		m, err := ParseICMP(b, src, dst)
		if err != nil {
			if len(b) >= icmpLen {
				t.Fatal(err)
			}
			return
		}
		if m.V6 != is6 || !within(m.Body, b) {
			t.Fatalf("%+v", m)
		}
		if got := m.Append(nil, src, dst); !bytes.Equal(got, b) {
			t.Fatalf("%x became %x", b, got)
		}
		if ip, _, err := m.Quoted(); err == nil {
			if ip.Proto != ProtoTCP || ip.Src.Is6() != is6 || ip.HeaderLen+8 > len(m.Body) || !m.ReportsError() {
				t.Fatalf("quoted %+v from %d bytes", ip, len(m.Body))
			}
		}
		if mtu, ok := m.MTU(); ok && (!m.ReportsError() || mtu < 0) {
			t.Fatalf("MTU %d", mtu)
		}
		if m.EchoRequest() {
			if reply := m.EchoReply(); reply.EchoRequest() || !bytes.Equal(reply.Body, m.Body) || reply.Rest != m.Rest {
				t.Fatalf("reply %+v", reply)
			}
		}
	})
}
