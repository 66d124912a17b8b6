package wire

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFormat(t *testing.T) {
	broken := func(frame []byte, i int) []byte {
		b := bytes.Clone(frame)
		b[i] ^= 1
		return b
	}
	partial := bytes.Clone(push)
	SetPartialChecksum(partial[34:], PseudoHeaderSum(addr("10.0.0.1"), addr("10.0.0.2"), ProtoTCP, len(push)-34))
	for _, tt := range []struct {
		frame []byte
		want  string
	}{
		{arpRequest, "ARP, Request who-has 10.0.0.2 tell 10.0.0.1"},
		{arpReply, "ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:0b"},
		{syn, "10.0.0.1.55540 > 10.0.0.2.80: Flags [S], seq 1246570339, win 64240, " +
			"options [mss 1460,sackOK,TS val 4276932665 ecr 0,wscale 10], length 0"},
		{synAck, "10.0.0.2.80 > 10.0.0.1.55540: Flags [S.], seq 2514468038, ack 1246570340, win 65160, " +
			"options [mss 1460,sackOK,TS val 4210360610 ecr 4276932665,wscale 10], length 0"},
		{push, "10.0.0.1.55540 > 10.0.0.2.80: Flags [P.], seq 1246570340:1246570346, ack 2514468039, win 63, " +
			"options [TS val 4276932666 ecr 4210360610], length 6"},
		{fin, "10.0.0.2.80 > 10.0.0.1.55540: Flags [F.], seq 2514468044, ack 1246570346, win 64, " +
			"options [TS val 4210360711 ecr 4276932666], length 0"},
		{reset, "10.0.0.2.81 > 10.0.0.1.34244: Flags [R.], seq 0, ack 3186392183, win 0, length 0"},
		{syn6, "fd00::1.60958 > fd00::2.80: Flags [S], seq 46466477, win 64800, " +
			"options [mss 1440,sackOK,TS val 2165393187 ecr 0,wscale 10], length 0"},
		{neighborSolicitation, "fd00::1 > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has fd00::2 from 02:00:00:00:00:0a, length 32"},
		{neighborAdvertisement, "fd00::2 > fd00::1: ICMP6, neighbor advertisement, tgt is fd00::2 at 02:00:00:00:00:0b, solicited, override, length 32"},
		{portUnreachable, "10.0.0.2 > 10.0.0.1: ICMP, port unreachable, length 37"},
		{portUnreachable6, "fd00::2 > fd00::1: ICMP6, port unreachable, length 57"},
		{broken(reset, 16+34), "10.0.0.2.81 > 10.0.0.1.34244: Flags [R.], seq 0, ack 3186392183, win 0, " +
			"bad cksum 0xda54 (->0xdb54), length 0"},
		{partial, "10.0.0.1.55540 > 10.0.0.2.80: Flags [P.], seq 1246570340:1246570346, ack 2514468039, win 63, " +
			"options [TS val 4276932666 ecr 4210360610], partial checksum, length 6"},
		{broken(portUnreachable, 37), "10.0.0.2 > 10.0.0.1: ICMP 3, bad cksum 0x111b (->0x111a), length 37"},
		{broken(syn, 20), "wire: bad checksum: IPv4 header, length 60"},
		{syn[:30], "wire: too short: IP packet, length 16"},
		{syn[:10], "wire: too short: Ethernet header, length 10"},
		{arpReply[:20], "wire: too short: ARP, length 6"},
		{unhex("ffffffffffff 02000000000a 88cc 0102"), "02:00:00:00:00:0a > ff:ff:ff:ff:ff:ff, ethertype 0x88cc, length 2"},
		{nil, "wire: too short: Ethernet header, length 0"},
	} {
		if got := Format(tt.frame); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestFormatIP(t *testing.T) {
	v4 := func(ip IP, payload []byte) []byte {
		ip.Src, ip.Dst = addr("10.0.0.1"), addr("10.0.0.2")
		return append(ip.Append(nil, len(payload)), payload...)
	}
	icmp := func(m ICMP) []byte {
		src, dst := addr("10.0.0.1"), addr("10.0.0.2")
		ip := IP{Src: src, Dst: dst, Proto: ProtoICMP}
		if m.V6 {
			src, dst = addr("fd00::1"), addr("fd00::2")
			ip = IP{Src: src, Dst: dst, Proto: ProtoICMPv6}
		}
		return append(ip.Append(nil, 8+len(m.Body)), m.Append(nil, src, dst)...)
	}
	h := TCP{
		SrcPort: 1, DstPort: 2, Seq: 0xffffffff, Ack: 5, Flags: ACK | URG, Window: 9, Urgent: 3,
		Options: Options{HasTimestamps: true, NumSACK: 2, SACK: [4]SACKBlock{{1, 2}, {3, 4}}},
	}
	segment := append(h.Append(nil), "abc"...)
	SetTCPChecksum(segment, PseudoHeaderSum(addr("10.0.0.1"), addr("10.0.0.2"), ProtoTCP, len(segment)))
	for _, tt := range []struct {
		packet []byte
		want   string
	}{
		{v4(IP{Proto: ProtoTCP}, segment), "10.0.0.1.1 > 10.0.0.2.2: Flags [.U], seq 4294967295:2, ack 5, win 9, urg 3, " +
			"options [TS val 0 ecr 0,sack 2 {1:2}{3:4}], length 3"},
		{v4(IP{Proto: ProtoTCP}, segment[:19]), "10.0.0.1 > 10.0.0.2: wire: too short: TCP header, length 19"},
		{v4(IP{Proto: ProtoUDP}, unhex("0035 1000 000a 0000 aabb")), "10.0.0.1.53 > 10.0.0.2.4096: UDP, length 2"},
		{v4(IP{Proto: ProtoUDP}, unhex("0035")), "10.0.0.1 > 10.0.0.2: wire: too short: UDP header, length 2"},
		{v4(IP{Proto: ProtoICMP}, unhex("08")), "10.0.0.1 > 10.0.0.2: wire: too short: ICMP message, length 1"},
		{v4(IP{Proto: ProtoICMPv6}, unhex("80")), "10.0.0.1 > 10.0.0.2: proto 58, length 1"},
		{v4(IP{Proto: 47}, unhex("00")), "10.0.0.1 > 10.0.0.2: proto 47, length 1"},
		{v4(IP{Proto: ProtoTCP, ID: 7, MF: true}, segment[:24]), "10.0.0.1 > 10.0.0.2: frag id 7, offset 0, more, proto 6, length 24"},
		{v4(IP{Proto: ProtoTCP, ID: 7, FragOffset: 24}, segment[24:]), "10.0.0.1 > 10.0.0.2: frag id 7, offset 24, proto 6, length 31"},
		{icmp(ICMP{Type: ICMPEchoRequest, Rest: 7<<16 | 1, Body: []byte("ping")}), "10.0.0.1 > 10.0.0.2: ICMP, echo request, id 7, seq 1, length 12"},
		{icmp(ICMP{Type: ICMPEchoReply, Rest: 7<<16 | 1}), "10.0.0.1 > 10.0.0.2: ICMP, echo reply, id 7, seq 1, length 8"},
		{icmp(ICMP{V6: true, Type: ICMPv6EchoReply, Rest: 7<<16 | 1}), "fd00::1 > fd00::2: ICMP6, echo reply, id 7, seq 1, length 8"},
		{icmp(ICMP{Type: 13}), "10.0.0.1 > 10.0.0.2: ICMP, type 13 code 0, length 8"},
		{icmp(FragmentationNeeded(1400, syn[14:42])), "10.0.0.1 > 10.0.0.2: ICMP, fragmentation needed, mtu 1400, " +
			"quoting 10.0.0.1.55540 > 10.0.0.2.80 seq 1246570339, length 36"},
		{icmp(FragmentationNeeded(1280, push6[14:])), "fd00::1 > fd00::2: ICMP6, packet too big, mtu 1280, " +
			"quoting fd00::1.60958 > fd00::2.80 seq 46466478, length 86"},
		{icmp(HostUnreachable(false, nil)), "10.0.0.1 > 10.0.0.2: ICMP, host unreachable, length 8"},
		{icmp(HostUnreachable(true, nil)), "fd00::1 > fd00::2: ICMP6, address unreachable, length 8"},
		{nil, "wire: too short: IP packet, length 0"},
	} {
		if got := FormatIP(tt.packet); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	if got, want := h.String(), "1 > 2: Flags [.U], ack 5, win 9, urg 3, options [TS val 0 ecr 0,sack 2 {1:2}{3:4}]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFormatARPKinds(t *testing.T) {
	mac := MAC{2, 0, 0, 0, 0, 0xa}
	for want, a := range map[string]ARP{
		"ARP, Probe 10.0.0.1 from 02:00:00:00:00:0a":         {Op: ARPRequest, SenderMAC: mac, TargetIP: addr("10.0.0.1")},
		"ARP, Announcement 10.0.0.1 is-at 02:00:00:00:00:0a": {Op: ARPRequest, SenderMAC: mac, SenderIP: addr("10.0.0.1"), TargetIP: addr("10.0.0.1")},
		"ARP, op 3": {Op: 3},
	} {
		if got := Format(a.Append(Ethernet{Type: EtherTypeARP}.Append(nil))); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzFormat(f *testing.F) {
	for _, b := range frames {
		f.Add(b)
	}
	f.Add(presence.Append(Ethernet{Type: EtherTypePresence}.Append(nil), &presenceKey))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []string{Format(b), FormatIP(b)} {
			if s == "" || strings.ContainsAny(s, "\n\x00%") || !utf8.ValidString(s) {
				t.Fatalf("not a line of text: %q", s)
			}
		}
		// A broken TCP header is described by its error, and a checksum is mentioned exactly when it is wrong.
		ip := IP{Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), Proto: ProtoTCP}
		if len(b) > 60000 {
			return
		}
		s := FormatIP(append(ip.Append(nil, len(b)), b...))
		var h TCP
		if _, err := h.Parse(b); err != nil {
			if !strings.Contains(s, err.Error()) {
				t.Fatalf("%v is described as %q", err, s)
			}
			return
		}
		bad := strings.Contains(s, "bad cksum") || strings.Contains(s, "partial checksum")
		if ok := TCPChecksumOK(b, ip.Src, ip.Dst); ok == bad {
			t.Fatalf("checksum OK %v is described as %q", ok, s)
		}
	})
}
