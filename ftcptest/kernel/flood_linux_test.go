package kernel_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/wire"
	"golang.org/x/sys/unix"
)

const (
	floodSources = 100_000  // addresses, each with a port
	floodMemory  = 64 << 20 // bytes that a node may take for it, resident
)

// A flood from a hundred thousand addresses that nobody has. A kernel client that is connected goes on, another one
// connects in the middle of it, and the memory of the nodes stays within bounds.
func TestFlood(t *testing.T) {
	for _, kind := range []struct {
		name  string
		flags []wire.Flags // of the segments from each address
	}{
		{"SYN", []wire.Flags{wire.SYN}},
		{"ACK", []wire.Flags{wire.ACK}}, // as if of cookies
		{"SYN and RST", []wire.Flags{wire.SYN, wire.RST}},
		{"all", []wire.Flags{wire.SYN, wire.ACK, wire.RST}},
	} {
		for _, pair := range []bool{false, true} {
			name := kind.name
			if pair {
				name += ", with a standby"
			}
			t.Run(name, func(t *testing.T) { testFlood(t, kind.flags, pair) })
		}
	}
}

func testFlood(t *testing.T, flags []wire.Flags, pair bool) {
	config := serverConfig{Handler: "echo", Listen: "10.0.0.5:7000", Backlog: stack.DefaultBacklog}
	var l *lab
	var servers []*server
	if pair {
		l = startPair(t, config)
		servers = l.servers[:]
	} else {
		l = newLab(t, config)
		servers = []*server{startServer(t, l.hosts[0], config)}
		servers[0].await("active")
	}
	attacker := newHost(t, l.sw, "10.0.0.66")
	old := l.dial()
	check(t, echoOnce(old, 0))
	var before []int64
	for _, s := range servers {
		before = append(before, s.memory())
	}

	var (
		stop         atomic.Bool
		running      sync.WaitGroup
		first        time.Duration // how long it took to send a segment from each address
		rounds       int
		slowest      time.Duration
		floods, ends error
	)
	end := func() {
		stop.Store(true)
		running.Wait()
	}
	defer end()
	running.Go(func() {
		begin := time.Now()
		// Once with the race detector: a server ten times as slow would see nothing but the flood.
		for ; floods == nil && (rounds == 0 || !raceEnabled && !stop.Load()); rounds++ {
			floods = flood(attacker, netip.MustParseAddrPort(config.Listen), flags)
			if rounds == 0 {
				first = time.Since(begin)
			}
		}
	})
	running.Go(func() {
		for i := 1; ends == nil && !stop.Load(); i++ {
			begin := time.Now()
			ends = echoOnce(old, i)
			slowest = max(slowest, time.Since(begin))
		}
	})
	servers[0].awaitThat("flooded", func(r report) bool { return r.Packets > floodSources/10 })
	connecting := time.Now()
	fresh := l.dial()
	check(t, echoOnce(fresh, 0))
	connected := time.Since(connecting)
	end()
	check(t, floods)
	check(t, ends)
	for i, s := range servers {
		now, most := s.memory(), s.mostMemory()
		t.Logf("memory of server %d: before %.1f MiB, at most %.1f, now %.1f", i, mib(before[i]), mib(most), mib(now))
		if most-before[i] > floodMemory && !raceEnabled {
			t.Errorf("server %d took %.1f MiB more", i, mib(most-before[i]))
		}
	}
	r, _ := servers[0].report()
	t.Logf("%d segments in %v (then %d times again); %d packets received, %d cookies sent; slowest echo %v, new client in after %v",
		floodSources*len(flags), first, rounds-1, r.Packets, r.Cookies, slowest, connected)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// flood sends segments from addresses that are not in the network (RFC 2544's).
func flood(from *netns.Host, to netip.AddrPort, flags []wire.Flags) error {
	return from.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer unix.Close(fd)
		dst := unix.SockaddrInet4{Addr: to.Addr().As4()}
		b := make([]byte, 0, 128)
		for i := range floodSources {
			src := netip.AddrFrom4([4]byte{198, 18 + byte(i>>16), byte(i >> 8), byte(i)})
			for j, f := range flags {
				h := wire.TCP{SrcPort: uint16(1024 + i%60000), DstPort: to.Port(), Seq: uint32(i*7919 + j), Ack: uint32(i * 104729), Flags: f, Window: 65535}
				if f == wire.SYN {
					h.Options = wire.Options{MSS: 1460, SACKPermitted: true, HasTimestamps: true, TSVal: 1, HasWindowScale: true, WindowScale: 7}
				}
				ip := wire.IP{Src: src, Dst: to.Addr(), Proto: wire.ProtoTCP, TTL: 64, DF: true}
				b = ip.Append(b[:0], h.Len())
				start := len(b)
				b = h.Append(b)
				wire.SetTCPChecksum(b[start:], wire.PseudoHeaderSum(src, to.Addr(), wire.ProtoTCP, len(b)-start))
				if err := unix.Sendto(fd, b, 0, &dst); err != nil && err != unix.ENOBUFS {
					return os.NewSyscallError("sendto", err)
				}
			}
		}
		return nil
	})
}

// mostMemory is the most resident memory that the server ever had, in bytes.
func (s *server) mostMemory() int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	var kb int64
	if _, rest, ok := strings.Cut(string(text), "VmHWM:"); ok {
		fmt.Sscan(rest, &kb)
	}
	return kb << 10
}
