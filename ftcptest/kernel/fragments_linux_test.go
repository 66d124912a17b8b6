package kernel_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest/netns"
	"golang.org/x/sys/unix"
)

// A kernel client that does without path MTU discovery, behind a router that has to cut its segments.
func TestFragments(t *testing.T) {
	if err := netns.Supported(); err != nil {
		t.Skip(err)
	}
	var hosts [3]*netns.Namespace
	for i := range hosts {
		ns, err := netns.New()
		check(t, err)
		t.Cleanup(func() { ns.Close() })
		hosts[i] = ns
	}
	client, router, server := hosts[0], hosts[1], hosts[2]
	check(t, client.AddVeth("eth0", router, "client"))
	check(t, server.AddVeth("eth0", router, "server"))
	for _, a := range []struct {
		n            *netns.Namespace
		name, prefix string
	}{
		{client, "eth0", "10.0.1.2/24"},
		{router, "client", "10.0.1.1/24"},
		{router, "server", "10.0.2.1/24"},
		{server, "eth0", "10.0.2.2/24"},
	} {
		check(t, a.n.AddAddr(a.name, netip.MustParsePrefix(a.prefix)))
	}
	check(t, client.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.0.1.1")))
	check(t, router.Sysctl("net.ipv4.ip_forward", "1"))
	check(t, router.SetMTU("server", 600)) // the server does not know

	n := &ftcp.Node{}
	defer n.Close()
	var l net.Listener
	check(t, server.Do(func() (err error) {
		l, err = n.Listen("tcp", "10.0.2.5:7000")
		return err
	}))
	go eachConn(digest)(l)

	ctx, cancel := context.WithTimeout(t.Context(), never)
	defer cancel()
	d := net.Dialer{ControlContext: func(_ context.Context, _, _ string, raw syscall.RawConn) (err error) {
		raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
		})
		return err
	}}
	var c net.Conn
	check(t, client.Do(func() (err error) {
		c, err = d.DialContext(ctx, "tcp", "10.0.2.5:7000")
		return err
	}))
	defer c.Close()
	c.SetDeadline(time.Now().Add(never))
	data := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	_, err := c.Write(data)
	check(t, err)
	check(t, c.(*net.TCPConn).CloseWrite())
	got, err := io.ReadAll(c)
	check(t, err)
	if want := sha256.Sum256(data); !bytes.Equal(got, want[:]) {
		t.Errorf("the server received %x, the client sent %x", got, want)
	}
	stats := counters(n)
	if stats.Reassembled.Load() < uint64(len(data))/1460 {
		t.Errorf("%d packets were put together", stats.Reassembled.Load())
	}
	t.Logf("%d packets put together of %d fragments; %d given up", stats.Reassembled.Load(), stats.Fragments.Load(),
		stats.FragmentsBad.Load()+stats.FragmentsLate.Load()+stats.FragmentsNoRoom.Load())
}
