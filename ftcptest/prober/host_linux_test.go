package prober

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// attempts is how often a probe may try against Linux, which answers in its own time, on a machine
// that has other things to do. All but the first are made one after the other.
const attempts = 5

func TestLinux(t *testing.T) {
	if testing.Short() {
		t.Skip("takes real time")
	}
	var n network
	h := newLinux(t, &n)
	var stations atomic.Uint32
	var again sync.Mutex
	each(t, true, func(t *testing.T, k *probeCase, name string, o options) {
		for try := range attempts {
			if try == 1 {
				again.Lock()
				defer again.Unlock()
			}
			i := stations.Add(1)
			p := &probe{host: h, o: o, net: &n, addr: netip.AddrFrom4([4]byte{10, 77, byte(i>>8) + 1, byte(i)})}
			if o.v6 {
				p.addr = netip.AddrFrom16([16]byte{0xfd, 0x77, 14: byte(i >> 8), 15: byte(i)}).Next()
			}
			err := k.run(p)
			if err == nil {
				return
			}
			t.Log(err)
		}
		t.Errorf("failed %d times", attempts)
	})
}

// linuxHost is the kernel, in a network namespace with a TUN device that all probes share.
type linuxHost struct {
	ns  *netns.Namespace
	tun *os.File
}

func newLinux(t *testing.T, n *network) *linuxHost {
	t.Helper()
	if err := netns.Supported(); err != nil {
		t.Skip(err)
	}
	ns, err := netns.New()
	check(t, err)
	t.Cleanup(func() { ns.Close() })
	tun, err := ns.AddTUN("tun0")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		t.Skip(err) // no /dev/net/tun in a container
	}
	check(t, err)
	t.Cleanup(func() { tun.Close() })
	h := &linuxHost{ns: ns, tun: tun}
	for _, addr := range []string{"10.77.0.1/16", "fd77::1/64"} {
		check(t, ns.AddAddr("tun0", netip.MustParsePrefix(addr)))
	}
	for _, s := range [...][2]string{
		// What the machine has set is inherited; these are the kernel's defaults, but for a send
		// buffer in which more fits than what is under way.
		{"net.ipv4.tcp_congestion_control", "reno"},
		{"net.ipv4.tcp_rmem", "4096 131072 6291456"},
		{"net.ipv4.tcp_wmem", "4096 262144 4194304"},
		{"net.ipv4.tcp_ecn", "2"},
		{"net.ipv4.tcp_syncookies", "1"},
		// Probes of ICMP go on in parallel.
		{"net.ipv4.icmp_ratelimit", "0"},
		{"net.ipv6.icmp.ratelimit", "0"},
		{"net.ipv4.icmp_msgs_per_sec", "100000"},
	} {
		if err := ns.Sysctl(s[0], s[1]); err != nil {
			t.Log(err)
		}
	}
	go func() {
		b := make([]byte, 1<<16)
		for {
			k, err := h.tun.Read(b)
			if err != nil {
				return
			}
			n.deliver(append([]byte(nil), b[:k]...))
		}
	}()
	return h
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *linuxHost) addr(v6 bool) netip.Addr {
	if v6 {
		return netip.MustParseAddr("fd77::1")
	}
	return netip.MustParseAddr("10.77.0.1")
}

func (h *linuxHost) send(packet []byte) { h.tun.Write(packet) }

func (h *linuxHost) close() {}

func (h *linuxHost) listen(port uint16, o options) (listener, error) {
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	config.Control = func(network, address string, c syscall.RawConn) (err error) {
		if o.buffer > 0 {
			// The kernel doubles it, for its own bookkeeping.
			c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, o.buffer)
			})
		}
		return err
	}
	var l net.Listener
	err := h.ns.Do(func() (err error) {
		l, err = config.Listen(context.Background(), "tcp", netip.AddrPortFrom(h.addr(o.v6), port).String())
		return err
	})
	if err != nil {
		return nil, err
	}
	tl := l.(*net.TCPListener)
	if o.backlog > 0 {
		raw, err := tl.SyscallConn()
		if err != nil {
			return nil, err
		}
		raw.Control(func(fd uintptr) { unix.Listen(int(fd), o.backlog) })
	}
	return linuxListener{tl}, nil
}

func (h *linuxHost) dial(ctx context.Context, remote netip.AddrPort) (c conn, err error) {
	err = h.ns.Do(func() error {
		d := net.Dialer{KeepAlive: -1}
		d.SetMultipathTCP(false)
		c1, err := d.DialContext(ctx, "tcp", remote.String())
		if err == nil {
			c = linuxConn{c1.(*net.TCPConn)}
		}
		return err
	})
	return c, err
}

type linuxListener struct{ *net.TCPListener }

func (l linuxListener) port() uint16 { return l.Addr().(*net.TCPAddr).AddrPort().Port() }
func (l linuxListener) close()       { l.Close() }

func (l linuxListener) accept(timeout time.Duration) (conn, error) {
	l.SetDeadline(time.Now().Add(timeout))
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return linuxConn{c}, nil
}

type linuxConn struct{ *net.TCPConn }

func (c linuxConn) keepAlive(idle, interval time.Duration, count int) error {
	return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: idle, Interval: interval, Count: count})
}
