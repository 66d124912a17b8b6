// Package reign decides who serves. It is pure: no goroutine, no clock, no I/O and no lock.
// Time and events come in, actions and the next deadline go out.
//
//	actions, next := m.Step(now, event)
//
// # Words
//
// A Member is one process. A lineage is the random name of a reign that began from nothing,
// and the epoch counts the takeovers in it. The Record says who serves and who may take over;
// every change of it has a revision of its own. A takeover, a standby's admission and going
// on alone are the same thing, a change of the record: see propose in swap.go.
//
// # Roles
//
//	Starting ──→ Active ⇄ Suspended
//	   ⇅            ↑         ↓
//	Joining ──→ Standby    Starting
//
// Each role has a file, whose function says all that a node in it heeds:
// starting.go, standby.go (with joining), active.go, suspended.go.
//
// # What decides
//
// Three kinds of evidence are kept apart (evidence.go):
//
//   - Statements are authenticated: a hello over a link, an answer on the service network that
//     repeats our nonce. Only they, the record, and stated silence decide.
//   - A round of questions asks all peers at the same time, over links and on the service
//     network. It counts only if the service network was heard in it: a node that is deaf
//     has not found out that nobody answers.
//   - What is not authenticated (a stranger's ARP) delays a decision and makes none.
//
// State is discarded (Fence, Drop) only on a later epoch of the own lineage, on a verdict of
// two lineages that have met (rival.go), on the record, or when a suspended node has learnt
// nothing for a while although it hears.
//
// What nodes make of each other is shown by the stories in testdata, which a test plays;
// those whose names begin with found are schedules that the exploration in
// explore_test.go has found.
//
// # Without an arbiter
//
// The pair's rule (pair.go) decides in the arbiter's place. Its limits are written there.
package reign
