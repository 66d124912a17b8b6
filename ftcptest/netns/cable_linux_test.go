package netns

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"testing"
	"time"
)

// cabled returns two namespaces at the ends of a cable.
func cabled(t testing.TB, forth, back Faults) (c *Cable, a, b *Namespace) {
	t.Helper()
	a, b = newNamespace(t), newNamespace(t)
	c, err := a.AddCable("eth0", b, "eth0", 1, forth, back)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		t.Skip(err) // no /dev/net/tun
	}
	check(t, err)
	t.Cleanup(func() { check(t, c.Close()) })
	for _, prefix := range []string{"10.0.0.1/24", "fd00::1/64"} {
		p := netip.MustParsePrefix(prefix)
		check(t, a.AddAddr("eth0", p))
		check(t, b.AddAddr("eth0", netip.PrefixFrom(p.Addr().Next(), p.Bits())))
	}
	return c, a, b
}

func TestCable(t *testing.T) {
	const delay = 5 * time.Millisecond
	c, a, b := cabled(t, Faults{Delay: delay}, Faults{Delay: delay})
	for _, server := range []string{"10.0.0.2:0", "[fd00::2]:0"} {
		conn, err := dial(&Host{Namespace: a}, serveEcho(t, b, server), never)
		check(t, err)
		defer conn.Close()
		begin := time.Now()
		check(t, echo(conn, never))
		if took := time.Since(begin); took < 2*delay {
			t.Errorf("%s: an echo took %v, over a cable of %v", server, took, delay)
		}
	}
	forth, back := c.Stats()
	for _, s := range []Stats{forth, back} {
		if want := (Stats{Sent: s.Sent, Delivered: s.Delivered}); s != want || s.Delivered == 0 {
			t.Errorf("%+v happened on a cable without faults", s)
		}
	}
}

func TestCableLosesAll(t *testing.T) {
	c, a, b := cabled(t, Faults{Loss: 1}, Faults{})
	if conn, err := dial(&Host{Namespace: a}, serveEcho(t, b, "10.0.0.2:0"), soon); err == nil {
		conn.Close()
		t.Error("dialed over a cable that loses everything")
	}
	if forth, _ := c.Stats(); forth.Lost == 0 || forth.Lost+forth.Delivered != forth.Sent { // ARP is delivered
		t.Errorf("%+v", forth)
	}
}

func TestCableUnplugged(t *testing.T) {
	c, a, b := cabled(t, Faults{}, Faults{})
	addr := serveEcho(t, b, "10.0.0.2:0")
	check(t, b.Down("eth0"))
	if conn, err := dial(&Host{Namespace: a}, addr, soon); err == nil {
		conn.Close()
		t.Error("dialed a host whose interface is down")
	}
	if forth, _ := c.Stats(); forth.Unplugged == 0 || forth.Delivered > 0 {
		t.Errorf("%+v", forth)
	}
	check(t, b.Up("eth0"))
	conn, err := dial(&Host{Namespace: a}, addr, never)
	check(t, err)
	conn.Close()
}

func TestCableClose(t *testing.T) {
	_, a, b := cabled(t, Faults{}, Faults{})
	use := func() {
		c, err := a.AddCable("x", b, "y", 1, Faults{Delay: time.Hour}, Faults{})
		check(t, err)
		check(t, a.AddAddr("x", netip.MustParsePrefix("10.0.1.1/24")))
		if conn, err := dial(&Host{Namespace: a}, &net.TCPAddr{IP: net.IPv4(10, 0, 1, 2), Port: 1}, soon); err == nil {
			conn.Close()
			t.Error("dialed over a cable of an hour")
		}
		check(t, c.Close())
		check(t, c.Close())
	}
	use()
	fds := descriptors(t)
	use()
	if now := descriptors(t); now > fds {
		t.Errorf("%d descriptors are open, were %d before", now, fds)
	}
	if err := a.Up("x"); err == nil {
		t.Error("the interface is still there")
	}
}

func TestCableErrors(t *testing.T) {
	_, a, b := cabled(t, Faults{}, Faults{})
	for _, test := range []struct{ name, peerName, err string }{
		{"eth0", "x", "netns: add TAP eth0: TUNSETIFF: device or resource busy"},
		{"x", "eth0", "netns: add TAP eth0: TUNSETIFF: device or resource busy"},
		{"a name that is too long", "x", "netns: add TAP a name that is too long: TUNSETIFF: invalid argument"},
	} {
		c, err := a.AddCable(test.name, b, test.peerName, 1, Faults{}, Faults{})
		if err == nil {
			c.Close()
		}
		if err == nil || err.Error() != test.err {
			t.Errorf("%s to %s: %v, want %s", test.name, test.peerName, err, test.err)
		}
	}
	if err := a.Up("x"); err == nil {
		t.Error("one end is left")
	}
}

// An operation is a packet of the usual size.
func BenchmarkCable(b *testing.B) {
	const payload = 1448
	_, client, server := cabled(b, Faults{}, Faults{})
	var ln net.Listener
	check(b, server.Do(func() (err error) {
		ln, err = net.Listen("tcp", "10.0.0.2:0")
		return err
	}))
	defer ln.Close()
	c, err := dial(&Host{Namespace: client}, ln.Addr(), never)
	check(b, err)
	defer c.Close()
	s, err := ln.Accept()
	check(b, err)
	defer s.Close()
	go io.Copy(c, zeros{})
	b.SetBytes(payload)
	for b.Loop() {
		_, err := io.CopyN(io.Discard, s, payload)
		check(b, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
