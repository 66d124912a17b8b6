package local

import (
	"context"
	"net/netip"
	"slices"
	"testing"
)

func TestListenAddr(t *testing.T) {
	for _, test := range []struct{ network, address, want string }{
		{"tcp", "10.0.0.1:80", "10.0.0.1:80"},
		{"tcp", "[::ffff:10.0.0.1]:80", "10.0.0.1:80"},
		{"tcp", "[fd00::1]:80", "[fd00::1]:80"},
		{"tcp", "10.0.0.1:http", "10.0.0.1:80"},
		{"tcp", "", "[::]:0"},
		{"tcp", ":80", "[::]:80"},
		{"tcp", "0.0.0.0:80", "[::]:80"},
		{"tcp4", ":80", "0.0.0.0:80"},
		{"tcp6", ":80", "[::]:80"},
	} {
		got, err := ListenAddr(test.network, test.address)
		if err != nil || got.String() != test.want {
			t.Errorf("%s %q: %v, %v; want %s", test.network, test.address, got, err, test.want)
		}
	}
}

func TestDialAddrs(t *testing.T) {
	for _, test := range []struct{ network, address, want string }{
		{"tcp", "10.0.0.1:80", "10.0.0.1:80"},
		{"tcp", ":80", "127.0.0.1:80"},
		{"tcp", "0.0.0.0:80", "127.0.0.1:80"},
		{"tcp4", ":80", "127.0.0.1:80"},
		{"tcp6", ":80", "[::1]:80"},
		{"tcp", "", ""},
		{"tcp", "10.0.0.1", ""},
		{"udp", "10.0.0.1:80", ""},
		{"tcp6", "10.0.0.1:80", ""},
	} {
		got, err := DialAddrs(context.Background(), test.network, test.address)
		var want []netip.AddrPort
		if test.want != "" {
			want = []netip.AddrPort{netip.MustParseAddrPort(test.want)}
		}
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%s %q: %v, %v; want %v", test.network, test.address, got, err, want)
		}
	}
}
