package stack

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"
)

// initialSequence is RFC 6528: a clock of 4 microseconds a tick, and a secret function of the
// connection's name.
func initialSequence(key *[32]byte, local, remote netip.AddrPort, now time.Time) uint32 {
	return uint32(now.UnixMicro()/4) + tupleHash(key, 'S', local, remote)
}

// timestampOffset is where a connection's timestamps start: RFC 7323 section 7.1 advises an
// offset that says nothing about the machine.
func timestampOffset(key *[32]byte, local, remote netip.AddrPort) uint32 {
	return tupleHash(key, 'T', local, remote)
}

func tupleHash(key *[32]byte, kind byte, local, remote netip.AddrPort) uint32 {
	b := make([]byte, 0, 80)
	b = append(b, key[:]...)
	b = append(b, kind)
	for _, a := range [...]netip.AddrPort{local, remote} {
		ip := a.Addr().As16()
		b = append(b, ip[:]...)
		b = binary.BigEndian.AppendUint16(b, a.Port())
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint32(sum[:])
}
