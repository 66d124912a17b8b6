// Package wire reads and writes the formats that cross a wire: Ethernet, ARP, IPv4, IPv6, TCP and its options, ICMP,
// Neighbor Discovery, their checksums, and a printer in the manner of tcpdump.
//
// Everything here is a pure function of its arguments. Parsers are total: any byte string gives a value or an error
// that wraps one of [ErrShort], [ErrMalformed], [ErrChecksum] and [ErrUnsupported], and what they return as a payload
// is a part of the input, not a copy. Append methods add to a slice in the manner of package strconv and need no
// memory of their own when it has room.
//
// Addresses are netip.Addr values. An IPv4 address mapped into IPv6 (::ffff:192.0.2.1) given to an Append method or
// to a checksum means the IPv4 address; one found in an IPv6 header is an error, because nothing legitimate puts it
// there and it would be mistaken for its IPv4 twin.
//
// Not here: reassembly of fragments, VLAN tags, jumbograms, IPv4 options and IPv6 extension headers on output.
package wire
