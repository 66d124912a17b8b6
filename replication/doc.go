// Package replication keeps the connections of one node in the memory of a second, which takes over when the first
// one dies.
//
// # Roles
//
// A node starts by asking its peers who serves. If one does, it joins that one as
// its standby. If none does, and nobody answers for the service address, it
// serves. Of nodes that start at the same moment the one with the lowest identity wins.
//
//	starting ──→ active ──→ (fenced) ──→ starting
//	   └──→ joining ──→ standby ──→ active
//
// Every reign has an epoch; it goes up by one with every takeover. A node that
// hears of a higher one than its own is fenced: it forgets its connections, without a word to
// their peers, and starts over.
//
// # What is replicated
//
// The active node's session sends an ordered log of records: a connection opens, has new input, has
// produced output (of which only the digest is sent), ends. The standby's follower replays
// them into replicas, which its own server reads and writes. Two kinds of answers raise the marks of
// the connection's core (package tcp):
//
//   - a confirmation of the log raises ackable: the input is in two memories;
//   - progress of the replica raises sendable: the standby's handler has produced the
//     same output, so it need not be sent to be safe.
//
// A connection that this side dials is in the log before its SYN leaves, as one in SYN-SENT; a second snapshot, with what the
// peer's SYN settles, is in the standby's memory before that SYN is acknowledged. Whoever takes over in
// between repeats the SYN, with the same number. Every Dial of the active node is in the log, also one that has failed: the
// standby's program gets its error (package stack pairs its Dials with replicas, by the numbers of the calls).
//
// The session pulls. A connection says that it has news; the sender takes the difference when
// the link has room. No lock is held while anything is sent.
//
// A connection that began before the standby came is replayed from the input that was
// retained, and its marks are frozen when the standby has caught up. If the
// history is gone, or the standby's handler produces something else, or falls behind for
// too long, the connection is released: it goes on without protection. The standby forgets it
// before anything can be seen that it does not know.
//
// # Who may take over
//
// Only a standby that was told that it is in sync. It takes over at once when the active node's kernel closes the
// link, as it does for a process that died, and after missed heartbeats; in both cases only if
// nobody answers a probe for the service address. After silence it also has to hear something on the
// service network first, for which it asks its neighbours: a node that hears nothing is cut off
// itself, and would come back with an old state. Conversely an active node whose standby is
// gone goes on alone when the link was closed by the standby's kernel and nobody answers a
// probe; or when that process asks, on a new link, who is active; or, after silence, when nobody answers and the
// service network is alive for longer than the standby would have needed to take over. Until then its marks stay where
// they are: nothing inconsistent can be seen, whatever the other one does.
//
// Two nodes alone cannot do better than this. If both the link and the service network between them fail, while
// clients reach both, both may serve: the standby hears neither heartbeats nor an answer, and the active node hears
// clients. Each client still sees one consistent stream for as long as its frames reach the same
// node, and the two marks bound what the other can contradict to what is sent after both have decided.
// An active node without a standby goes on asking its peers: of two that find each other the one with
// the lower epoch is fenced.
package replication
