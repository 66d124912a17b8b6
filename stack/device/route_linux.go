package device

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NextHop asks the kernel by way of which station on the network of an interface it would send to dst: dst itself, if
// that is on the network. The error is ENETUNREACH, or another of the kernel's, if there is no way.
func NextHop(name string, dst netip.Addr) (netip.Addr, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("device: %w", err)
	}
	hop, err := route(i.Index, dst, 0)
	if err == nil && !hop.IsValid() {
		hop = dst
		if dst.Is4() {
			// Without a route, IPv4 takes dst for on the link if it is told which. That there is one shows
			// in a question for the route itself.
			_, err = route(i.Index, dst, unix.RTM_F_FIB_MATCH)
		}
	}
	if err != nil {
		return netip.Addr{}, err
	}
	return hop, nil
}

// route sends one RTM_GETROUTE and returns the gateway of the answer, if it has one: rtnetlink(7).
func route(index int, dst netip.Addr, flags uint32) (gateway netip.Addr, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return gateway, err
	}
	defer unix.Close(fd)

	family := uint8(unix.AF_INET)
	if dst.Is6() {
		family = unix.AF_INET6
	}
	b := make([]byte, unix.NLMSG_HDRLEN, 128)
	b = append(b, unsafe.Slice((*byte)(unsafe.Pointer(&unix.RtMsg{
		Family: family, Dst_len: uint8(dst.BitLen()), Flags: flags,
	})), unix.SizeofRtMsg)...)
	b = appendAttr(b, unix.RTA_DST, dst.AsSlice())
	b = appendAttr(b, unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(index)))
	*(*unix.NlMsghdr)(unsafe.Pointer(&b[0])) = unix.NlMsghdr{
		Len: uint32(len(b)), Type: unix.RTM_GETROUTE, Flags: unix.NLM_F_REQUEST,
	}
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return gateway, err
	}
	answer := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, answer, 0) // the kernel has answered before Sendto returned
	if err != nil {
		return gateway, err
	}
	msgs, err := syscall.ParseNetlinkMessage(answer[:n])
	if err != nil || len(msgs) == 0 {
		return gateway, unix.EBADMSG
	}
	m := &msgs[0]
	switch {
	case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
		return gateway, syscall.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
	case m.Header.Type != unix.RTM_NEWROUTE || len(m.Data) < unix.SizeofRtMsg:
		return gateway, unix.EBADMSG
	case (*unix.RtMsg)(unsafe.Pointer(&m.Data[0])).Type != unix.RTN_UNICAST:
		return gateway, unix.ENETUNREACH
	}
	attrs, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return gateway, unix.EBADMSG
	}
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.RTA_GATEWAY:
			gateway, _ = netip.AddrFromSlice(a.Value)
		case unix.RTA_VIA: // a gateway of the other IP version, behind two bytes that say which
			return gateway, unix.ENETUNREACH
		}
	}
	return gateway, nil
}

// appendAttr appends a netlink attribute whose value's length is a multiple of 4.
func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, value...)
}
