package device

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
	"github.com/ftcp-project/ftcp/wire"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if err := netns.Reexec(); err != nil {
		fmt.Fprintln(os.Stderr, err) // the tests that need it say so too
	}
	os.Exit(m.Run())
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newNamespace(t testing.TB) *netns.Namespace {
	t.Helper()
	if err := netns.Supported(); err != nil {
		t.Skip(err)
	}
	ns, err := netns.New()
	check(t, err)
	t.Cleanup(func() { ns.Close() })
	return ns
}

// A cable joins eth0 of a, where the device is, to eth0 of b, a machine with a
// kernel's TCP.
type cable struct{ a, b *netns.Namespace }

func newCable(t testing.TB) cable {
	t.Helper()
	c := cable{newNamespace(t), newNamespace(t)}
	check(t, c.a.AddVeth("eth0", c.b, "eth0"))
	for _, p := range []string{"10.0.0.1/24", "fd00::1/64"} {
		addAddr(t, c.a, "eth0", p)
	}
	for _, p := range []string{"10.0.0.2/24", "fd00::2/64"} {
		addAddr(t, c.b, "eth0", p)
	}
	return c
}

// addAddr adds an address and waits until the kernel routes it to itself, which for IPv6
// it arranges a moment later.
func addAddr(t testing.TB, ns *netns.Namespace, name, prefix string) {
	t.Helper()
	p := netip.MustParsePrefix(prefix)
	check(t, ns.AddAddr(name, p))
	if p.Addr().Is4() {
		return
	}
	const isLocal = '8' // the first digit of the flags: RTF_LOCAL
	addr := fmt.Sprintf("%x", p.Addr().As16())
	check(t, ns.Do(func() error {
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
			b, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(b)) {
				if f := strings.Fields(line); len(f) == 10 && f[0] == addr && f[1] == "80" && f[8][0] == isLocal {
					return nil
				}
			}
		}
		return fmt.Errorf("no local route to %v", p.Addr())
	}))
}

// The service addresses, and the MAC of their group.
var (
	service4 = netip.MustParseAddr("10.0.0.9")
	service6 = netip.MustParseAddr("fd00::9")
	group    = wire.MAC{0x02, 0xf7, 0xc9, 1, 2, 3}
)

func (c cable) openPacket(t testing.TB, addr netip.Addr) *Packet {
	t.Helper()
	var p *Packet
	check(t, c.a.Do(func() (err error) {
		p, err = OpenPacket(PacketConfig{Interface: "eth0", Addr: addr, MAC: group})
		return err
	}))
	t.Cleanup(func() { p.Close() })
	return p
}

// hardwareAddr returns the MAC of an interface.
func hardwareAddr(t testing.TB, ns *netns.Namespace, name string) (mac wire.MAC) {
	t.Helper()
	check(t, ns.Do(func() error {
		i, err := net.InterfaceByName(name)
		if err == nil {
			mac = wire.MAC(i.HardwareAddr)
		}
		return err
	}))
	return mac
}

// setOffload switches an offload of an interface on or off, as ethtool does.
func setOffload(t testing.TB, ns *netns.Namespace, name string, what, value uint32) {
	t.Helper()
	check(t, ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		setting := [2]uint32{what, value}
		var request struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}
		copy(request.name[:], name)
		request.data = unsafe.Pointer(&setting)
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
		if errno != 0 {
			return fmt.Errorf("ethtool %#x %d on %s: %w", what, value, name, errno)
		}
		return nil
	}))
}

// From linux/ethtool.h.
const (
	ethtoolSetTxChecksum = 0x17
	ethtoolSetTSO        = 0x1f
)

// A packet is a copy of what Read delivered.
type packet struct {
	b           []byte
	verified    bool
	segmentSize int
}

// An inbox reads a device all the time.
type inbox struct {
	t       testing.TB
	packets chan packet
	done    chan error // what ended Read
}

// readAll reads a device, inside its namespace.
func readAll(t testing.TB, ns *netns.Namespace, d Device) *inbox {
	in := &inbox{t, make(chan packet, 4096), make(chan error, 1)}
	go func() {
		in.done <- ns.Do(func() error {
			pkts := buffers(16)
			for {
				n, err := d.Read(pkts)
				if err != nil {
					return err
				}
				for _, p := range pkts[:n] {
					in.packets <- packet{slices.Clone(p.Buf[:p.N]), p.Verified, p.SegmentSize}
				}
			}
		})
	}()
	return in
}

func buffers(n int) []Inbound {
	pkts := make([]Inbound, n)
	for i := range pkts {
		pkts[i].Buf = make([]byte, BufferSize)
	}
	return pkts
}

const patience = 5 * time.Second

// next returns the next packet that is wanted.
func (in *inbox) next(what string, wanted func(packet) bool) packet {
	in.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case p := <-in.packets:
			if wanted(p) {
				return p
			}
		case <-timeout:
			in.t.Fatalf("no %s arrived", what)
		}
	}
}

// A capture records all frames that pass an interface in both directions.
type capture struct {
	sock socket
	mu   sync.Mutex
	all  [][]byte
}

func newCapture(t testing.TB, ns *netns.Namespace, name string) *capture {
	t.Helper()
	c := &capture{}
	check(t, ns.Do(func() error {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, 8<<20)
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: link.Index}); err != nil {
			return err
		}
		c.sock, err = newSocket(fd, "capture")
		return err
	}))
	t.Cleanup(func() { c.sock.file.Close() })
	go func() {
		buf := make([]byte, 1<<17)
		for {
			n, err := c.sock.file.Read(buf)
			if err != nil {
				return
			}
			c.mu.Lock()
			c.all = append(c.all, slices.Clone(buf[:n]))
			c.mu.Unlock()
		}
	}()
	return c
}

// frames returns what was captured so far.
func (c *capture) frames() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// until waits until a frame was captured, and returns all that were.
func (c *capture) until(last func(frame []byte) bool) [][]byte {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if all := c.frames(); slices.ContainsFunc(all, last) || time.Now().After(deadline) {
			return all
		}
	}
}

// inject sends a frame as it is, without offloads, from an interface.
func inject(t testing.TB, ns *netns.Namespace, name string, frame []byte) {
	t.Helper()
	check(t, ns.Do(func() error {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Index})
	}))
}

// ethertype returns what a frame carries.
func ethertype(frame []byte) wire.EtherType {
	h, _, err := wire.ParseEthernet(frame)
	if err != nil {
		return 0
	}
	return h.Type
}

// parseTCP takes an IP packet apart. It returns false if it is not TCP.
func parseTCP(b []byte) (ip wire.IP, tcp wire.TCP, payload []byte, ok bool) {
	ip, segment, err := wire.ParseIP(b)
	if err != nil || ip.Proto != wire.ProtoTCP {
		return ip, tcp, nil, false
	}
	payload, err = tcp.Parse(segment)
	return ip, tcp, payload, err == nil
}

// headers returns the network and transport headers of a segment, whose checksum is that
// of the pseudo-header only if partial, else complete.
func headers(src, dst netip.AddrPort, tcp wire.TCP, payload []byte, partial bool) (b []byte, tcpStart int) {
	tcp.SrcPort, tcp.DstPort = src.Port(), dst.Port()
	ip := wire.IP{Src: src.Addr(), Dst: dst.Addr(), Proto: wire.ProtoTCP, TTL: 64, DF: true}
	length := tcp.Len() + len(payload)
	b = ip.Append(nil, length)
	tcpStart = len(b)
	b = tcp.Append(b)
	pseudo := wire.PseudoHeaderSum(src.Addr(), dst.Addr(), wire.ProtoTCP, length)
	if partial {
		wire.SetPartialChecksum(b[tcpStart:], pseudo)
	} else {
		whole := append(slices.Clip(b), payload...)
		wire.SetTCPChecksum(whole[tcpStart:], pseudo)
		copy(b, whole)
	}
	return b, tcpStart
}

// removeLink removes an interface, as pulling out a USB adapter does.
func removeLink(t testing.TB, ns *netns.Namespace, name string) {
	t.Helper()
	check(t, ns.Do(func() error {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		var request struct {
			header unix.NlMsghdr
			link   unix.IfInfomsg
		}
		request.header = unix.NlMsghdr{Len: uint32(unsafe.Sizeof(request)), Type: unix.RTM_DELLINK, Flags: unix.NLM_F_REQUEST}
		request.link.Index = int32(link.Index)
		b := unsafe.Slice((*byte)(unsafe.Pointer(&request)), unsafe.Sizeof(request))
		return unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}))
}

// newTun makes a tunnel whose other end is a file.
func newTun(t testing.TB, ns *netns.Namespace, name string) *os.File {
	t.Helper()
	file, err := ns.AddTUN(name)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	check(t, err)
	t.Cleanup(func() { file.Close() })
	return file
}
