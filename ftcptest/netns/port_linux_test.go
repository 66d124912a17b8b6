package netns

import (
	"net/netip"
	"testing"
)

// What passes depends on the switch's port, and on there being an interface. Carrier does
// not tell of the former.
func TestPort(t *testing.T) {
	sw := newSwitch(t)
	server, client := newHost(t, sw, "10.0.0.1/24"), newHost(t, sw, "10.0.0.2/24")
	hurry(t, client)
	addr := serveEcho(t, server.Namespace, "10.0.0.1:0")
	conn, err := dial(client, addr, never)
	check(t, err)
	defer conn.Close()
	check(t, echo(conn, never))
	dead := func(what string) {
		t.Helper()
		if conn, err := dial(client, addr, soon); err == nil {
			conn.Close()
			t.Fatal(what)
		}
	}

	check(t, server.Forward(false))
	if l, err := server.link("eth0"); err != nil || !l.carrier {
		t.Fatalf("carrier %v, %v", l.carrier, err)
	}
	dead("dialed by way of a port that does not forward")
	check(t, server.Forward(true))
	check(t, echo(conn, never))

	first, err := server.link("eth0")
	check(t, err)
	check(t, server.Remove())
	dead("dialed a host without an interface")
	if server.Remove() == nil {
		t.Error("removed twice")
	}
	check(t, server.Insert(netip.MustParsePrefix("10.0.0.1/24")))
	if second, err := server.link("eth0"); err != nil || second.index == first.index {
		t.Fatalf("index %d, before %d, %v", second.index, first.index, err)
	}
	back := serveEcho(t, client.Namespace, "10.0.0.2:0")
	other, err := dial(server, back, never) // which tells the client the new MAC
	check(t, err)
	defer other.Close()
	check(t, echo(conn, never))
}
