package device_test

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// An interface is removed and comes back, with another MAC and another MTU. The stack
// sees both, and a client's connection goes on.
func TestPacketReopened(t *testing.T) {
	a, b := device.NewNamespace(t), device.NewNamespace(t)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	plug := func(mtu int) {
		t.Helper()
		check(a.AddVeth("eth0", b, "eth0"))
		check(a.SetMTU("eth0", mtu))
		check(b.AddAddr("eth0", netip.MustParsePrefix("10.0.0.2/24")))
	}
	plug(1500)
	addr := netip.MustParseAddrPort("10.0.0.9:80")
	open := func() (dev device.Device, err error) {
		err = a.Do(func() error {
			dev, err = device.OpenPacket(device.PacketConfig{Interface: "eth0", Addr: addr.Addr()})
			return err
		})
		return dev, err
	}
	dev, err := open()
	check(err)
	s := stack.New(stack.Config{Logger: slog.New(slog.DiscardHandler)})
	defer s.Close()
	_, err = s.AddLink(dev, stack.LinkConfig{Addr: addr.Addr(), Reopen: open})
	check(err)
	l, err := s.Listen(addr)
	check(err)
	go func() {
		if c, err := l.Accept(); err == nil {
			io.Copy(c, c)
		}
	}()
	conn := dial(t, b, addr)
	defer conn.Close()
	echo := func(text string) {
		t.Helper()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		_, err := conn.Write([]byte(text))
		check(err)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	await := func(want bool, what string) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); s.Health().Carrier != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: carrier is %v", what, !want)
			}
		}
	}
	echo("before")
	await(true, "at first")
	first := dev.Features()
	device.RemoveLink(t, a, "eth0")
	await(false, "removed")
	removed := time.Now()
	time.Sleep(500 * time.Millisecond) // some attempts fail
	if h := s.Health(); h.Carrier || h.Heard.After(removed) {
		t.Errorf("without an interface: %+v", h)
	}
	plug(1400)
	await(true, "back")
	back := time.Now()
	echo("after")
	if !s.Health().Heard.After(back) {
		t.Error("nothing was heard")
	}
	var mac wire.MAC
	check(a.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err == nil {
			mac = wire.MAC(i.HardwareAddr)
		}
		return err
	}))
	if mac == first.MAC {
		t.Errorf("the same MAC as before, %v: the test has not tried what it is for", mac)
	}
}

func dial(t *testing.T, ns *netns.Namespace, addr netip.AddrPort) (conn net.Conn) {
	t.Helper()
	err := ns.Do(func() (err error) {
		conn, err = net.DialTimeout("tcp", addr.String(), 5*time.Second)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
