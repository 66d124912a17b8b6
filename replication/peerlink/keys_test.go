package peerlink

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

const testSecret = "0123456789abcdef0123456789abcdef"

func testKeys(t testing.TB, group, secret string) *Keys {
	t.Helper()
	k, err := DeriveKeys(group, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The nodes of a group may run different releases, which must agree.
func TestKeysStay(t *testing.T) {
	k := testKeys(t, "web", testSecret)
	isn, presence, digest := k.ISN(), k.Presence(), k.Digest()
	for _, tt := range []struct{ name, got, want string }{
		{"link", hex.EncodeToString(k.pin), "8c8f090c81c07750150797e947949355962a11da4f6527634fb467d27fd03a6b"},
		{"isn", hex.EncodeToString(isn[:]), "e6ffad6d164953f8bc55b9bfd6451ab86a79a516612924d7551aca8390694066"},
		{"presence", hex.EncodeToString(presence[:]), "294888da25da0b952ab73c80bde994e6bf645a1a9c0dd2109b5022bd876e0ab3"},
		{"digest", hex.EncodeToString(digest[:]), "d8479b705182bd50b2400a5eea2dd644e138a8182d2c58d8b8adcf61d608c521"},
		{"mac of 10.0.0.80", k.MAC(netip.MustParseAddr("10.0.0.80")).String(), "46:2f:27:67:99:a1"},
		{"mac of 2001:db8::80", k.MAC(netip.MustParseAddr("2001:db8::80")).String(), "5a:6a:2f:6a:75:87"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	long := strings.Repeat("x", 100)
	seen := map[string]string{}
	for _, secret := range []string{testSecret, testSecret + "\x00", testSecret[:16]} {
		for _, group := range []string{"", "a", "a\x00", "b", long, long + "x"} {
			k := testKeys(t, group, secret)
			isn, presence, digest := k.ISN(), k.Presence(), k.Digest()
			for name, key := range map[string][]byte{
				"link": k.pin, "isn": isn[:], "mac": k.mac[:], "presence": presence[:], "digest": digest[:],
			} {
				who := name + " of group " + group + " with " + secret
				if other, ok := seen[string(key)]; ok {
					t.Errorf("%q has the key of %q", who, other)
				}
				seen[string(key)] = who
				if bytes.Contains(key, []byte(secret)) {
					t.Errorf("%q contains the secret", who)
				}
			}
		}
	}
}

func TestSecretTooShort(t *testing.T) {
	for _, n := range []int{0, 15} {
		_, err := DeriveKeys("web", make([]byte, n))
		if err == nil || !strings.Contains(err.Error(), "openssl rand") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	testKeys(t, "", testSecret[:16])
}

func TestMAC(t *testing.T) {
	k := testKeys(t, "web", testSecret)
	seen := map[string]bool{}
	for addr := netip.MustParseAddr("10.0.0.0"); addr.As4()[2] == 0; addr = addr.Next() {
		m := k.MAC(addr)
		if m[0]&1 != 0 || m[0]&2 == 0 {
			t.Fatalf("%v: %v is not unicast and locally administered", addr, m)
		}
		if seen[m.String()] {
			t.Fatalf("%v: %v again", addr, m)
		}
		seen[m.String()] = true
		if mapped := netip.AddrFrom16(addr.As16()); k.MAC(mapped) != m {
			t.Fatalf("%v: %v, but %v: %v", addr, m, mapped, k.MAC(mapped))
		}
	}
}
