// Package tcp is the protocol: one connection's state (RFC 9293) as a value
// that is told the time and handed segments. It does no I/O, starts no goroutine, takes no
// lock and reads no clock; package stack does these around it.
//
//	core.Recv(now, &segment)           // a segment arrived
//	core.Append(data)                  // the user wrote
//	next = core.Send(now, emit)        // derive and emit all that may leave; call again at next
//
// Inside, both directions of a connection are counted by position: an int64
// that is 0 for the SYN, 1 for the first byte of data, and one past the data for
// the FIN. Sequence numbers, 32 bits wide, exist only in segments.
//
// # Two marks
//
// What the peer may see is bounded by two positions that someone else raises
// (package replication, as a standby confirms what it has; nobody, if a
// node stands alone: then both are unlimited):
//
//	una   <= nxt <= max <= sendable, appended     transmit nothing at or past sendable
//	acked <=               ackable,  rcvNxt       acknowledge nothing past ackable
//
// Every segment is made by one function, [Core.segment], which takes the minimum. Segments are derived when
// they may leave and never queued, so there is no second place to get this wrong.
//
// # What a connection's state is
//
// The states of RFC 9293 are not stored, they follow from the positions: see [Core.State]. A snapshot
// of a connection is therefore a handful of numbers, and a replica cannot be in
// a state that its numbers contradict.
//
// # Choices
//
//   - RTO: minimum 200 ms as in Linux, not the 1 s of RFC 6298.
//   - Zero-window probes are empty segments before SND.UNA, as Linux sends them, not one byte of
//     new data.
//   - A segment without a timestamp on a connection that uses them is dropped (RFC 7323 section 3.2).
//   - Urgent data is read in line (RFC 6093).
//   - The receive window does not tune itself; it is a parameter.
//   - Losses are found by time (RACK-TLP, RFC 8985) with peers that send SACK, by duplicate ACKs (RFC 5681, RFC 6582)
//     with others. Recovery is PRR's (RFC 9937), a needless one is undone by timestamps (RFC 3522, RFC 4015).
//   - CUBIC (RFC 9438) with HyStart++ (RFC 9406) is the default, Reno stands beside it.
package tcp
