package device

import (
	"net/netip"

	"github.com/ftcp-project/ftcp/wire"
)

// PacketConfig says what OpenPacket receives.
type PacketConfig struct {
	// Interface is the name of the interface, such as "eth0". If it is empty, the
	// interface is the one whose network contains Addr.
	Interface string

	// Addr is the service address, IPv4 or IPv6. The kernel must not own it.
	Addr netip.Addr

	// MAC is the Ethernet address to receive besides the interface's own. Zero
	// means none.
	MAC wire.MAC
}

// Stats counts the packets that a device lost. TCP repeats them; a counter that
// keeps rising explains why a connection is slow.
type Stats struct {
	// Overrun counts packets that the kernel discarded because Read came too late.
	Overrun uint64

	// Truncated counts packets larger than the buffer that they were read into.
	Truncated uint64

	// Unreadable counts packets that the kernel could not hand over, for
	// example because it merged them in a way that has no description here.
	Unreadable uint64

	// Refused counts packets that the kernel would not send: malformed, too
	// large, without a route, or forbidden by a rule of the firewall.
	Refused uint64

	// Dropped counts packets lost on the way out: a full queue, or an interface
	// that is down.
	Dropped uint64
}
