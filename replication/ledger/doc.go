// Package ledger keeps what the protection of one connection rests on: how far the active node
// is, how far each standby is, and what follows for the two marks. It is pure: no lock, no
// clock and no I/O.
//
// A Guard belongs to a connection, and has a Progress for each standby. Everything that is
// done with a Progress goes through its phase:
//
//	Announced ─→ Replaying ─→ Gating ─→ Guarded
//	                │            └────┬────┘
//	                └──→ Releasing ←──┘
//	                        └──→ Gone
//
// What the peer may see is bounded by the minimum over those that are heeded: from Gating until
// they have forgotten it. A connection is protected if it is Guarded, which follows from
// what both sides have confirmed: see Progress.Confirm.
package ledger
