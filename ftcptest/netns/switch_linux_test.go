package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newSwitch(t *testing.T) *Switch {
	t.Helper()
	needNamespaces(t)
	sw, err := NewSwitch()
	check(t, err)
	t.Cleanup(func() { sw.Close() })
	return sw
}

func newHost(t *testing.T, sw *Switch, prefix string) *Host {
	t.Helper()
	h, err := sw.Host(netip.MustParsePrefix(prefix))
	check(t, err)
	return h
}

// hurry makes a host ask for a neighbor again after 20 ms instead of a second.
func hurry(t *testing.T, h *Host) {
	for _, name := range []string{
		"net.ipv4.neigh.eth0.retrans_time_ms",
		"net.ipv6.neigh.eth0.retrans_time_ms",
	} {
		if err := h.Sysctl(name, "20"); err != nil {
			t.Log(err) // the test takes longer then
		}
	}
}

func TestUnplug(t *testing.T) {
	for _, test := range []struct{ name, server, client string }{
		{"IPv4", "10.0.0.1/24", "10.0.0.2/24"},
		{"IPv6", "fd00::1/64", "fd00::2/64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sw := newSwitch(t)
			server, client := newHost(t, sw, test.server), newHost(t, sw, test.client)
			hurry(t, server)
			hurry(t, client)
			ip := netip.MustParsePrefix(test.server).Addr()
			addr := serveEcho(t, server.Namespace, netip.AddrPortFrom(ip, 0).String())

			conn, err := dial(client, addr, never)
			check(t, err)
			defer conn.Close()
			check(t, echo(conn, never))

			check(t, server.Unplug())
			if conn, err := dial(client, addr, soon); err == nil {
				conn.Close()
				t.Fatal("dialed a host that is unplugged")
			}

			check(t, server.Plug())
			check(t, echo(conn, never))
			conn, err = dial(client, addr, never)
			check(t, err)
			defer conn.Close()
			check(t, echo(conn, never))
		})
	}
}

// Frames pass as soon as Host and Plug return. Otherwise the first is lost and the next
// comes after a second; a busy machine may be that slow too, but not every time.
func TestReadyAtOnce(t *testing.T) {
	const rounds = 10
	sw := newSwitch(t)
	client := newHost(t, sw, "10.0.0.1/24")
	slow := 0
	for i := range rounds {
		server := newHost(t, sw, fmt.Sprintf("10.0.0.%d/24", i+2))
		addr := serveEcho(t, server.Namespace, fmt.Sprintf("10.0.0.%d:0", i+2))
		if i%2 != 0 {
			check(t, server.Unplug())
			check(t, server.Plug())
		}
		start := time.Now()
		conn, err := dial(client, addr, never)
		check(t, err)
		conn.Close()
		if time.Since(start) > 900*time.Millisecond {
			slow++
		}
	}
	if slow > rounds/4 {
		t.Errorf("%d of %d connections took a second", slow, rounds)
	}
}

func TestHostClose(t *testing.T) {
	sw := newSwitch(t)
	server, client := newHost(t, sw, "10.0.0.1/24"), newHost(t, sw, "10.0.0.2/24")
	hurry(t, client)
	addr := serveEcho(t, server.Namespace, "10.0.0.1:0")
	check(t, server.Close()) // the listener lives on, but its cable does not
	if conn, err := dial(client, addr, soon); err == nil {
		conn.Close()
		t.Fatal("dialed a host that is closed")
	}
	if err := server.Plug(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Plug after Close: %v", err)
	}
	// Another takes its place.
	server = newHost(t, sw, "10.0.0.1/24")
	conn, err := dial(client, serveEcho(t, server.Namespace, "10.0.0.1:0"), never)
	check(t, err)
	conn.Close()
}
