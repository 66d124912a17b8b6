package netns

import (
	"encoding/binary"

	"github.com/ftcp-project/ftcp/wire"
)

// The two bits of Explicit Congestion Notification (RFC 3168 section 5).
const (
	ecnMask               = 3
	ecnNotCapable         = 0
	congestionExperienced = 3
)

// markCongestion marks a frame's IP packet as having experienced congestion, and says whether it
// did: it leaves alone what is not IP, what does not allow it, and what is marked.
func markCongestion(frame []byte) bool {
	h, packet, err := wire.ParseEthernet(frame)
	if err != nil {
		return false
	}
	switch {
	case h.Type == wire.EtherTypeIPv4 && len(packet) >= 20:
		if !markable(packet[1] & ecnMask) {
			return false
		}
		before := binary.BigEndian.Uint16(packet)
		packet[1] |= congestionExperienced
		// RFC 1624 equation 3: HC' = ~(~HC + ~m + m')
		sum := uint32(^binary.BigEndian.Uint16(packet[10:])) + uint32(^before) + uint32(binary.BigEndian.Uint16(packet))
		binary.BigEndian.PutUint16(packet[10:], ^wire.Fold(sum))
		return true
	case h.Type == wire.EtherTypeIPv6 && len(packet) >= 40:
		// The traffic class stands across the first two bytes.
		if !markable(packet[1] >> 4 & ecnMask) {
			return false
		}
		packet[1] |= congestionExperienced << 4
		return true
	}
	return false
}

func markable(ecn byte) bool { return ecn != ecnNotCapable && ecn != congestionExperienced }
