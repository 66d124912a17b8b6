package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
)

func TestNeighborCapture(t *testing.T) {
	for _, tt := range []struct {
		frame []byte
		want  Neighbor
	}{
		{neighborSolicitation, Neighbor{Target: addr("fd00::2"), LinkAddr: MAC{2, 0, 0, 0, 0, 0xa}}},
		{neighborAdvertisement, Neighbor{
			Advertisement: true, Target: addr("fd00::2"), LinkAddr: MAC{2, 0, 0, 0, 0, 0xb}, Solicited: true, Override: true,
		}},
	} {
		ip, b, err := ParseIP(tt.frame[EthernetLen:])
		if err != nil || ip.TTL != 255 {
			t.Fatalf("%+v, %v", ip, err)
		}
		m, err := ParseICMP(b, ip.Src, ip.Dst)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseNeighbor(m)
		if err != nil || got != tt.want {
			t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
		}
		mine := tt.want.ICMP()
		if got := mine.Append(nil, ip.Src, ip.Dst); !bytes.Equal(got, b) {
			t.Errorf("append: %x\nwant %x", got, b)
		}
	}
}

func TestParseNeighbor(t *testing.T) {
	const target = "fd000000000000000000000000000002"
	const link, link2 = "0101 02000000000a", "0201 02000000000b"
	message := func(typ uint8, body string) ICMP { return ICMP{V6: true, Type: typ, Body: unhex(body)} }
	for _, tt := range []struct {
		name string
		m    ICMP
		link MAC
		err  error
	}{
		{"no option", message(135, target), MAC{}, nil},
		{"source option", message(135, target+link), MAC{2, 0, 0, 0, 0, 0xa}, nil},
		{"target option of a solicitation", message(135, target+link2), MAC{}, nil},
		{"source option of an advertisement", message(136, target+link), MAC{}, nil},
		{"unknown option first", message(135, target+"0e02 0000000000000000000000000000"+link), MAC{2, 0, 0, 0, 0, 0xa}, nil},
		{"link address of another kind of link", message(135, target+"0102 0200000000000a00000000000000"), MAC{}, nil},
		{"option of length 0", message(135, target+link+"0e00 000000000000"), MAC{}, ErrMalformed},
		{"option cut", message(135, target+"0101 0200000000"), MAC{}, ErrMalformed},
		{"one byte more", message(135, target+"01"), MAC{}, ErrMalformed},
		{"target cut", message(135, target[2:]), MAC{}, ErrShort},
		{"target of a group", message(135, "ff020000000000000000000000000001"), MAC{}, ErrMalformed},
		{"target mapped", message(135, "00000000000000000000ffff0a000001"), MAC{}, ErrMalformed},
		{"router advertisement", message(134, target), MAC{}, ErrUnsupported},
		{"code 1", ICMP{V6: true, Type: 135, Code: 1, Body: unhex(target)}, MAC{}, ErrUnsupported},
		{"ICMP", ICMP{Type: 135, Body: unhex(target)}, MAC{}, ErrUnsupported},
	} {
		n, err := ParseNeighbor(tt.m)
		if !errors.Is(err, tt.err) || n.LinkAddr != tt.link {
			t.Errorf("%s: %+v, %v, want %v", tt.name, n, err, tt.err)
		}
	}
}

func TestMulticastAddresses(t *testing.T) {
	for a, want := range map[string]string{
		"fd00::2":                   "ff02::1:ff00:2",
		"fe80::1234:56ff:fe78:9abc": "ff02::1:ff78:9abc",
	} {
		if got := SolicitedNode(addr(a)); got != addr(want) {
			t.Errorf("SolicitedNode(%s) = %v, want %s", a, got, want)
		}
	}
	for a, want := range map[string]string{
		"ff02::1:ff00:2":         "33:33:ff:00:00:02",
		"ff02::1":                "33:33:00:00:00:01",
		"224.0.0.1":              "01:00:5e:00:00:01",
		"239.255.129.3":          "01:00:5e:7f:81:03",
		"::ffff:239.255.129.3":   "01:00:5e:7f:81:03",
		"ff02::1:fffe:dcba:9876": "33:33:dc:ba:98:76",
	} {
		if got := MulticastMAC(addr(a)).String(); got != want {
			t.Errorf("MulticastMAC(%s) = %s, want %s", a, got, want)
		}
	}
	// No address is no reason to panic.
	MulticastMAC(SolicitedNode(netip.Addr{}))
	MulticastMAC(netip.Addr{})
}

func FuzzNeighbor(f *testing.F) {
	f.Add(false, uint32(0), neighborSolicitation[62:])
	f.Add(true, uint32(0xffffffff), neighborAdvertisement[62:])
	f.Fuzz(func(t *testing.T, advertisement bool, rest uint32, body []byte) {
		m := ICMP{V6: true, Type: ICMPv6NeighborSolicitation, Rest: rest, Body: body}
		if advertisement {
			m.Type = ICMPv6NeighborAdvertisement
		}
		n, err := ParseNeighbor(m)
		if err != nil {
			return
		}
		if n.Advertisement != advertisement || !bytes.Equal(n.Target.AsSlice(), body[:16]) {
			t.Fatalf("%+v", n)
		}
		if !advertisement && (n.Router || n.Solicited || n.Override) {
			t.Fatalf("a solicitation with flags: %+v", n)
		}
		if again, err := ParseNeighbor(n.ICMP()); err != nil || again != n {
			t.Fatalf("got %+v, %v, want %+v", again, err, n)
		}
	})
}
