package main

// promises are what the faults break. A word stands for a Must of the design, a number
// for a kind of fault that had been found before who serves and what is protected were
// redrawn. Every one of them has a fault at least.
var promises = map[string]string{
	"observed":  "nothing that the client could observe depends on state that only one node has",
	"kill":      "whenever the active node is killed, the client's stream has no byte lost, doubled or changed",
	"abort":     "an abort is delivered like a FIN, behind verified output",
	"paused":    "an old active node that wakes up can only repeat what the new one also knows",
	"no reset":  "an old active node that wakes up never sends a RST",
	"silent":    "an old active node falls silent as soon as it hears of a later epoch",
	"sack":      "out-of-order data may be SACKed without being replicated",
	"window":    "the right edge of the advertised window never moves left",
	"clock":     "the clock of timestamps never goes back, for any connection, new or old",
	"discard":   "state is discarded only on authenticated proof",
	"decide":    "what is not authenticated may start or delay a decision, and makes none",
	"protected": "protected is said only of what both sides have confirmed",
	"status":    "what a node says in Status, an operator may act on",

	"1":  "acknowledged data is lost with one failure",
	"2":  "a node that is born cut off claims",
	"3":  "a client crashes the survivor",
	"4":  "unauthenticated evidence decides",
	"5":  "marks are lifted by one session that another has set",
	"6":  "stale evidence decides",
	"7":  "the service network has no part in who serves",
	"8":  "two active nodes for ever",
	"9":  "an abort is no position",
	"10": "timestamps go back for connections that are not replicas",
	"11": "a node that joins while a takeover is under way misses connections",
	"12": "lag is measured wrongly",
	"13": "memory without bound in total",
	"14": "Handover and Close lose what they need not",
	"15": "settings that differ are found when a client hangs",
	"16": "user code is called under a lock",
}
