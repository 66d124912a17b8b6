package wire

import "net/netip"

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// within reports whether part lies in whole, as a payload must.
func within(part, whole []byte) bool {
	if len(part) == 0 {
		return true
	}
	for i := range whole {
		if &whole[i] == &part[0] {
			return len(part) <= len(whole)-i
		}
	}
	return false
}
