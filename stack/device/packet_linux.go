package device

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/wire"
	"golang.org/x/sys/unix"
)

// Packet is a device for a service address on an interface of the machine. The
// kernel does not own the address and has no part in its connections.
type Packet struct {
	name     string
	features Features
	sock     socket
	rx       receiver
	tx       sender
	group    int // a socket that is a member of the solicited-node group, or -1
	overrun  overruns
	closed   atomic.Bool
	moved    atomic.Bool // the interface has another Ethernet address than before

	mu   sync.Mutex
	down bool // with the read deadline
}

// OpenPacket opens a device for a service address. It needs CAP_NET_RAW; with
// CAP_NET_ADMIN the receive buffer may be larger than net.core.rmem_max.
//
// Frames with a VLAN tag are not received: name the VLAN's interface.
func OpenPacket(cfg PacketConfig) (*Packet, error) {
	addr := cfg.Addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return nil, errors.New("device: no service address")
	}
	name := cfg.Interface
	if name == "" {
		var err error
		if name, _, err = InterfaceFor(cfg.Addr); err != nil {
			return nil, err
		}
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("device: interface %q: %w", name, err)
	}
	if len(link.HardwareAddr) != 6 || link.Flags&net.FlagLoopback != 0 {
		return nil, fmt.Errorf("device: %s is not an Ethernet interface", name)
	}

	fd, err := openPacketSocket(link, addr, cfg.MAC)
	if err != nil {
		return nil, fmt.Errorf("device: %s: %w", name, err)
	}
	sock, err := newSocket(fd, "packet:"+name)
	if err != nil {
		return nil, fmt.Errorf("device: %s: %w", name, err)
	}
	p := &Packet{
		name: name,
		features: Features{
			MTU:      link.MTU,
			MAC:      wire.MAC(link.HardwareAddr),
			GSO:      65535,
			Checksum: true,
		},
		sock:  sock,
		group: -1,
	}
	p.rx.init(sock)
	p.tx.init(sock, withVnetHeader)
	if addr.Is6() {
		p.group = joinSolicitedNode(link, addr)
	}
	time.AfterFunc(movedInterval, p.watch)
	return p, nil
}

// openPacketSocket returns a socket that receives the frames for addr from the first one on.
func openPacketSocket(link *net.Interface, addr netip.Addr, mac wire.MAC) (fd int, err error) {
	// With protocol 0 the socket receives nothing until it is bound, and by
	// then the filter is there.
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, socketError(err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err := attach(fd, packetRules(addr, mac)); err != nil {
		return -1, os.NewSyscallError("SO_ATTACH_FILTER", err)
	}
	if err := setPacketOptions(fd); err != nil {
		return -1, err
	}

	// Memberships are counted by the kernel and end with the socket, so nothing is left
	// behind by a crash.
	if !mac.IsZero() {
		if err := receiveMAC(fd, link, unix.PACKET_MR_UNICAST, mac); err != nil {
			return -1, err
		}
	}
	if addr.Is6() {
		group := wire.MulticastMAC(wire.SolicitedNode(addr))
		if err := receiveMAC(fd, link, unix.PACKET_MR_MULTICAST, group); err != nil {
			return -1, err
		}
	}
	err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: link.Index})
	if err != nil {
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

// setPacketOptions sets what the sockets of both devices have in common.
func setPacketOptions(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		return os.NewSyscallError("PACKET_VNET_HDR", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return os.NewSyscallError("PACKET_IGNORE_OUTGOING", err)
	}
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
	return nil
}

func socketError(err error) error {
	err = os.NewSyscallError("socket", err)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w (it needs CAP_NET_RAW)", err)
	}
	return err
}

// receiveMAC has the interface receive the frames for mac.
func receiveMAC(fd int, link *net.Interface, kind uint16, mac wire.MAC) error {
	m := unix.PacketMreq{Ifindex: int32(link.Index), Type: kind, Alen: uint16(len(mac))}
	copy(m.Address[:], mac[:])
	err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m)
	return os.NewSyscallError("PACKET_ADD_MEMBERSHIP", err)
}

// joinSolicitedNode returns a socket that makes the kernel report the membership in the group
// to which solicitations for addr go:
// a switch that listens to these reports (MLD snooping) forwards solicitations
// only to members. Where that fails the network probably needs none of it.
func joinSolicitedNode(link *net.Interface, addr netip.Addr) (fd int) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	m := unix.IPv6Mreq{Multiaddr: wire.SolicitedNode(addr).As16(), Interface: uint32(link.Index)}
	if unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &m) != nil {
		unix.Close(fd)
		return -1
	}
	return fd
}

// Features implements Device.
func (p *Packet) Features() Features { return p.features }

// Read implements Device. An interface that is down delivers nothing until it
// is up again; one that is removed, or has another Ethernet address, is an error.
func (p *Packet) Read(pkts []Inbound) (int, error) {
	if len(pkts) == 0 {
		return 0, nil
	}
	for {
		n, err := p.rx.wait(pkts)
		switch {
		case err == nil:
			return n, nil
		case p.closed.Load():
			return 0, p.closedError()
		case err == unix.ENETDOWN:
			p.setDown(true)
		case errors.Is(err, os.ErrDeadlineExceeded):
			if p.moved.Load() {
				return 0, p.failed("read", errMoved)
			}
			if p.look() == removed {
				return 0, p.failed("read", unix.ENODEV)
			}
		default:
			return 0, p.failed("read", err)
		}
	}
}

// Write implements Device. What is sent while the interface is down is lost.
func (p *Packet) Write(pkts []Outbound) error {
	err := p.tx.send(pkts)
	switch {
	case err == nil:
		return nil
	case p.closed.Load():
		return p.closedError()
	case err == unix.ENETDOWN:
		p.setDown(true)
		return nil
	}
	p.setDown(true) // for Read, which may not have been told
	return p.failed("write", err)
}

// The kernel reports once that an interface went down, to Read or to Write, and does not
// report that it was removed after that, nor that it is up again. So while it is down,
// Read looks from time to time. A packet is no sign that it is up: it may have waited
// since before.
const downInterval = 200 * time.Millisecond

func (p *Packet) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down == down {
		return
	}
	p.down = down
	deadline := time.Time{}
	if down {
		deadline = time.Now().Add(downInterval)
	}
	p.sock.file.SetReadDeadline(deadline)
}

// look looks at the interface, and again after downInterval if it is not up. What Write
// is told from now on counts, so the note that it was down is taken away first.
func (p *Packet) look() state {
	p.setDown(false)
	s := p.state()
	if s == down {
		p.setDown(true)
	}
	return s
}

// Stats returns the device's counters.
func (p *Packet) Stats() Stats {
	return Stats{
		Overrun:    p.overrun.read(p.sock),
		Truncated:  p.rx.truncated.Load(),
		Unreadable: p.rx.unreadable.Load(),
		Refused:    p.tx.refused.Load(),
		Dropped:    p.tx.dropped.Load(),
	}
}

// Close implements Device.
func (p *Packet) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	p.overrun.read(p.sock)
	if p.group >= 0 {
		unix.Close(p.group)
	}
	return p.sock.file.Close()
}

func (p *Packet) closedError() error {
	return fmt.Errorf("device: %s: %w", p.name, net.ErrClosed)
}

func (p *Packet) failed(what string, err error) error {
	return fmt.Errorf("device: %s %s: %w", what, p.name, err)
}

// overruns counts the packets that a packet socket had no room for.
type overruns struct {
	mu    sync.Mutex
	total uint64
}

// read returns the count. The kernel's own starts over each time it is read.
func (o *overruns) read(s socket) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.raw.Control(func(fd uintptr) {
		st, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err == nil {
			o.total += uint64(st.Drops)
		}
	})
	return o.total
}
