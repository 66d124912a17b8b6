package netns

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A netlink is a connection to the part of the kernel that configures one
// network namespace. See rtnetlink(7).
type netlink struct {
	mu  sync.Mutex
	fd  int // -1 when closed
	seq uint32
}

// openNetlink opens a connection for the calling thread's namespace.
func openNetlink() (*netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// Errors in words, and without the request that caused them. Kernels
	// before 4.12 have only numbers.
	unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	return &netlink{fd: fd}, nil
}

func (nl *netlink) close() error {
	nl.mu.Lock()
	defer nl.mu.Unlock()
	if nl.fd < 0 {
		return nil
	}
	err := unix.Close(nl.fd)
	nl.fd = -1
	return os.NewSyscallError("close", err)
}

// call sends a request and returns the body of the answer, which is empty unless
// the request asks for something.
func (nl *netlink) call(req *request) (answer []byte, err error) {
	nl.mu.Lock()
	defer nl.mu.Unlock()
	if nl.fd < 0 {
		return nil, os.ErrClosed
	}
	nl.seq++
	if err := unix.Sendto(nl.fd, req.marshal(nl.seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	// The kernel has handled the request by now; receiving does not wait.
	buf := make([]byte, 1<<16)
	for {
		size, _, err := unix.Recvfrom(nl.fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		for b := buf[:size]; len(b) >= unix.SizeofNlMsghdr; {
			length := int(binary.NativeEndian.Uint32(b))
			if length < unix.SizeofNlMsghdr || length > len(b) {
				return nil, fmt.Errorf("netlink message of %d bytes in %d", length, len(b))
			}
			var (
				typ  = binary.NativeEndian.Uint16(b[4:])
				seq  = binary.NativeEndian.Uint32(b[8:])
				body = b[unix.SizeofNlMsghdr:length]
			)
			switch {
			case seq != nl.seq: // the rest of a call that failed
			case typ == unix.NLMSG_ERROR:
				return answer, ackError(binary.NativeEndian.Uint16(b[6:]), body)
			default:
				answer = append([]byte(nil), body...)
			}
			b = b[min(align(length), len(b)):]
		}
	}
}

// ackError returns the error in an acknowledgement, nil if it reports success.
func ackError(flags uint16, body []byte) error {
	const fixed = 4 + unix.SizeofNlMsghdr // error number, header of the request
	if len(body) < fixed {
		return fmt.Errorf("netlink acknowledgement of %d bytes", len(body))
	}
	errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
	if errno == 0 {
		return nil
	}
	if flags&unix.NLM_F_ACK_TLVS != 0 && flags&unix.NLM_F_CAPPED != 0 {
		if msg := parseAttrs(body[fixed:])[unix.NLMSGERR_ATTR_MSG]; len(msg) > 0 {
			return fmt.Errorf("%w (%s)", errno, cstring(msg))
		}
	}
	return errno
}

// A request is a netlink message on its way to the kernel: a fixed part that
// depends on the type, then attributes, which may contain attributes.
type request struct {
	typ   uint16
	flags uint16
	body  []byte
}

// newRequest begins a request with its fixed part, a struct in the kernel's layout.
func newRequest(typ, flags uint16, fixed any) *request {
	req := &request{typ: typ, flags: flags}
	req.append(fixed)
	return req
}

func (req *request) append(fixed any) {
	body, err := binary.Append(req.body, binary.NativeEndian, fixed)
	if err != nil {
		panic(err) // fixed has no fixed size
	}
	req.body = body
}

// attr adds an attribute: an integer, a string, or bytes.
func (req *request) attr(typ uint16, value any) {
	if s, ok := value.(string); ok {
		value = append([]byte(s), 0)
	}
	req.nest(typ, func() { req.append(value) })
}

// nest adds an attribute whose value is what fill adds.
func (req *request) nest(typ uint16, fill func()) {
	start := len(req.body)
	req.body = append(req.body, 0, 0, 0, 0)
	fill()
	binary.NativeEndian.PutUint16(req.body[start:], uint16(len(req.body)-start))
	binary.NativeEndian.PutUint16(req.body[start+2:], typ)
	for len(req.body) < align(len(req.body)) {
		req.body = append(req.body, 0)
	}
}

func (req *request) marshal(seq uint32) []byte {
	var m request
	m.append(unix.NlMsghdr{
		Len:   uint32(unix.SizeofNlMsghdr + len(req.body)),
		Type:  req.typ,
		Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK | req.flags,
		Seq:   seq,
	})
	return append(m.body, req.body...)
}

// parseAttrs returns the attributes in b by type.
func parseAttrs(b []byte) map[uint16][]byte {
	attrs := make(map[uint16][]byte)
	for len(b) >= unix.SizeofNlAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofNlAttr || length > len(b) {
			break
		}
		typ := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		attrs[typ] = b[unix.SizeofNlAttr:length]
		b = b[min(align(length), len(b)):]
	}
	return attrs
}

// align rounds n up to a multiple of four, NLMSG_ALIGNTO and NLA_ALIGNTO.
func align(n int) int { return (n + 3) &^ 3 }

// cstring returns b up to its first zero byte.
func cstring(b []byte) string { return unix.ByteSliceToString(b) }
