package stack_test

import (
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
)

// A node that knows nobody yet asks for the default gateway, without waiting for who
// knows which that is, and without a claim to the address.
func TestSolicitGateway(t *testing.T) {
	gateway4, gateway6 := netip.MustParseAddr("10.0.0.254"), netip.MustParseAddr("fe80::1")
	addr6 := netip.MustParseAddr("fd00::1")
	for _, tt := range []struct {
		name   string
		addr   netip.Addr
		prefix string
		hop    func(netip.Addr) (netip.Addr, error)
		want   string
	}{
		{"IPv4", serverAddr.Addr(), "10.0.0.0/24", func(netip.Addr) (netip.Addr, error) { return gateway4, nil }, "ARP, Probe 10.0.0.254 from "},
		{"IPv6", addr6, "fd00::/64", func(netip.Addr) (netip.Addr, error) { return gateway6, nil },
			":: > ff02::1:ff00:1: ICMP6, neighbor solicitation, who has fe80::1, length 24"},
		{"no gateway", serverAddr.Addr(), "10.0.0.0/24", func(a netip.Addr) (netip.Addr, error) { return a, nil }, ""},
		{"no way", serverAddr.Addr(), "10.0.0.0/24", func(netip.Addr) (netip.Addr, error) { return netip.Addr{}, errors.New("none") }, ""},
		{"all on the link", serverAddr.Addr(), "", func(netip.Addr) (netip.Addr, error) { return gateway4, nil }, ""},
		{"nobody to ask", serverAddr.Addr(), "10.0.0.0/24", nil, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var frames seen
			n := &ftcptest.Network{Filter: frames.filter}
			s := stack.New(stack.Config{})
			s.Silence()
			cfg := stack.LinkConfig{Addr: tt.addr, MAC: groupMAC}
			if tt.prefix != "" {
				cfg.Prefix = netip.MustParsePrefix(tt.prefix)
			}
			var calls atomic.Int32
			if tt.hop != nil {
				cfg.NextHop = func(a netip.Addr) (netip.Addr, error) {
					calls.Add(1)
					if cfg.Prefix.Contains(a) || a.Is4() != tt.addr.Is4() {
						t.Errorf("%s: the way to %v", tt.name, a)
					}
					time.Sleep(time.Second)
					return tt.hop(a)
				}
			}
			port := n.Port("server")
			if _, err := s.AddLink(port, cfg); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			for range 10 {
				s.Solicit()
			}
			if waited := time.Since(start); waited != 0 {
				t.Errorf("%s: waited %v", tt.name, waited)
			}
			time.Sleep(2 * time.Second)
			own := port.Features().MAC.String()
			var want []string
			switch {
			case tt.want == "":
			case tt.addr.Is4():
				want = []string{own + " " + tt.want + own}
			default:
				want = []string{own + " " + tt.want}
			}
			if got := frames.take("server"); !slices.Equal(got, want) {
				t.Errorf("%s: sent %q\nwant %q", tt.name, got, want)
			}
			if calls.Load() > 1 {
				t.Errorf("%s: asked %d times at once", tt.name, calls.Load())
			}
			s.Solicit()
			time.Sleep(2 * time.Second)
			if got := frames.take("server"); !slices.Equal(got, want) {
				t.Errorf("%s: then sent %q\nwant %q", tt.name, got, want)
			}
			s.Close()
			n.Close()
		})
	}
}
