package wire

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

// Presence is what the nodes of a group say about themselves on the service network,
// beside the link between them: who serves there can then be heard where the clients are.
//
// It is sent in an Ethernet frame of its own type, so that it needs no IP address and is
// the same for both versions of IP. It is authenticated, not secret: who replays a
// message is found out by its Nonce, and who sends one from another place is not found
// out at all.
//
// On the wire, in network byte order:
//
//	magic 4, version 1, kind 1, role 1, flags 1 (bit 0: Standby, bit 1: Deaf),
//	Slot, Incarnation, Lineage, Epoch, Revision, Reigned, To, Nonce: 8 each,
//	the first 16 bytes of HMAC-SHA256 (RFC 2104) over all of that
//
// Flags that this version does not know are ignored, and so is what follows the message,
// which may be padding.
type Presence struct {
	Kind        PresenceKind
	Role        uint8  // a number of replpb.Role, which this package does not interpret
	Standby     bool   // the sender is active and has a member standby in its set
	Deaf        bool   // the sender is starting and hears nobody: it does not go first
	Slot        uint64 // hash of the slot's name
	Incarnation uint64
	Lineage     uint64
	Epoch       uint64
	Revision    uint64
	Reigned     uint64 // milliseconds for which the sender has been active
	To          uint64 // the incarnation that it is for; 0: all
	Nonce       uint64 // of a query; an answer or a verdict repeats that of what it answers
}

// PresenceKind says what a presence message is for.
type PresenceKind uint8

// The kinds of presence messages.
const (
	// PresenceQuery asks who is there.
	PresenceQuery PresenceKind = 1 + iota
	// PresenceAnswer answers a query.
	PresenceAnswer
	// PresenceBeacon is said unasked.
	PresenceBeacon
	// PresenceVerdict says that the receiver's lineage has lost against Lineage and
	// Epoch.
	PresenceVerdict
)

func (k PresenceKind) String() string {
	switch k {
	case PresenceQuery:
		return "query"
	case PresenceAnswer:
		return "answer"
	case PresenceBeacon:
		return "beacon"
	case PresenceVerdict:
		return "verdict"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

const (
	presenceMagic    = 0x66746370 // "ftcp"
	presenceVersion  = 1
	presenceMAC      = 16 // bytes: RFC 2104 section 5 has half of the hash at least
	presenceUnsigned = 8 + 8*8

	flagStandby = 1 << 0
	flagDeaf    = 1 << 1
)

// PresenceLen is the length of a presence message. In its frame it needs no padding.
const PresenceLen = presenceUnsigned + presenceMAC

// Append appends the message to b, authenticated with key.
func (p *Presence) Append(b []byte, key *[32]byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, presenceMagic)
	b = append(b, presenceVersion, byte(p.Kind), p.Role, p.flags())
	for _, v := range [...]uint64{p.Slot, p.Incarnation, p.Lineage, p.Epoch, p.Revision, p.Reigned, p.To, p.Nonce} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	mac := signPresence((*[presenceUnsigned]byte)(b[start:]), key)
	return append(b, mac[:]...)
}

func (p *Presence) flags() (flags byte) {
	if p.Standby {
		flags |= flagStandby
	}
	if p.Deaf {
		flags |= flagDeaf
	}
	return flags
}

// ParsePresence reads the payload of an Ethernet frame of type EtherTypePresence. The
// error is ErrPresenceShort, ErrPresenceMagic, ErrPresenceVersion, ErrPresenceMAC or
// ErrPresenceKind. Only the last says something about a node of the group; the others may
// be anybody's.
func ParsePresence(b []byte, key *[32]byte) (Presence, error) {
	if err := checkPresence(b); err != nil {
		return Presence{}, err
	}
	mac := signPresence((*[presenceUnsigned]byte)(b), key)
	if subtle.ConstantTimeCompare(mac[:], b[presenceUnsigned:PresenceLen]) == 0 {
		return Presence{}, ErrPresenceMAC
	}
	p := readPresence(b)
	if p.Kind < PresenceQuery || p.Kind > PresenceVerdict {
		return Presence{}, ErrPresenceKind
	}
	return p, nil
}

// checkPresence says whether b has the form of a presence message of this version.
func checkPresence(b []byte) error {
	// A shorter message may be of another version, or of another protocol: the type is
	// for experiments.
	switch {
	case len(b) < 5:
		return ErrPresenceShort
	case binary.BigEndian.Uint32(b) != presenceMagic:
		return ErrPresenceMagic
	case b[4] != presenceVersion:
		return ErrPresenceVersion
	case len(b) < PresenceLen:
		return ErrPresenceShort
	}
	return nil
}

// readPresence reads a message that has passed checkPresence.
func readPresence(b []byte) Presence {
	field := func(i int) uint64 { return binary.BigEndian.Uint64(b[8+8*i:]) }
	return Presence{
		Kind: PresenceKind(b[5]), Role: b[6], Standby: b[7]&flagStandby != 0, Deaf: b[7]&flagDeaf != 0,
		Slot: field(0), Incarnation: field(1), Lineage: field(2), Epoch: field(3),
		Revision: field(4), Reigned: field(5), To: field(6), Nonce: field(7),
	}
}

// signPresence is HMAC-SHA256 (RFC 2104 section 2), truncated. It is written out here
// because crypto/hmac allocates, and anybody on the network can make us compute it.
func signPresence(message *[presenceUnsigned]byte, key *[32]byte) [presenceMAC]byte {
	var inner [sha256.BlockSize + presenceUnsigned]byte
	var outer [sha256.BlockSize + sha256.Size]byte
	for i := range sha256.BlockSize {
		var k byte
		if i < len(key) {
			k = key[i]
		}
		inner[i], outer[i] = k^0x36, k^0x5c
	}
	copy(inner[sha256.BlockSize:], message[:])
	sum := sha256.Sum256(inner[:])
	copy(outer[sha256.BlockSize:], sum[:])
	sum = sha256.Sum256(outer[:])
	return [presenceMAC]byte(sum[:])
}

// String describes the message in one line. Names, which are random or hashes, are in
// hexadecimal.
func (p Presence) String() string {
	b := fmt.Appendf(nil, "presence %v, role %d", p.Kind, p.Role)
	if p.Standby {
		b = append(b, ", standby"...)
	}
	b = fmt.Appendf(b, ", slot %x, incarnation %x, lineage %x, epoch %d, revision %d",
		p.Slot, p.Incarnation, p.Lineage, p.Epoch, p.Revision)
	if p.Reigned != 0 {
		b = append(b, ", reigned "...)
		if ms := time.Duration(p.Reigned); p.Reigned <= maxMilliseconds {
			b = append(b, (ms * time.Millisecond).String()...)
		} else {
			b = fmt.Appendf(b, "%dms", p.Reigned)
		}
	}
	if p.To != 0 {
		b = fmt.Appendf(b, ", to %x", p.To)
	}
	return string(fmt.Appendf(b, ", nonce %x", p.Nonce))
}

const maxMilliseconds = uint64((1<<63 - 1) / time.Millisecond)

// formatPresence describes a frame. Without the key nobody can say whether it is
// authentic.
func formatPresence(h Ethernet, payload []byte) string {
	switch err := checkPresence(payload); err {
	case nil:
		return fmt.Sprintf("%v > %v: %v, length %d", h.Src, h.Dst, readPresence(payload), len(payload))
	case ErrPresenceVersion:
		return string(appendError(fmt.Appendf(nil, "%v > %v: ", h.Src, h.Dst), err, len(payload)))
	}
	return formatOther(h, payload) // another experiment's
}
