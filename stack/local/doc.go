// Package local is this machine's side of a stack: which addresses it answers for, by way
// of which devices, and from which of them it dials.
//
// [Links] finds the device for a service address, or for the addresses that the kernel
// owns, and adds it to the stack when the first listener or connection needs it.
// [ListenAddr] and [DialAddrs] turn what package net takes into addresses. [Check] says
// what is wrong with a configuration.
//
// Errors name the fields of ftcp.Node, which is where their readers can mend them.
package local
