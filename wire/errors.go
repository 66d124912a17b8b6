package wire

import (
	"errors"
	"fmt"
)

// The errors of parsing. What is returned wraps one of these and names the format.
var (
	// ErrShort says that the input ends before what its headers promise.
	ErrShort = errors.New("wire: too short")
	// ErrMalformed says that a field has a value that the format rules out.
	ErrMalformed = errors.New("wire: malformed")
	// ErrChecksum says that a checksum does not match.
	ErrChecksum = errors.New("wire: bad checksum")
	// ErrUnsupported says that the input may be well formed but is not something this package reads.
	ErrUnsupported = errors.New("wire: unsupported")
)

// The errors of presence messages, which a receiver may want to tell apart.
var (
	ErrPresenceShort   = fmt.Errorf("%w: presence message", ErrShort)
	ErrPresenceMagic   = fmt.Errorf("%w: not a presence message", ErrUnsupported)
	ErrPresenceVersion = fmt.Errorf("%w: version of a presence message", ErrUnsupported)
	ErrPresenceMAC     = fmt.Errorf("%w: presence message of another key", ErrChecksum)
	ErrPresenceKind    = fmt.Errorf("%w: kind of a presence message", ErrUnsupported)
)

// The errors are made once, here, so that a flood of broken packets costs no memory.
var (
	errEthernetShort  = fmt.Errorf("%w: Ethernet header", ErrShort)
	errARPShort       = fmt.Errorf("%w: ARP", ErrShort)
	errARPType        = fmt.Errorf("%w: ARP for something other than IPv4 over Ethernet", ErrUnsupported)
	errIPShort        = fmt.Errorf("%w: IP packet", ErrShort)
	errIPVersion      = fmt.Errorf("%w: IP version", ErrUnsupported)
	errIPLength       = fmt.Errorf("%w: IP length", ErrMalformed)
	errIPChecksum     = fmt.Errorf("%w: IPv4 header", ErrChecksum)
	errOption4        = fmt.Errorf("%w: IPv4 option", ErrMalformed)
	errSourceRoute    = fmt.Errorf("%w: IPv4 source route", ErrUnsupported)
	errMapped         = fmt.Errorf("%w: IPv4-mapped address in an IPv6 packet", ErrMalformed)
	errExtension      = fmt.Errorf("%w: IPv6 extension header", ErrMalformed)
	errOption         = fmt.Errorf("%w: IPv6 option", ErrUnsupported)
	errRouting        = fmt.Errorf("%w: IPv6 source route that does not end here", ErrUnsupported)
	errExtensionCount = fmt.Errorf("%w: too many IPv6 extension headers", ErrUnsupported)
	errTCPShort       = fmt.Errorf("%w: TCP header", ErrShort)
	errTCPOffset      = fmt.Errorf("%w: TCP data offset", ErrMalformed)
	errUDPShort       = fmt.Errorf("%w: UDP header", ErrShort)
	errICMPShort      = fmt.Errorf("%w: ICMP message", ErrShort)
	errICMPChecksum   = fmt.Errorf("%w: ICMP message", ErrChecksum)
	errNotQuoting     = fmt.Errorf("%w: ICMP message that quotes no packet", ErrUnsupported)
	errQuoteVersion   = fmt.Errorf("%w: ICMP message quotes the other IP version", ErrMalformed)
	errQuoteProtocol  = fmt.Errorf("%w: ICMP message quotes no TCP header", ErrUnsupported)
	errQuoteShort     = fmt.Errorf("%w: packet quoted by an ICMP message", ErrShort)
	errNotNeighbor    = fmt.Errorf("%w: not a neighbor message", ErrUnsupported)
	errNeighborShort  = fmt.Errorf("%w: neighbor message", ErrShort)
	errNeighborTarget = fmt.Errorf("%w: target of a neighbor message", ErrMalformed)
	errNeighborOption = fmt.Errorf("%w: option of a neighbor message", ErrMalformed)
)
