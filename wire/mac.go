package wire

import "fmt"

// MAC is an Ethernet address. The zero value is no address.
type MAC [6]byte

// Broadcast is the Ethernet address that every station receives.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// IsZero reports whether m is no address.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsMulticast reports whether m is a group address; the broadcast address is one.
func (m MAC) IsMulticast() bool { return m[0]&1 != 0 }
