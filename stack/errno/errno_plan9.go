// Package errno has the errors of system calls that a user of package net sees when a
// connection fails.
package errno

import "syscall"

// The errors, by their names in POSIX. Plan 9 has no numbers, and most of them not at all.
var (
	AddrInUse       = syscall.NewError("address already in use")
	AddrNotAvail    = syscall.NewError("cannot assign requested address")
	ConnAborted     = syscall.NewError("connection aborted")
	ConnRefused     = syscall.NewError("connection refused")
	ConnReset       = syscall.NewError("connection reset by peer")
	HostUnreachable = syscall.NewError("no route to host")
	NetUnreachable  = syscall.NewError("network is unreachable")
	Pipe            = syscall.NewError("broken pipe")
	TimedOut        = error(syscall.ETIMEDOUT)
)
