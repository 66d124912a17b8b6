// Package mirror keeps connections on two nodes by running their handlers on both, on the same
// input. It is the path of the data: which node is the active one is decided elsewhere (package
// reign), and where the marks are is a matter of package ledger.
//
//	the active node's side of a link   lead.go, leader.go; the log it writes, log.go; what it is told, reports.go
//	what it keeps of a connection      guarded.go, whose method bound is where all marks come from
//	the standby's side                 follow.go, follower.go, replica.go, reporter.go
//	when the two change places         takeover.go
package mirror
