package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestTCPCapture(t *testing.T) {
	for _, tt := range []struct {
		name     string
		frame    []byte
		want     TCP
		payload  string
		src, dst string
	}{
		{"syn", syn, TCP{
			SrcPort: 55540, DstPort: 80, Seq: 1246570339, Flags: SYN, Window: 64240,
			Options: Options{
				MSS: 1460, SACKPermitted: true, HasTimestamps: true, TSVal: 4276932665,
				HasWindowScale: true, WindowScale: 10,
			},
		}, "", "10.0.0.1", "10.0.0.2"},
		{"push", push, TCP{
			SrcPort: 55540, DstPort: 80, Seq: 1246570340, Ack: 2514468039, Flags: PSH | ACK, Window: 63,
			Options: Options{HasTimestamps: true, TSVal: 4276932666, TSEcr: 4210360610},
		}, "GET /\n", "10.0.0.1", "10.0.0.2"},
		{"reset", reset, TCP{
			SrcPort: 81, DstPort: 34244, Ack: 3186392183, Flags: RST | ACK,
		}, "", "10.0.0.2", "10.0.0.1"},
		{"push6", push6, TCP{
			SrcPort: 60958, DstPort: 80, Seq: 46466478, Ack: 4023134856, Flags: PSH | ACK, Window: 64,
			Options: Options{HasTimestamps: true, TSVal: 2165393188, TSEcr: 1354256507},
		}, "GET /\n", "fd00::1", "fd00::2"},
	} {
		ip, segment, err := ParseIP(tt.frame[EthernetLen:])
		if err != nil {
			t.Fatal(err)
		}
		if ip.Src != addr(tt.src) || ip.Dst != addr(tt.dst) {
			t.Errorf("%s: from %v to %v", tt.name, ip.Src, ip.Dst)
		}
		got := TCP{Urgent: 99, Options: Options{NumSACK: 3}} // Parse must leave nothing of this
		payload, err := got.Parse(segment)
		if err != nil || got != tt.want || string(payload) != tt.payload {
			t.Errorf("%s: got %+v, %q, %v\nwant %+v", tt.name, got, payload, err, tt.want)
		}
		if !TCPChecksumOK(segment, ip.Src, ip.Dst) {
			t.Errorf("%s: checksum not OK", tt.name)
		}
		// Our bytes are Linux's, the checksum included.
		mine := append(got.Append(nil), payload...)
		SetTCPChecksum(mine, PseudoHeaderSum(ip.Src, ip.Dst, ProtoTCP, len(mine)))
		if !bytes.Equal(mine, segment) {
			t.Errorf("%s: append: %x\nwant %x", tt.name, mine, segment)
		}
	}
}

func TestTCPParseErrors(t *testing.T) {
	segment := syn[34:]
	change := func(i int, v byte) []byte {
		b := bytes.Clone(segment)
		b[i] = v
		return b
	}
	for _, tt := range []struct {
		name string
		b    []byte
		err  error
	}{
		{"empty", nil, ErrShort},
		{"19 bytes", segment[:19], ErrShort},
		{"options cut", segment[:39], ErrShort},
		{"offset 4", change(12, 0x40), ErrMalformed},
		{"offset 0", change(12, 0), ErrMalformed},
		{"offset 11", change(12, 0xb0), ErrShort},
		{"offset 10", change(12, 0xa0), nil},
		{"offset 5", change(12, 0x50), nil},
		{"reserved bits", change(12, 0xaf), nil},
	} {
		h := TCP{Seq: 1}
		payload, err := h.Parse(tt.b)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
		if err != nil && (payload != nil || h != TCP{}) {
			t.Errorf("%s: something besides an error", tt.name)
		}
	}
}

func TestTCPChecksum(t *testing.T) {
	src, dst := addr("10.0.0.1"), addr("10.0.0.2")
	for i := range len(push[34:]) * 8 {
		b := bytes.Clone(push[34:])
		b[i/8] ^= 1 << (i % 8)
		if TCPChecksumOK(b, src, dst) {
			t.Errorf("bit %d flipped and nobody noticed", i)
		}
	}
	if TCPChecksumOK(push[34:], src, addr("10.0.0.3")) {
		t.Error("checksum OK for another destination")
	}
	if TCPChecksumOK(push[34:53], src, dst) {
		t.Error("checksum OK without a header")
	}
}

// A header may be sent with a payload that is somewhere else, even in pieces.
func TestSetTCPChecksumInParts(t *testing.T) {
	segment := bytes.Clone(push[34:])
	want := bytes.Clone(segment)
	pseudo := PseudoHeaderSum(addr("10.0.0.1"), addr("10.0.0.2"), ProtoTCP, len(segment))
	for _, headerLen := range []int{32, 34, len(segment)} {
		SetTCPChecksum(segment[:headerLen], Sum(segment[headerLen:], pseudo))
		if !bytes.Equal(segment, want) {
			t.Errorf("header and %d bytes: checksum %x", headerLen-32, segment[16:18])
		}
	}
}

// What a device does with a partial checksum: sum the segment as it is, the field included, and store the complement.
func TestSetPartialChecksum(t *testing.T) {
	for _, frame := range [][]byte{syn, push, reset, push6} {
		ip, segment, _ := ParseIP(frame[EthernetLen:])
		b := bytes.Clone(segment)
		SetPartialChecksum(b, PseudoHeaderSum(ip.Src, ip.Dst, ProtoTCP, len(b)))
		sum := ^Fold(Sum(b, 0))
		b[TCPChecksumOffset], b[TCPChecksumOffset+1] = byte(sum>>8), byte(sum)
		if !bytes.Equal(b, segment) {
			t.Errorf("checksum %#04x, want %x", sum, segment[16:18])
		}
	}
}

func TestFlagsString(t *testing.T) {
	for f, want := range map[Flags]string{
		0: "none", SYN: "S", SYN | ACK: "S.", ACK: ".", PSH | ACK: "P.", FIN | ACK: "F.", RST: "R", RST | ACK: "R.",
		FIN | PSH | ACK: "FP.", SYN | ECE | CWR: "SEW", ACK | URG: ".U", 0xff: "FSRP.UEW",
	} {
		if got := f.String(); got != want {
			t.Errorf("%#02x: %q, want %q", uint8(f), got, want)
		}
	}
}

func TestTCPNoAllocation(t *testing.T) {
	ip := IP{Src: addr("fd00::1"), Dst: addr("fd00::2"), Proto: ProtoTCP, TTL: 64}
	h := TCP{Seq: 1, Flags: ACK, Options: Options{
		HasTimestamps: true, NumSACK: 3, SACK: [4]SACKBlock{{1, 2}, {3, 4}, {5, 6}},
	}}
	buf := make([]byte, 0, 2048)
	if n := testing.AllocsPerRun(100, func() {
		b := ip.Append(buf, h.Len())
		b = h.Append(b)
		segment := b[ip.Len():]
		SetTCPChecksum(segment, PseudoHeaderSum(ip.Src, ip.Dst, ProtoTCP, len(segment)))

		got, segment, err := ParseIP(b)
		if err != nil || !TCPChecksumOK(segment, got.Src, got.Dst) {
			t.Fatal(err)
		}
		var g TCP
		if _, err := g.Parse(segment); err != nil || g != h {
			t.Fatal(err)
		}
		if _, err := g.Parse(segment[:10]); err == nil {
			t.Fatal("no error")
		}
		if _, _, err := ParseIP(b[:10]); err == nil {
			t.Fatal("no error")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzTCP(f *testing.F) {
	for _, b := range frames {
		if _, segment, err := ParseIP(b[EthernetLen:]); err == nil {
			f.Add(segment)
		}
	}
	f.Add(append(bytes.Clone(syn[34:54]), unhex("0303ff 0000 0204 05b4 0102 0a0b 0c0d 0e0f 1011 12")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := TCP{Ack: 1, Options: Options{SACK: [4]SACKBlock{{1, 2}}}}
		payload, err := h.Parse(b)
		if err != nil {
			return
		}
		if n := int(b[12]>>4) * 4; len(payload) != len(b)-n || !within(payload, b) {
			t.Fatalf("payload of %d bytes in %d with a header of %d", len(payload), len(b), n)
		}
		if h.Options.WindowScale > MaxWindowScale || len(h.Options.Blocks()) != int(h.Options.NumSACK) {
			t.Fatalf("%+v", h.Options)
		}
		header := h.Append(nil)
		if len(header) != h.Len() || len(header) > 60 || len(header)%4 != 0 {
			t.Fatalf("Len %d, appended %d", h.Len(), len(header))
		}
		// Linux's layout is not the tightest, so SACK blocks may have been left out. All else survives.
		var again TCP
		rest, err := again.Parse(append(header, payload...))
		if err != nil || !bytes.Equal(rest, payload) {
			t.Fatal(err)
		}
		want := h
		if again.Options.NumSACK > h.Options.NumSACK {
			t.Fatalf("SACK blocks from nowhere: %+v", again)
		}
		want.Options.NumSACK = again.Options.NumSACK
		clear(want.Options.SACK[again.Options.NumSACK:])
		if again != want {
			t.Fatalf("got %+v\nwant %+v", again, want)
		}
		if !bytes.Equal(again.Append(nil), header[:len(header):len(header)]) {
			t.Fatal("not a fixpoint")
		}
		// Its checksum, once set, is right, and only then.
		src, dst := addr("192.0.2.1"), addr("192.0.2.2")
		segment := append(again.Append(nil), payload...)
		SetTCPChecksum(segment, PseudoHeaderSum(src, dst, ProtoTCP, len(segment)))
		if !TCPChecksumOK(segment, src, dst) {
			t.Fatal("checksum not OK")
		}
		segment[TCPChecksumOffset] ^= 0x10
		if TCPChecksumOK(segment, src, dst) {
			t.Fatal("wrong checksum OK")
		}
	})
}

func BenchmarkTCP(b *testing.B) {
	h := TCP{Seq: 1, Flags: ACK, Options: Options{HasTimestamps: true}}
	buf := h.Append(nil)
	b.Run("Parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.Parse(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Append", func(b *testing.B) {
		for b.Loop() {
			h.Append(buf[:0])
		}
	})
}
