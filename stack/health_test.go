package stack_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// What is heard of another station is evidence that this node is not cut off, whatever it
// is. What may be an echo of our own frames is not.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &ftcptest.Network{}
		s := stack.New(stack.Config{})
		s.Silence()
		port, other := n.Port("server"), n.Port("other")
		if _, err := s.AddLink(port, stack.LinkConfig{Addr: serverAddr.Addr(), MAC: groupMAC}); err != nil {
			t.Fatal(err)
		}
		if h := s.Health(); h != (stack.Health{Carrier: true}) {
			t.Errorf("at first: %+v", h)
		}
		station, own := other.Features().MAC, port.Features().MAC
		ethernet := func(to, from wire.MAC, typ wire.EtherType, payload ...byte) []byte {
			return append(wire.Ethernet{Dst: to, Src: from, Type: typ}.Append(nil), payload...)
		}
		for _, tt := range []struct {
			name  string
			frame []byte
			want  bool
		}{
			{"too short", make([]byte, 13), false},
			{"reflected", ethernet(wire.Broadcast, own, wire.EtherTypePresence), false},
			{"from the group's MAC", ethernet(wire.Broadcast, groupMAC, wire.EtherTypeARP), false},
			{"presence", ethernet(wire.Broadcast, station, wire.EtherTypePresence), true},
			{"reflected, after others", ethernet(wire.Broadcast, own, wire.EtherTypePresence), false},
			{"ARP", ethernet(wire.Broadcast, station, wire.EtherTypeARP, 1), true},
			{"IPv4", ethernet(wire.Broadcast, station, wire.EtherTypeIPv4, 1), true},
			{"not for us", ethernet(wire.MAC{2, 9}, station, wire.EtherTypeIPv6, 1), true},
			{"anything", ethernet(wire.Broadcast, station, 0x1234), true},
		} {
			before := s.Health().Heard
			time.Sleep(time.Second)
			now := time.Now()
			other.Write([]device.Outbound{{Header: tt.frame}})
			synctest.Wait()
			want := before
			if tt.want {
				want = now
			}
			if got := s.Health().Heard; !got.Equal(want) {
				t.Errorf("%s: heard at %v; want %v", tt.name, got, want)
			}
		}
		s.Close()
		n.Close()
	})
}

// Claims are noted on every node, active or not, in both versions of IP.
func TestClaimed(t *testing.T) {
	addr6 := netip.MustParseAddr("fd00::1")
	claim4 := wire.ARP{Op: wire.ARPReply, SenderMAC: wire.MAC{2, 7}, SenderIP: serverAddr.Addr(), TargetIP: serverAddr.Addr()}
	advertisement := wire.Neighbor{Advertisement: true, Target: addr6, LinkAddr: wire.MAC{2, 7}}
	m := advertisement.ICMP()
	body := m.Append(nil, addr6, netip.MustParseAddr("ff02::1"))
	ip := wire.IP{Src: addr6, Dst: netip.MustParseAddr("ff02::1"), Proto: wire.ProtoICMPv6, TTL: 255}
	claim6 := append(ip.Append(nil, len(body)), body...)
	asks := wire.ARP{Op: wire.ARPRequest, SenderMAC: wire.MAC{2, 7}, SenderIP: clientAddr.Addr(), TargetIP: serverAddr.Addr()}
	for _, tt := range []struct {
		name    string
		addr    netip.Addr
		typ     wire.EtherType
		payload []byte
		want    bool
	}{
		{"ARP", serverAddr.Addr(), wire.EtherTypeARP, claim4.Append(nil), true},
		{"neighbour discovery", addr6, wire.EtherTypeIPv6, claim6, true},
		{"a question", serverAddr.Addr(), wire.EtherTypeARP, asks.Append(nil), false},
	} {
		for _, active := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				n := &ftcptest.Network{}
				var log told
				s := newToldStack(&log)
				if !active {
					s.Silence()
				}
				if _, err := s.AddLink(n.Port("server"), stack.LinkConfig{Addr: tt.addr, MAC: groupMAC}); err != nil {
					t.Fatal(err)
				}
				other := n.Port("other")
				for range 2 {
					time.Sleep(100 * time.Millisecond)
					var want time.Time
					if tt.want {
						want = time.Now()
					}
					header := wire.Ethernet{Dst: wire.Broadcast, Src: wire.MAC{2, 7}, Type: tt.typ}.Append(nil)
					other.Write([]device.Outbound{{Header: append(header, tt.payload...)}})
					synctest.Wait()
					if got := s.Health().Claimed; !got.Equal(want) {
						t.Errorf("%s, active %v: claimed at %v; want %v", tt.name, active, got, want)
					}
				}
				if active && tt.want {
					log.expect(t, "WARN ftcp: another station claims the service address") // once a second
				} else {
					log.expect(t)
				}
				s.Close()
				n.Close()
			})
		}
	}
}

// A node is as healthy as the worst of its links has carrier, and the best of them hears.
func TestHealthOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &ftcptest.Network{}
		s := stack.New(stack.Config{})
		if h := s.Health(); !h.Carrier {
			t.Error("no carrier without a link")
		}
		first, second := &adapter{Port: n.Port("first")}, &adapter{Port: n.Port("second")}
		addLink := func(dev device.Device, cfg stack.LinkConfig) {
			t.Helper()
			if _, err := s.AddLink(dev, cfg); err != nil {
				t.Fatal(err)
			}
		}
		ip := newBare()
		addLink(first, stack.LinkConfig{Addr: serverAddr.Addr()})
		addLink(second, stack.LinkConfig{Addr: netip.MustParseAddr("10.0.0.9")})
		addLink(ip, stack.LinkConfig{})
		for _, tt := range []struct{ first, second bool }{{true, true}, {false, true}, {true, false}, {false, false}, {true, true}} {
			first.cut.Store(!tt.first)
			second.cut.Store(!tt.second)
			if got := s.Health().Carrier; got != (tt.first && tt.second) {
				t.Errorf("%+v: carrier %v", tt, got)
			}
		}
		other := n.Port("other")
		say := func(to wire.MAC) {
			other.Write([]device.Outbound{{Header: wire.Ethernet{Dst: to, Src: other.Features().MAC, Type: wire.EtherTypePresence}.Append(nil)}})
		}
		say(wire.Broadcast)
		synctest.Wait()
		for _, speak := range []func(){
			func() { say(first.Features().MAC) },
			func() { say(second.Features().MAC) },
			func() { ip.in <- []byte{1} },
			func() { say(first.Features().MAC) },
		} {
			time.Sleep(time.Second)
			first.Write([]device.Outbound{{Header: wire.Ethernet{Src: first.Features().MAC}.Append(nil)}}) // teaches the switch
			second.Write([]device.Outbound{{Header: wire.Ethernet{Src: second.Features().MAC}.Append(nil)}})
			speak()
			synctest.Wait()
			if got := s.Health().Heard; !got.Equal(time.Now()) {
				t.Errorf("heard at %v; want %v", got, time.Now())
			}
		}
		s.Close()
		n.Close()
	})
}
