// Package tcp is the protocol: one connection's state (RFC 9293) as a value
// that is told the time and handed segments. It does no I/O, starts no goroutine, takes no
// lock and reads no clock; package stack does these around it.
//
//	core.Recv(now, &segment)           // a segment arrived
//	core.Append(data)                  // the user wrote
//	next = core.Send(now, emit)        // derive and emit all that may leave; call again at next
//	core.SendReset(now, emit)          // a RST, if one is due and this node is sure that it is the one that serves
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
// Every segment but a RST is made by one function, [Core.segment], which takes the
// minimum. Segments are derived when they may leave and never queued, so there is no
// second place to get this wrong. A RST that ends the connection has its position, too,
// and waits for the mark as a FIN does: see [Close] and [Core.ResetDue].
//
// # What a connection's state is
//
// The states of RFC 9293 are not stored, they follow from the positions: see [Core.State]. A snapshot
// of a connection is therefore a handful of numbers, and a replica cannot be in
// a state that its numbers contradict.
//
// # Where the RFCs are
//
// The tests are scripts in testdata, unless they are named Test or Fuzz. Which of RFC 9293's requirements are met, and which
// are not, is in rfc9293.md, one by one.
//
//	RFC, section             what                                    where             tests
//	9293 3.5, 3.10.1         opens, also simultaneous                recv.go, core.go  listen-*, connect-*
//	9293 3.6, 3.10.4         closes in every order, half-close       user.go, recv.go  established-close-*, fin-wait-*, closing-*, close-wait-*, last-ack-*
//	9293 3.6.1, 6191, 1337   TIME-WAIT, its reuse, RST in it         timewait.go       time-wait-*, TestTimeWaitReused
//	9293 3.10.7.4            the eight checks, in order              recv.go           syn-received-*, established-*, fin-wait-*, closing-*, time-wait-*, close-wait-*, last-ack-*
//	9293 3.8.3, 6298         retransmission, back-off, giving up     timers.go, rtt.go *-rto*, *-lost, *-exhausted
//	9293 3.9.1.1             user timeout                            usertimeout.go    user-timeout*
//	9293 3.8.4               keep-alive                              keepalive.go      keepalive-*
//	9293 3.8.6.1             zero-window probes                      timers.go         established-zero-window*
//	9293 3.8.6.2             silly windows, both sides               send.go, window.go established-send-*, established-window-*
//	9293 3.8.6.3             delayed ACK                             recv.go           established-data-delayed-ack, *-every-second
//	9293 3.7.4               Nagle (off unless asked for)            send.go           established-nagle*
//	9293 3.8.5, 6093         urgent data, in line                    recv.go           established-urgent
//	6691, 9293 3.7.1         MSS                                     core.go           listen-syn-*, connect-initial-window
//	1191, 8201, 5927         path MTU from ICMP, checked             pathprobe.go      pathmtu*, *-pathmtu
//	8899, 4821               path MTU, searched for                  pathprobe.go      pathprobe-*, pathmtu-raise
//	7323                     window scale, timestamps, PAWS          recv.go, window.go timestamps-*, paws*, TestWindowRounding
//	2018, 2883               SACK and D-SACK, sent                   send.go, reassembly.go established-ooo*, *-dsack
//	2018, 2883, 6675         SACK and D-SACK, used                   scoreboard.go     established-sack-*
//	8985                     RACK-TLP                                rack.go, tailprobe.go established-sack-recovery, *-reordered, *-tail-loss
//	9937 (6937)              PRR                                     prr.go            established-fast-retransmit*, *-sack-recovery
//	5681, 6582, 3042         without SACK: NewReno                   recovery.go       established-fast-retransmit*
//	3522, 3708, 4015         undo of what was no loss                undo.go           established-rto-spurious, *-in-vain
//	-                        pacing                                  pacing.go         established-paced*, *-send-cwnd
//	-                        buffers as large as the path needs      tuning.go         established-window-grows, established-window-stays, *-send-buffer
//	6928, 3465, 5681 4.1     initial window, byte counting, idle     congestion.go     connect-initial-window, established-idle-restart, established-sack-growth*, *-flight-size
//	9438, 9406               CUBIC, HyStart++                        cubic.go, hystart.go TestCubic*, TestHystart, FuzzPair
//	draft-ietf-ccwg-bbr      BBR, and the rate of delivery           bbr.go, rate.go   TestBBR*, FuzzPair
//	3168                     ECN                                     ecn.go            *-ecn*
//	5961                     RST, SYN and ACK attacks                recv.go, challenge.go *-rst-in-window, *-rst-outside, *-syn, *-syn-outside, *-ack-ancient, *-limit
//	-                        the marks                               marks.go          gate-*, ungate*, TestKeepOut, TestBoundSeen
//	-                        a RST is a position, as a FIN is         close.go          gate-rst*, takeover-rst*, takeover-close-unread, established-abort-hushed, TestReplicaClose
//	-                        takeover, in every state                replica.go        takeover-*, TestReplica*, FuzzReplica, FuzzReplay
//
// # Choices
//
//   - RTO: minimum 200 ms as in Linux, not the 1 s of RFC 6298.
//   - Zero-window probes are empty segments before SND.UNA, as Linux sends them, not one byte of
//     new data.
//   - A segment without a timestamp on a connection that uses them is dropped (RFC 7323 section 3.2).
//   - The path MTU is searched for, with data as probes, when three timeouts in a row look like a black hole, and ten minutes
//     after a router has named a size.
//   - ECN is granted to whoever asks, and asked for if Config.ECN is set. A mark reduces the window as a loss
//     does; ECN++, AccECN and ABE (RFC 8511) are not used.
//   - The user timeout is the user's; the option that tells the peer (RFC 5482) is not used.
//   - Urgent data is read in line (RFC 6093).
//   - Losses are found by time (RACK-TLP, RFC 8985) with peers that send SACK, by duplicate ACKs (RFC 5681, RFC 6582)
//     with others. Recovery is PRR's (RFC 9937), a needless one is undone by timestamps (RFC 3522, RFC 4015).
//   - CUBIC (RFC 9438) with HyStart++ (RFC 9406) is the default, Reno and BBR stand beside it. BBR has version 1's
//     ProbeBW, as Linux has it, which does not give the rate up for losses: see bbr.go.
package tcp
