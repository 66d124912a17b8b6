package netns

import (
	"testing"

	"github.com/ftcp-project/ftcp/wire"
)

// What a sender says of itself: ECT(0) and ECT(1) of RFC 3168.
const (
	ecnCapable     = 2
	ecnAlsoCapable = 1
)

// ipv4 returns a frame with an IPv4 header.
func ipv4(ecn byte) []byte {
	frame := wire.Ethernet{Type: wire.EtherTypeIPv4}.Append(nil)
	packet := []byte{0x45, 0xb8 | ecn, 0, 20, 1, 2, 3, 4, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
	sum := ^wire.Fold(wire.Sum(packet, 0))
	packet[10], packet[11] = byte(sum>>8), byte(sum)
	return append(frame, packet...)
}

// ipv6 returns a frame with an IPv6 header.
func ipv6(ecn byte) []byte {
	frame := wire.Ethernet{Type: wire.EtherTypeIPv6}.Append(nil)
	return append(frame, append([]byte{0x6b, 0x8f | ecn<<4}, make([]byte, 38)...)...)
}

// ecn returns the two bits of the packet in a frame.
func ecn(frame []byte) byte {
	h, packet, _ := wire.ParseEthernet(frame)
	if h.Type == wire.EtherTypeIPv4 {
		return packet[1] & 3
	}
	return packet[1] >> 4 & 3
}

func TestMarkCongestion(t *testing.T) {
	for name, make := range map[string]func(byte) []byte{"IPv4": ipv4, "IPv6": ipv6} {
		for _, test := range []struct {
			ecn    byte
			marked bool
		}{{ecnNotCapable, false}, {ecnCapable, true}, {ecnAlsoCapable, true}, {congestionExperienced, false}} {
			frame := make(test.ecn)
			if got := markCongestion(frame); got != test.marked {
				t.Errorf("%s with %d: marked %v", name, test.ecn, got)
			}
			want := make(test.ecn)
			if test.marked {
				want = make(congestionExperienced) // also with its checksum
			}
			if string(frame) != string(want) {
				t.Errorf("%s with %d is now\n%x, want\n%x", name, test.ecn, frame, want)
			}
		}
	}
	for name, frame := range map[string][]byte{
		"nothing":    nil,
		"ARP":        append(wire.Ethernet{Type: wire.EtherTypeARP}.Append(nil), 0, 2),
		"short IPv4": ipv4(ecnCapable)[:30],
		"short IPv6": ipv6(ecnCapable)[:50],
	} {
		if markCongestion(frame) {
			t.Errorf("%s was marked", name)
		}
	}
}
