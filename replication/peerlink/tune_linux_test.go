package peerlink

import (
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Both ends of a connection are set up, the accepted one too.
func TestTuned(t *testing.T) {
	client, server := tunedPair(t)
	available, err := os.ReadFile("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
	if err != nil {
		t.Skip(err)
	}
	for name, c := range map[string]net.Conn{"client": client, "server": server} {
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(f uintptr) {
			fd := int(f)
			cc, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
			if cc = strings.TrimRight(cc, "\x00"); err != nil || cc != congestionControl {
				if strings.Contains(string(available), congestionControl) {
					t.Errorf("%s: congestion control %q, %v", name, cc, err)
				}
			}
			if on, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || on == 0 {
				t.Errorf("%s: TCP_NODELAY is %d, %v", name, on, err)
			}
			us, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_RTO_MIN_US)
			switch {
			case err == unix.ENOPROTOOPT:
				t.Logf("%s: this kernel has no TCP_RTO_MIN_US", name)
			case err != nil || us < 5_000 || us > 20_000:
				t.Errorf("%s: TCP_RTO_MIN_US is %d, %v", name, us, err)
			default:
				t.Logf("%s: TCP_RTO_MIN_US is %d", name, us)
			}
		})
	}
}
