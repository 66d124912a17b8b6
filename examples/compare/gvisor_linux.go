package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// gVisorBuffer is the most that gVisor's TCP buffers, per direction and connection; ftcp's default.
const gVisorBuffer = 4 << 20

// gVisorNIC is the number of the one interface that such a stack has.
const gVisorNIC = 1

// listenGVisor listens with gVisor's stack on an address that the kernel does not own.
func listenGVisor(ifname string, addr netip.AddrPort, dispatch, congestion string) (net.Listener, error) {
	s, err := newGVisor(ifname, addr.Addr(), dispatch, congestion)
	if err != nil {
		return nil, err
	}
	return gonet.ListenTCP(s, gVisorAddress(addr), ipv4.ProtocolNumber)
}

// dialGVisor returns a connection of gVisor's stack from an address that the kernel does not own.
func dialGVisor(ctx context.Context, ifname string, local netip.Addr, remote netip.AddrPort) (net.Conn, error) {
	s, err := newGVisor(ifname, local, "recvmmsg", "")
	if err != nil {
		return nil, err
	}
	return gonet.DialContextTCP(ctx, s, gVisorAddress(remote), ipv4.ProtocolNumber)
}

func gVisorAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: gVisorNIC, Addr: tcpip.AddrFrom4(a.Addr().As4()), Port: a.Port()}
}

// newGVisor makes a stack of gVisor's that has addr. An empty congestion is gVisor's default, Reno.
func newGVisor(ifname string, addr netip.Addr, dispatch, congestion string) (*stack.Stack, error) {
	link, err := net.InterfaceByName(ifname)
	if err != nil {
		return nil, err
	}
	fd, err := packetSocket(link)
	if err != nil {
		return nil, err
	}
	linkOptions := &fdbased.Options{
		FDs:               []int{fd},
		MTU:               uint32(link.MTU),
		EthernetHeader:    true,
		Address:           tcpip.LinkAddress(link.HardwareAddr),
		GSOMaxSize:        65536, // the kernel cuts, and completes the checksums; see below
		RXChecksumOffload: true,  // the packets of a veth have no checksums yet

		// With TXChecksumOffload, packets that are not for GSO would have no checksum at all, and no mark
		// that it is to be filled in. Without, those that are for GSO are still left to the kernel.
	}
	switch dispatch {
	case "recvmmsg":
		linkOptions.PacketDispatchMode = fdbased.RecvMMsg
	case "packetmmap":
		linkOptions.PacketDispatchMode = fdbased.PacketMMap
	default:
		return nil, fmt.Errorf("gVisor has no way to receive called %q here", dispatch)
	}
	ep, err := fdbased.New(linkOptions)
	if err != nil {
		return nil, err
	}

	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	if err := s.CreateNIC(gVisorNIC, ep); err != nil {
		return nil, fmt.Errorf("gVisor: interface: %v", err)
	}
	address := tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(addr.As4()), PrefixLen: clientPrefix.Bits()},
	}
	if err := s.AddProtocolAddress(gVisorNIC, address, stack.AddressProperties{}); err != nil {
		return nil, fmt.Errorf("gVisor: address: %v", err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: gVisorNIC}})

	sack := tcpip.TCPSACKEnabled(true)
	moderate := tcpip.TCPModerateReceiveBufferOption(true)
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: gVisorBuffer, Max: 2 * gVisorBuffer}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: gVisorBuffer, Max: 2 * gVisorBuffer}
	options := []tcpip.SettableTransportProtocolOption{&sack, &moderate, &receive, &send}
	if congestion != "" {
		control := tcpip.CongestionControlOption(congestion)
		options = append(options, &control)
	}
	for _, option := range options {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return nil, fmt.Errorf("gVisor: %T: %v", option, err)
		}
	}
	return s, nil
}

// packetSocket returns a socket such as gVisor's runsc makes for an interface, with the buffers of ftcp's.
func packetSocket(link *net.Interface) (int, error) {
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		return -1, err
	}
	options := []struct{ level, name, value int }{
		{unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1},
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32 << 20},
		{unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4 << 20},
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return -1, fmt.Errorf("option %d of a packet socket: %w", o.name, err)
		}
	}
	return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index})
}
