package node

import "testing"

func TestWithPort(t *testing.T) {
	for address, want := range map[string]string{
		"":                   ":7420",
		"a":                  "a:7420",
		"a:":                 "a:7420",
		"a:1":                "a:1",
		"a:http":             "a:http",
		"10.0.0.1":           "10.0.0.1:7420",
		"10.0.0.1:1":         "10.0.0.1:1",
		"fd00::1":            "[fd00::1]:7420",
		"[fd00::1]":          "[fd00::1]:7420",
		"[fd00::1]:1":        "[fd00::1]:1",
		"fe80::1%eth0":       "[fe80::1%eth0]:7420",
		":":                  ":7420",
		"a:1:2":              "",
		"a:0":                "",
		"a:65536":            "",
		"[::1:":              "",
		"fd00::1::2":         "",
		"a:no-such-service-": "",
	} {
		got, err := withPort(address, "7420")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", address, got, err, want)
		}
	}
}
