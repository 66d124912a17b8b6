package kernel_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// A long way between the kernel's TCP and a server: whatever happens to the packets, both sides read what the other
// one wrote.
func TestLossy(t *testing.T) {
	const mbit = 1e6 / 8
	for _, test := range []struct {
		name   string
		listen string
		faults netns.Faults
		size   int64
	}{
		{"loss", "10.0.0.5:7000", netns.Faults{Rate: 50 * mbit, Delay: 10 * time.Millisecond, Loss: .01}, 1 << 20},
		{"much loss", "10.0.0.5:7000", netns.Faults{Rate: 50 * mbit, Delay: 2 * time.Millisecond, Loss: .05}, 512 << 10},
		{"delay", "10.0.0.5:7000", netns.Faults{Rate: 100 * mbit, Delay: 100 * time.Millisecond, Jitter: 5 * time.Millisecond}, 4 << 20},
		{"full queue", "10.0.0.5:7000", netns.Faults{Rate: 20 * mbit, Delay: 5 * time.Millisecond, Queue: 30e3}, 1 << 20},
		{"reordering", "10.0.0.5:7000", netns.Faults{Rate: 100 * mbit, Delay: 10 * time.Millisecond, Reorder: .05, Hold: 20 * time.Millisecond}, 4 << 20},
		{"duplicates", "10.0.0.5:7000", netns.Faults{Rate: 100 * mbit, Delay: 10 * time.Millisecond, Duplicate: .1, Reorder: .01}, 4 << 20},
		{"marks", "10.0.0.5:7000", netns.Faults{Rate: 20 * mbit, Delay: 10 * time.Millisecond, Mark: 20e3}, 2 << 20},
		{"black hole", "10.0.0.5:7000", netns.Faults{Rate: 50 * mbit, Delay: 5 * time.Millisecond, Longest: 1300}, 256 << 10},
		{"everything, IPv6", "[fd00::5]:7000", netns.Faults{
			Rate: 50 * mbit, Delay: 10 * time.Millisecond, Jitter: 3 * time.Millisecond, Loss: .01, Duplicate: .01, Reorder: .02,
		}, 1 << 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, cable := startFar(t, test.listen, test.faults)
			if test.faults.Mark > 0 {
				sysctl(t, client, "tcp_ecn", "1") // ask for it
			}
			if test.faults.Longest > 0 {
				sysctl(t, client, "tcp_mtu_probing", "1") // else the kernel's own segments never pass
			}
			var running sync.WaitGroup
			for i, congestion := range []string{"cubic", "reno", "bbr"} {
				running.Go(func() {
					c, err := dialFrom(client, test.listen, congestion)
					if errors.Is(err, unix.ENOENT) {
						t.Logf("not tested with %s, which this kernel does not have", congestion)
						return
					}
					var took time.Duration
					if err == nil {
						took, err = exchange(c, test.size, byte(i))
					}
					if err != nil {
						t.Errorf("%s: %v", congestion, err)
						return
					}
					t.Logf("%s: %d KiB there and back in %v", congestion, test.size>>10, took.Round(time.Millisecond))
				})
			}
			running.Wait()
			forth, back := cable.Stats()
			t.Logf("to the server %+v, to the client %+v", forth, back)
			for _, s := range []netns.Stats{forth, back} {
				f := test.faults
				if f.Loss > 0 && s.Lost == 0 || f.Reorder > 0 && s.Reordered == 0 || f.Duplicate > 0 && s.Duplicated == 0 ||
					f.Queue > 0 && s.QueueFull == 0 || f.Mark > 0 && s.Marked == 0 || f.Longest > 0 && s.TooLong == 0 {
					t.Error("something that should have happened to the packets did not")
				}
			}
		})
	}
}

// sysctl sets one of a namespace's parameters of TCP.
func sysctl(t *testing.T, n *netns.Namespace, name, value string) {
	t.Helper()
	check(t, n.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0) }))
}

// startFar starts a server that echoes at the other end of a cable.
func startFar(t *testing.T, listen string, faults netns.Faults) (client *netns.Namespace, cable *netns.Cable) {
	t.Helper()
	if err := netns.Supported(); err != nil {
		t.Skip(err)
	}
	var ends [2]*netns.Namespace
	for i := range ends {
		n, err := netns.New()
		check(t, err)
		t.Cleanup(func() { n.Close() })
		ends[i] = n
	}
	cable, err := ends[0].AddCable("eth0", ends[1], "eth0", 1, faults, faults)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		t.Skip(err)
	}
	check(t, err)
	t.Cleanup(func() { cable.Close() })
	for i, n := range ends {
		for _, prefix := range []string{"10.0.0.%d/24", "fd00::%d/64"} {
			check(t, n.AddAddr("eth0", netip.MustParsePrefix(fmt.Sprintf(prefix, i+1))))
		}
	}
	s := startServer(t, &netns.Host{Namespace: ends[1]}, serverConfig{Handler: "echo", Listen: listen})
	s.await("active")
	return ends[0], cable
}

// dialFrom connects with one of the kernel's congestion controls.
func dialFrom(n *netns.Namespace, addr, congestion string) (c *net.TCPConn, err error) {
	d := net.Dialer{Timeout: *patience, Control: func(_, _ string, raw syscall.RawConn) (err error) {
		e := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
		})
		return errors.Join(e, err)
	}}
	err = n.Do(func() error {
		conn, err := d.Dial("tcp", addr)
		if err == nil {
			c = conn.(*net.TCPConn)
		}
		return err
	})
	return c, err
}

// exchange sends random bytes to a server that echoes them, and says how long it took until all were
// back and were the same.
func exchange(c *net.TCPConn, size int64, seed byte) (time.Duration, error) {
	defer c.Close()
	begin := time.Now()
	c.SetDeadline(begin.Add(*patience))
	sent, received := sha256.New(), sha256.New()
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.MultiWriter(c, sent), rand.NewChaCha8([32]byte{seed}), size)
		if err == nil {
			err = c.CloseWrite()
		}
		done <- err
	}()
	n, err := io.Copy(received, c)
	if err := errors.Join(err, <-done); err != nil {
		return 0, fmt.Errorf("after %d bytes: %w", n, err)
	}
	if n != size || !bytes.Equal(received.Sum(nil), sent.Sum(nil)) {
		return 0, fmt.Errorf("%d bytes with digest %x came back of %d with %x", n, received.Sum(nil), size, sent.Sum(nil))
	}
	return time.Since(begin), nil
}
