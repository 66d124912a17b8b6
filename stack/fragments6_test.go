package stack_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// IPv6 packets with extension headers, in pieces and whole: a SYN is answered or not.
func TestExtensionHeaders(t *testing.T) {
	src, dst := netip.MustParseAddrPort("[fd00::66]:1024"), netip.MustParseAddrPort("[fd00::1]:80")
	const (
		hopByHop    = 0
		routing     = 43
		fragment    = 44
		destination = 60
		tcp         = byte(wire.ProtoTCP)
	)
	syn := segment(src, dst, wire.TCP{Flags: wire.SYN, Window: 1000, Options: wire.Options{MSS: 1000}}, "")
	pad := func(next byte) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }
	frag := func(next byte, offset int, more bool) []byte {
		b := []byte{next, 0, 0, 0, 0, 0, 0, 1}
		binary.BigEndian.PutUint16(b[2:], uint16(offset))
		if more {
			b[3] |= 1
		}
		return b
	}
	route := func(kind, left byte) []byte {
		return append([]byte{tcp, 2, kind, left, 0, 0, 0, 0}, src.Addr().AsSlice()...)
	}
	packet := func(next byte, parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		ip := wire.IP{Src: src.Addr(), Dst: dst.Addr(), Proto: wire.Protocol(next), TTL: 64}
		return append(ip.Append(nil, len(b)), b...)
	}
	// In pieces it has a destination options header of its own.
	whole := append(pad(tcp), syn...)
	for _, test := range []struct {
		name     string
		packets  [][]byte
		answered bool
	}{
		{"none", [][]byte{packet(tcp, syn)}, true},
		{"padding", [][]byte{packet(hopByHop, pad(destination), pad(tcp), syn)}, true},
		{"an option that one has to know", [][]byte{packet(destination, []byte{tcp, 0, 0xde, 4, 0, 0, 0, 0}, syn)}, false},
		{"route of type 0 that goes on", [][]byte{packet(routing, route(0, 1), syn)}, false},
		{"route of type 0 that ends here", [][]byte{packet(routing, route(0, 0), syn)}, true},
		{"unknown header", [][]byte{packet(253, pad(tcp), syn)}, false},
		{"one piece", [][]byte{packet(fragment, frag(tcp, 0, false), syn)}, true},
		{"two pieces", [][]byte{
			packet(fragment, frag(destination, 0, true), whole[:16]),
			packet(fragment, frag(destination, 16, false), whole[16:])}, true},
		{"two pieces, the last first", [][]byte{
			packet(hopByHop, pad(fragment), frag(tcp, 16, false), whole[16:]), // what this one calls its payload is ignored
			packet(hopByHop, pad(fragment), frag(destination, 0, true), whole[:16])}, true},
		{"one of two pieces", [][]byte{packet(fragment, frag(tcp, 0, true), syn[:16])}, false},
		// RFC 6946: a packet in one piece has nothing to do with the pieces of another of the same number.
		{"one piece between two", [][]byte{
			packet(fragment, frag(tcp, 0, true), syn[:8]),
			packet(fragment, frag(tcp, 0, false), syn)}, true},
		{"overlap", [][]byte{
			packet(fragment, frag(tcp, 0, true), syn[:16]),
			packet(fragment, frag(tcp, 8, false), syn[8:])}, false},
		{"fragment in a fragment", [][]byte{
			packet(fragment, frag(fragment, 0, true), frag(tcp, 0, false)),
			packet(fragment, frag(fragment, 8, false), syn)}, false},
		{"fragments in fragments", [][]byte{
			packet(fragment, frag(fragment, 0, true), frag(tcp, 0, true)),
			packet(fragment, frag(fragment, 8, false), syn[:8])}, false},
		{"length not a multiple of 8", [][]byte{
			packet(fragment, frag(tcp, 0, true), syn[:12]),
			packet(fragment, frag(tcp, 16, false), syn[16:])}, false},
		{"beyond the greatest length", [][]byte{packet(fragment, frag(tcp, 65528, false), syn[:8])}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n ftcptest.Network
				defer n.Close()
				server := stack.New(stack.Config{})
				defer server.Close()
				port, service := n.Port("client"), n.Port("server")
				if _, err := server.AddLink(service, stack.LinkConfig{Addr: dst.Addr()}); err != nil {
					t.Fatal(err)
				}
				if _, err := server.Listen(dst); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second) // the announcements are over
				for _, p := range test.packets {
					eth := wire.Ethernet{Dst: service.Features().MAC, Src: port.Features().MAC, Type: wire.EtherTypeIPv6}
					port.Write([]device.Outbound{{Header: append(eth.Append(nil), p...)}})
				}
				synctest.Wait()
				if got := len(server.Conns()) == 1; got != test.answered {
					t.Errorf("answered %v; want %v", got, test.answered)
				}
			})
		})
	}
}

// Neighbour messages in fragments are ignored: RFC 6980.
func TestFragmentedNeighbor(t *testing.T) {
	asker, addr := netip.MustParseAddr("fd00::66"), netip.MustParseAddr("fd00::1")
	synctest.Test(t, func(t *testing.T) {
		var n ftcptest.Network
		defer n.Close()
		server := stack.New(stack.Config{})
		defer server.Close()
		port, service := n.Port("client"), n.Port("server")
		if _, err := server.AddLink(service, stack.LinkConfig{Addr: addr}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		before := n.Stats().Sent
		ask := wire.Neighbor{Target: addr, LinkAddr: port.Features().MAC}
		m := ask.ICMP()
		message := m.Append(nil, asker, addr)
		fragmented := append([]byte{byte(wire.ProtoICMPv6), 0, 0, 0, 0, 0, 0, 1}, message...)
		for i, p := range []struct {
			next    wire.Protocol
			payload []byte
			sent    int // frames since the beginning, these included
		}{{44, fragmented, 1}, {wire.ProtoICMPv6, message, 3}} {
			ip := wire.IP{Src: asker, Dst: addr, Proto: p.next, TTL: 255}
			eth := wire.Ethernet{Dst: service.Features().MAC, Src: port.Features().MAC, Type: wire.EtherTypeIPv6}
			port.Write([]device.Outbound{{Header: append(ip.Append(eth.Append(nil), len(p.payload)), p.payload...)}})
			synctest.Wait()
			if got := n.Stats().Sent - before; got != p.sent {
				t.Errorf("message %d: %d frames in all; want %d", i, got, p.sent)
			}
		}
	})
}
