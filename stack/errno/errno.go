//go:build !plan9

// Package errno has the errors of system calls that a user of package net sees when a
// connection fails. Code that looks for syscall.ECONNRESET and the like finds them here; not
// every system has them all.
package errno

import "syscall"

// The errors, by their names in POSIX.
const (
	AddrInUse       = syscall.EADDRINUSE
	AddrNotAvail    = syscall.EADDRNOTAVAIL
	ConnAborted     = syscall.ECONNABORTED
	ConnRefused     = syscall.ECONNREFUSED
	ConnReset       = syscall.ECONNRESET
	HostUnreachable = syscall.EHOSTUNREACH
	NetUnreachable  = syscall.ENETUNREACH
	Pipe            = syscall.EPIPE
	TimedOut        = syscall.ETIMEDOUT
)
