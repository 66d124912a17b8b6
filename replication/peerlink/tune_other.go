//go:build !linux

package peerlink

// tune sets up a socket. There is nothing that other systems have and a link needs.
func tune(fd int) {}
