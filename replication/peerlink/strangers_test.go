package peerlink

import (
	"fmt"
	"net"
	"testing"
	"time"
)

func TestStrangers(t *testing.T) {
	var ss strangers
	var first []*stranger // of a
	enter := func(host string) string {
		s := &stranger{host: host}
		if host == "a" {
			first = append(first, s)
		}
		out := ss.enter(s)
		if out == nil {
			return ""
		}
		if out.host == "a" {
			if out != first[0] {
				t.Error("it was not the oldest of a")
			}
			first = first[1:]
		}
		return out.host
	}
	for i := range 3 {
		enter("a")
		enter(fmt.Sprint("b", i))
	}
	for i := range maxStrangers - 6 {
		if out := enter(fmt.Sprint("c", i)); out != "" {
			t.Fatalf("%s is out", out)
		}
	}
	// From now on there is one too many: of the address with the most, then the oldest.
	for i, want := range []string{"a", "a", "b0", "b1", "a", "b2", "c0"} {
		if out := enter(fmt.Sprint("d", i)); out != want {
			t.Errorf("%q is out, want %q", out, want)
		}
		if len(ss) != maxStrangers {
			t.Errorf("%d strangers", len(ss))
		}
	}
	ss.leave(&stranger{host: "d1"}) // who is out already
	if len(ss) != maxStrangers {
		t.Errorf("%d strangers", len(ss))
	}

	// One address makes room for itself.
	ss, first = nil, nil
	for i := range maxStrangersPerHost {
		if out := enter("a"); out != "" {
			t.Errorf("%q is out after %d", out, i)
		}
	}
	enter("b")
	for range 10 {
		if out := enter("a"); out != "a" || len(ss) != maxStrangersPerHost+1 {
			t.Errorf("%q is out, %d strangers", out, len(ss))
		}
	}
}

func TestHost(t *testing.T) {
	for _, tt := range []struct {
		addr net.Addr
		want string
	}{
		{nil, ""},
		{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 5}, "10.0.0.2"},
		{&net.TCPAddr{IP: net.ParseIP("::ffff:10.0.0.2"), Port: 6}, "10.0.0.2"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 6}, "fe80::1"},
		{&net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 5}, "10.0.0.2"},
		{&net.UnixAddr{Name: "/run/x"}, "/run/x"},
		{&net.TCPAddr{}, "invalid IP"},
	} {
		if got := host(tt.addr); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.addr, got, tt.want)
		}
	}
}

func TestReports(t *testing.T) {
	var r reports
	now := time.Now()
	want := func(host string, want bool) {
		t.Helper()
		if got := r.due(host, now); got != want {
			t.Errorf("%s at %v is due: %v", host, now, got)
		}
	}
	want("a", true)
	want("a", false)
	now = now.Add(reportEvery - 1)
	want("a", false)
	want("b", true)
	now = now.Add(1)
	want("a", true)
	want("b", false)
	for i := range maxReports - 2 {
		want(fmt.Sprint(i), true)
	}
	for i := range 1000 { // a scan from many addresses
		want(fmt.Sprint("x", i), false)
	}
	if len(r) > maxReports {
		t.Errorf("%d hosts are known", len(r))
	}
	now = now.Add(reportEvery - 1)
	want("y", true) // in the place of b
	want("z", false)
	now = now.Add(1)
	want("a", true)
	want("z", true)
}
