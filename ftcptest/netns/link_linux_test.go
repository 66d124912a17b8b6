package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRouter(t *testing.T) {
	left, router, right := newNamespace(t), newNamespace(t), newNamespace(t)
	check(t, left.AddVeth("eth0", router, "left"))
	check(t, right.AddVeth("eth0", router, "right"))
	for _, a := range []struct {
		n            *Namespace
		name, prefix string
	}{
		{left, "eth0", "10.0.1.2/24"},
		{router, "left", "10.0.1.1/24"},
		{router, "right", "10.0.2.1/24"},
		{right, "eth0", "10.0.2.2/24"},
	} {
		check(t, a.n.AddAddr(a.name, netip.MustParsePrefix(a.prefix)))
	}
	check(t, left.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.0.1.1")))
	check(t, right.AddRoute(netip.MustParsePrefix("10.0.1.0/24"), netip.MustParseAddr("10.0.2.1")))
	check(t, router.Sysctl("net.ipv4.ip_forward", "1"))

	addr := serveEcho(t, right, "10.0.2.2:0")
	conn, err := dial(&Host{Namespace: left}, addr, never)
	check(t, err)
	defer conn.Close()
	check(t, echo(conn, never))
}

func TestBridge(t *testing.T) {
	middle := newNamespace(t)
	ends := make([]*Namespace, 2)
	ports := []string{"a", "b"}
	for i, port := range ports {
		ends[i] = newNamespace(t)
		check(t, middle.AddVeth(port, ends[i], "eth0"))
		check(t, ends[i].AddAddr("eth0", netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", i+1))))
	}
	check(t, middle.AddBridge("br0", ports...))
	conn, err := dial(&Host{Namespace: ends[0]}, serveEcho(t, ends[1], "10.0.0.2:0"), never)
	check(t, err)
	conn.Close()
}

func TestDownUp(t *testing.T) {
	a, b := newNamespace(t), newNamespace(t)
	check(t, a.AddVeth("eth0", b, "eth0"))
	check(t, a.AddAddr("eth0", netip.MustParsePrefix("10.0.0.1/24")))
	check(t, b.AddAddr("eth0", netip.MustParsePrefix("10.0.0.2/24")))
	addr := serveEcho(t, a, "10.0.0.1:0")
	client := &Host{Namespace: b}

	check(t, b.Down("eth0"))
	if conn, err := dial(client, addr, soon); err == nil {
		conn.Close()
		t.Fatal("dialed over an interface that is down")
	}
	check(t, b.Up("eth0"))
	conn, err := dial(client, addr, never)
	check(t, err)
	conn.Close()
}

func TestSetMTU(t *testing.T) {
	n := newNamespace(t)
	check(t, n.AddVeth("a", n, "b"))
	check(t, n.SetMTU("a", 1280))
	check(t, n.Do(func() error {
		ifi, err := net.InterfaceByName("a")
		if err == nil && ifi.MTU != 1280 {
			t.Errorf("MTU is %d, want 1280", ifi.MTU)
		}
		return err
	}))
}

func TestErrors(t *testing.T) {
	n := newNamespace(t)
	check(t, n.AddVeth("a", n, "b"))
	for _, test := range []struct {
		err  error
		is   error
		text string
	}{
		{n.AddVeth("a", n, "c"), unix.EEXIST, "netns: add veth a to c: file exists"},
		{n.AddVeth("c", n, "a"), unix.EEXIST, "netns: add veth c to a: file exists"},
		{n.AddBridge("a"), unix.EEXIST, "netns: add bridge a: file exists"},
		{n.AddBridge("br0", "x"), unix.ENODEV, "netns: add port x to bridge br0: no such device"},
		{n.AddAddr("x", netip.MustParsePrefix("10.0.0.1/8")), unix.ENODEV, "netns: add address 10.0.0.1/8 to x: no such device"},
		{n.AddAddr("a", netip.Prefix{}), unix.EINVAL, "netns: add address to a: invalid argument: invalid Prefix"},
		{n.AddRoute(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParseAddr("192.0.2.1")), unix.ENETUNREACH, "netns: add route to 10.0.0.0/8 via 192.0.2.1: network is unreachable (Nexthop has invalid gateway)"},
		{n.AddRoute(netip.MustParsePrefix("10.0.0.0/8"), netip.Addr{}), unix.EINVAL, "netns: add route to 10.0.0.0/8 via invalid IP: invalid argument"},
		{n.Up("x"), unix.ENODEV, "netns: up x: no such device"},
		{n.Down("x"), unix.ENODEV, "netns: down x: no such device"},
		{n.SetMTU("a", 1), unix.EINVAL, "netns: set MTU of a to 1: invalid argument"},
		{n.Sysctl("net.no.such", "1"), os.ErrNotExist, "netns: sysctl net.no.such=1: "},
		{n.Start(exec.Command("/no/such/program")), os.ErrNotExist, "netns: start /no/such/program: "},
	} {
		if test.err == nil || !strings.HasPrefix(test.err.Error(), test.text) {
			t.Errorf("got  %v\nwant %s", test.err, test.text)
		}
		if !errors.Is(test.err, test.is) {
			t.Errorf("%v: not %v", test.err, test.is)
		}
	}
}
