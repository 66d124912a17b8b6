package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func TestIPv4Capture(t *testing.T) {
	h, payload, err := ParseIP(syn[EthernetLen:])
	want := IP{Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), Proto: ProtoTCP, TTL: 64, ID: 14173, DF: true, HeaderLen: 20}
	if err != nil || h != want {
		t.Fatalf("got %+v, %v, want %+v", h, err, want)
	}
	if len(payload) != 40 || !within(payload, syn) {
		t.Errorf("payload of %d bytes", len(payload))
	}
	if got := want.Append(nil, 40); !bytes.Equal(got, syn[14:34]) {
		t.Errorf("append: %x, want %x", got, syn[14:34])
	}
}

func TestIPv6Capture(t *testing.T) {
	h, payload, err := ParseIP(push6[EthernetLen:])
	want := IP{Src: addr("fd00::1"), Dst: addr("fd00::2"), Proto: ProtoTCP, TTL: 64, HeaderLen: 40}
	if err != nil || h != want {
		t.Fatalf("got %+v, %v, want %+v", h, err, want)
	}
	if len(payload) != 38 {
		t.Errorf("payload of %d bytes", len(payload))
	}
	header := bytes.Clone(push6[14:54])
	header[1], header[2], header[3] = 0, 0, 0 // Linux sends a flow label, we do not
	if got := want.Append(nil, 38); !bytes.Equal(got, header) {
		t.Errorf("append: %x, want %x", got, header)
	}
}

// ipv4 returns a packet made from the header of syn with changes, and a right checksum.
func ipv4(payloadLen int, change func(b []byte)) []byte {
	b := append(bytes.Clone(syn[14:34]), make([]byte, payloadLen)...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	change(b)
	n := min(max(int(b[0]&0xf)*4, 20), len(b))
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^Fold(Sum(b[:n], 0)))
	return b
}

// options4 returns a packet with options, and four bytes of payload.
func options4(options string) []byte {
	o := unhex(options)
	for len(o)%4 != 0 {
		o = append(o, 0)
	}
	return ipv4(len(o)+4, func(b []byte) {
		b[0] = byte(0x45 + len(o)/4)
		copy(b[20:], o)
	})
}

func TestParseIPv4(t *testing.T) {
	for _, tt := range []struct {
		name    string
		b       []byte
		payload int
		err     error
	}{
		{"empty", nil, 0, ErrShort},
		{"version 0", make([]byte, 20), 0, ErrUnsupported},
		{"19 bytes", ipv4(0, func([]byte) {})[:19], 0, ErrShort},
		{"only a header", ipv4(0, func([]byte) {}), 0, nil},
		{"padding", append(ipv4(3, func([]byte) {}), make([]byte, 23)...), 3, nil},
		{"cut short", ipv4(3, func([]byte) {})[:22], 0, ErrShort},
		{"header length 16", ipv4(0, func(b []byte) { b[0] = 0x44 }), 0, ErrMalformed},
		{"options", ipv4(8, func(b []byte) { b[0] = 0x46 }), 4, nil},
		{"options to skip", options4("01 9404 0000 4404 0505 44 0305"), 4, nil}, // router alert, timestamps
		{"option past the end of options", options4("00 830b"), 4, nil},
		{"option without a length", options4("01 01 01 94"), 0, ErrMalformed},
		{"option of one byte", options4("94 01 0000"), 0, ErrMalformed},
		{"option too long", options4("94 05 0000"), 0, ErrMalformed},
		{"loose route", options4("01 83 07 04 0a000003"), 0, ErrUnsupported},
		{"loose route at its end", options4("01 83 07 08 0a000003"), 0, ErrUnsupported},
		{"strict route", options4("9404 0000 89 07 04 0a000003 00"), 0, ErrUnsupported},
		{"options beyond total length", ipv4(3, func(b []byte) { b[0] = 0x46 }), 0, ErrMalformed},
		{"total length 0", ipv4(8, func(b []byte) { b[2], b[3] = 0, 0 }), 0, ErrMalformed},
		{"total length 19", ipv4(8, func(b []byte) { b[3] = 19 }), 0, ErrMalformed},
	} {
		h, payload, err := ParseIP(tt.b)
		if !errors.Is(err, tt.err) || len(payload) != tt.payload {
			t.Errorf("%s: %d bytes, %v; want %d, %v", tt.name, len(payload), err, tt.payload, tt.err)
		}
		if err != nil && (h != IP{} || payload != nil) {
			t.Errorf("%s: a header besides an error: %+v", tt.name, h)
		}
		if len(payload) != cap(payload) {
			t.Errorf("%s: appending to the payload would overwrite what follows the packet", tt.name)
		}
	}
}

func TestIPv4Checksum(t *testing.T) {
	for i := range 20 * 8 {
		b := bytes.Clone(syn[14:])
		b[i/8] ^= 1 << (i % 8)
		if _, _, err := ParseIP(b); err == nil {
			t.Errorf("bit %d flipped and nobody noticed", i)
		}
	}
	b := bytes.Clone(syn[14:])
	b[8]++
	if _, _, err := ParseIP(b); !errors.Is(err, ErrChecksum) {
		t.Errorf("TTL changed: %v, want ErrChecksum", err)
	}
}

func TestIPRoundTrip(t *testing.T) {
	for _, h := range []IP{
		{Src: addr("0.0.0.0"), Dst: addr("255.255.255.255"), Proto: ProtoUDP, TTL: 255, TOS: 255, ID: 65535},
		{Src: addr("192.0.2.1"), Dst: addr("192.0.2.2"), Proto: ProtoTCP, DF: true},
		{Src: addr("192.0.2.1"), Dst: addr("192.0.2.2"), Proto: ProtoTCP, MF: true, FragOffset: 8},
		{Src: addr("192.0.2.1"), Dst: addr("192.0.2.2"), Proto: ProtoTCP, FragOffset: 8 * 0x1fff},
		{Src: addr("::"), Dst: addr("ff02::1"), Proto: ProtoICMPv6, TTL: 255, TOS: 0xb9},
		{Src: addr("2001:db8::1"), Dst: addr("2001:db8::2"), Proto: ProtoTCP, TTL: 1, TOS: 0x0f},
	} {
		b := h.Append([]byte("before"), 5)
		if len(b) != 6+h.Len() {
			t.Errorf("%+v: Len %d, appended %d", h, h.Len(), len(b)-6)
		}
		b = append(b, "12345 and padding"...)
		got, payload, err := ParseIP(b[6:])
		h.HeaderLen = h.Len()
		if err != nil || got != h || string(payload) != "12345" {
			t.Errorf("got %+v, %q, %v, want %+v", got, payload, err, h)
		}
		if h.Fragment() != (h.MF || h.FragOffset > 0) {
			t.Errorf("%+v: Fragment %v", h, h.Fragment())
		}
	}
}

func TestIPAppendMapped(t *testing.T) {
	h := IP{Src: addr("::ffff:10.0.0.1"), Dst: addr("::ffff:10.0.0.2"), Proto: ProtoTCP, TTL: 64, ID: 14173, DF: true}
	if got := h.Append(nil, 40); h.Len() != 20 || !bytes.Equal(got, syn[14:34]) {
		t.Errorf("got %x", got)
	}
	(&IP{}).Append(nil, 0) // no address is no reason to panic
}

// ipv6 returns a packet with a next header and what follows it.
func ipv6(next Protocol, rest string) []byte {
	h := IP{Src: addr("fd00::1"), Dst: addr("fd00::2"), Proto: next, TTL: 64}
	b := unhex(rest)
	return append(h.Append(nil, len(b)), b...)
}

func TestIPv6Extensions(t *testing.T) {
	const pad = "00 0104 00000000" // length 0, PadN
	for _, tt := range []struct {
		name    string
		b       []byte
		header  int
		payload string
		err     error
	}{
		{"none", ipv6(6, "aabb"), 40, "aabb", nil},
		{"no next header", ipv6(59, "aabb"), 40, "aabb", nil},
		{"hop by hop", ipv6(0, "06"+pad+"aabb"), 48, "aabb", nil},
		{"hop by hop, routing, destination", ipv6(0, "2b"+pad+"3c 00 04 00 00000000 06"+pad+"aabb"), 64, "aabb", nil},
		{"hop by hop not first", ipv6(60, "00"+pad+"06"+pad), 0, "", ErrMalformed},
		{"sixteen bytes", ipv6(60, "06 01 010c 000000000000000000000000 aabb"), 56, "aabb", nil},
		{"one byte too long", ipv6(60, "06 01 010c 0000000000000000000000"), 0, "", ErrShort},
		{"ends in the header", ipv6(60, "06 00 0104 000000"), 0, "", ErrShort},
		{"nothing", ipv6(60, ""), 0, "", ErrShort},
		{"router alert", ipv6(0, "06 00 05020000 0100 aabb"), 48, "aabb", nil},
		{"unknown option to skip", ipv6(60, "06 00 1e 03 000000 00 aabb"), 48, "aabb", nil},
		{"unknown option to discard", ipv6(60, "06 00 5e 03 000000 00 aabb"), 0, "", ErrUnsupported},
		{"jumbogram", ipv6(0, "06 00 c204 00010000 aabb"), 0, "", ErrUnsupported},
		{"option past the end", ipv6(60, "06 00 0105 00000000 aabb"), 0, "", ErrMalformed},
		{"option without a length", ipv6(60, "06 00 0000 0000 0001 aabb"), 0, "", ErrMalformed},
		{"route to go", ipv6(43, "06 00 04 01 00000000 aabb"), 0, "", ErrUnsupported},
		{"type 0 to go", ipv6(43, "06 02 00 01 00000000 fd000000000000000000000000000003 aabb"), 0, "", ErrUnsupported},
		{"type 0 at its end", ipv6(43, "06 02 00 00 00000000 fd000000000000000000000000000003 aabb"), 64, "aabb", nil},
		{"only fragment", ipv6(44, "06 ff 0000 00000007 aabb"), 48, "aabb", nil},
		{"two fragment headers", ipv6(44, "2c 00 0000 00000007 06 00 0000 00000007"), 0, "", ErrMalformed},
		{"eight", ipv6(60, repeat("3c"+pad, 7)+"06"+pad+"aabb"), 104, "aabb", nil},
		{"nine", ipv6(60, repeat("3c"+pad, 8)+"06"+pad+"aabb"), 0, "", ErrUnsupported},
		{"padding", append(ipv6(6, "aabb"), 1, 2, 3), 40, "aabb", nil},
		{"cut short", ipv6(6, "aabb")[:41], 0, "", ErrShort},
		{"39 bytes", ipv6(6, "")[:39], 0, "", ErrShort},
	} {
		h, payload, err := ParseIP(tt.b)
		if !errors.Is(err, tt.err) || h.HeaderLen != tt.header || !bytes.Equal(payload, unhex(tt.payload)) {
			t.Errorf("%s: header %d, payload %x, %v; want %d, %s, %v",
				tt.name, h.HeaderLen, payload, err, tt.header, tt.payload, tt.err)
		}
		if h.Fragment() {
			t.Errorf("%s: a fragment", tt.name)
		}
	}
}

func repeat(s string, n int) string { return string(bytes.Repeat([]byte(s), n)) }

func TestIPv6Fragments(t *testing.T) {
	// A first fragment, whose offsets count from the end of the fragment header. Then one from the middle: what follows its
	// header looks like one more and is not. Its two reserved bits are set.
	h, payload, err := ParseIP(ipv6(44, "3c 00 0001 01020304 06 00 0104 00000000 aabb"))
	if err != nil || !h.Fragment() || !h.MF || h.FragOffset != 0 || h.FragID != 0x01020304 || h.Proto != extDestOptions || len(payload) != 10 {
		t.Errorf("first: %+v, %x, %v", h, payload, err)
	}
	h, payload, err = ParseIP(ipv6(44, "3c 00 05af 01020304 06 ff 0104 00000000 aabb"))
	if err != nil || !h.Fragment() || !h.MF || h.FragOffset != 1448 || h.Proto != extDestOptions || len(payload) != 10 {
		t.Errorf("middle: %+v, %x, %v", h, payload, err)
	}
}

func TestIPv6MappedAddress(t *testing.T) {
	for _, off := range []int{8, 24} {
		b := ipv6(6, "aabb")
		copy(b[off:], unhex("00000000000000000000ffff 0a000001"))
		if _, _, err := ParseIP(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("mapped address at %d: %v", off, err)
		}
	}
}

func FuzzParseIP(f *testing.F) {
	for _, b := range frames {
		f.Add(b[EthernetLen:])
	}
	f.Add(ipv6(44, "3c 00 0001 01020304 06 00 0104 00000000 aabb"))
	f.Add(ipv6(0, "2b 00 0104 00000000 3c 00 04 00 00000000 06 00 0104 00000000 aabb"))
	f.Add(ipv4(8, func(b []byte) { b[0] = 0x46 }))
	f.Fuzz(func(t *testing.T, b []byte) {
		// A random change would hardly ever pass the checksum, so put it right, in a copy.
		if len(b) >= 20 && b[0]>>4 == 4 {
			b = bytes.Clone(b)
			b[10], b[11] = 0, 0
			binary.BigEndian.PutUint16(b[10:], ^Fold(Sum(b[:min(len(b), int(b[0]&0xf)*4)], 0)))
		}
		h, payload, err := ParseIP(b)
		if err != nil {
			return
		}
		if h.HeaderLen < h.Len() || h.HeaderLen+len(payload) > len(b) || !within(payload, b) {
			t.Fatalf("header %d and payload %d of %d", h.HeaderLen, len(payload), len(b))
		}
		if len(payload) > 0 && &payload[0] != &b[h.HeaderLen] {
			t.Fatal("the payload does not follow the header")
		}
		if h.Len()+len(payload) > 65535 || h.Proto == extDestOptions || h.Proto == extHopByHop || h.Proto == extRouting || h.Proto == extFragment {
			return // an inner fragment, whose payload would be taken for headers once they are gone
		}
		want := h
		want.HeaderLen = h.Len()
		if h.Src.Is6() {
			want.FragHeader, want.MF, want.FragOffset, want.FragID = false, false, 0, 0
		}
		got, again, err := ParseIP(append(h.Append(nil, len(payload)), payload...))
		if err != nil || got != want || !bytes.Equal(again, payload) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}
