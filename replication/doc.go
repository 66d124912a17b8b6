// Package replication keeps the connections of one node in the memory of a second, which takes
// over when the first one dies. The package itself is the shell around its rooms: it steps the
// machine that decides who serves, asks other nodes, and carries out what follows.
//
// # Where to look
//
//	who serves is decided in           reign (pure); its actions are carried out in act.go
//	a record outside of the nodes      arbiter
//	the marks come from                ledger (pure), through mirror's guarded.bound, and nothing else
//	what "protected" means             ledger.Guarded: what both sides have confirmed
//	the connections on both nodes      mirror
//	the link, its keys and frames      peerlink
//	questions to other nodes           ask.go over links, presence.go on the service network
//	how outputs are compared           digest
//	what is said in the log            notes
//
// # What is replicated
//
// The active node sends an ordered log of records: a connection opens, has new input, has
// produced output (of which only a keyed digest is sent), a deadline has expired, it ends. The
// standby replays them into replicas, which its own server reads and writes. Two kinds
// of answers raise the marks of the connection's core (package tcp):
//
//   - a confirmation of the log raises Ackable: the input is in two memories;
//   - progress of the replica raises Sendable: the standby's handler has produced the
//     same output, so it need not be sent to be safe. The close of an output, by FIN or RST, is a
//     position of it.
//
// A connection that begins while a standby is there is bound from its birth. One that was there
// before is replayed from the input that was kept (History). When the standby has caught up, the
// marks are frozen where the peer has got to, and the standby is told those two positions: the
// gate. From when it has confirmed both, it can go on with the connection, and both nodes say
// that it is protected. A peer that sends faster than the link carries waits for that.
//
// A standby whose handler produces something else says so, or is found out by the digest at its
// own position, which it reports where it is ahead of what it can compare. One whose handler
// stays behind for longer than MaxLag loses the connection. In either case it forgets the
// connection before anything can be seen that it does not know; the connection goes on
// unprotected, and Status counts it with the reason.
//
// A connection that this side dials is in the log before its SYN leaves, as one in SYN-SENT; a
// second snapshot, with what the peer's SYN settles, is in the standby's memory before that SYN is
// acknowledged. Every Dial of the active node is in the log, also one that has failed.
//
// # Agreed events
//
// What is no function of the input is agreed: an ordered stream of events for each connection is
// part of the log, and of the history. Deadlines are the first use: those of a replica do not
// expire by themselves, but where they did on the active node.
//
// # Locks
//
// In this order: mirror's follower.applying, a stack.Conn's, then leader.mu or follower.mu, then
// those of package stack. Group.mu guards the machine and is held for a step of it only;
// nothing else is taken under it but the queue of notes. Nothing of the user's runs under
// a lock: what is logged is queued (notes), and programs are woken, not called.
package replication
