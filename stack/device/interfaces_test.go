package device

import (
	"net/netip"
	"testing"
)

func TestChooseInterface(t *testing.T) {
	all := []network{
		{"lo", netip.MustParsePrefix("127.0.0.1/8")},
		{"eth0", netip.MustParsePrefix("10.0.0.1/24")},
		{"eth1", netip.MustParsePrefix("10.0.5.1/16")},
		{"eth2", netip.MustParsePrefix("172.16.0.1/24")},
		{"eth2", netip.MustParsePrefix("172.16.0.2/24")},
		{"eth3", netip.MustParsePrefix("192.168.0.1/24")},
		{"eth4", netip.MustParsePrefix("192.168.0.2/24")},
		{"eth0", netip.MustParsePrefix("fe80::1/64")},
		{"eth1", netip.MustParsePrefix("fe80::2/64")},
		{"eth1", netip.MustParsePrefix("2001:db8::1/64")},
	}
	for _, tt := range []struct{ addr, name, prefix, err string }{
		{addr: "10.0.0.9", name: "eth0", prefix: "10.0.0.0/24"},
		{addr: "10.0.7.9", name: "eth1", prefix: "10.0.0.0/16"},
		{addr: "172.16.0.9", name: "eth2", prefix: "172.16.0.0/24"},
		{addr: "127.0.0.9", name: "lo", prefix: "127.0.0.0/8"},
		{addr: "2001:db8::9", name: "eth1", prefix: "2001:db8::/64"},
		{addr: "fe80::9%eth1", name: "eth1", prefix: "fe80::/64"},
		{addr: "fe80::9", err: "device: fe80::9 is on the network of several interfaces (lo 127.0.0.1/8, eth0 10.0.0.1/24, eth1 10.0.5.1/16, eth2 172.16.0.1/24, eth2 172.16.0.2/24, eth3 192.168.0.1/24, eth4 192.168.0.2/24, eth0 fe80::1/64, eth1 fe80::2/64, eth1 2001:db8::1/64); name one"},
	} {
		name, prefix, err := choose(netip.MustParseAddr(tt.addr), all)
		switch {
		case tt.err != "":
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: %v", tt.addr, err)
			}
		case err != nil || name != tt.name || prefix.String() != tt.prefix:
			t.Errorf("%s: %s %v %v", tt.addr, name, prefix, err)
		}
	}
	_, _, err := choose(netip.MustParseAddr("192.0.2.9"), all[1:3])
	if want := "device: 192.0.2.9 is not on the network of any interface (eth0 10.0.0.1/24, eth1 10.0.5.1/16)"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	_, _, err = choose(netip.MustParseAddr("192.168.0.9"), all)
	if err == nil {
		t.Error("two interfaces on one network, and no error")
	}
}

func TestKernelOwns(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"192.0.2.1": false, "2001:db8::1": false, "0.0.0.0": false,
	} {
		if got, err := KernelOwns(netip.MustParseAddr(addr)); got != want || err != nil {
			t.Errorf("%s: %v, %v", addr, got, err)
		}
	}
}
