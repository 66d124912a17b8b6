package device

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
)

// The kernel's routes, asked for an interface and an address that is not the kernel's.
func TestNextHop(t *testing.T) {
	c := newCable(t)
	for network, gateway := range map[string]string{
		"10.9.0.0/16": "10.0.0.254", "10.9.1.0/24": "10.0.0.253", "fd09::/16": "fd00::254",
	} {
		check(t, c.a.AddRoute(netip.MustParsePrefix(network), netip.MustParseAddr(gateway)))
	}
	for _, test := range []struct {
		dst, hop string
		err      error
	}{
		{dst: "10.0.0.77", hop: "10.0.0.77"},
		{dst: "10.9.2.1", hop: "10.0.0.254"},
		{dst: "10.9.1.1", hop: "10.0.0.253"},
		{dst: "10.8.0.1", err: syscall.EHOSTUNREACH},
		{dst: "255.255.255.255", err: syscall.ENETUNREACH},
		{dst: "fd00::77", hop: "fd00::77"},
		{dst: "fd09:1::1", hop: "fd00::254"},
		{dst: "fd08::1", err: syscall.ENETUNREACH},
	} {
		var hop netip.Addr
		err := c.a.Do(func() (err error) {
			hop, err = NextHop("eth0", netip.MustParseAddr(test.dst))
			return err
		})
		if test.hop != "" && (err != nil || hop != netip.MustParseAddr(test.hop)) || !errors.Is(err, test.err) {
			t.Errorf("%s: by way of %v, %v; want %s, %v", test.dst, hop, err, test.hop, test.err)
		}
	}
	if _, err := NextHop("none", netip.MustParseAddr("10.0.0.1")); err == nil {
		t.Error("an interface that is not there: no error")
	}
}
