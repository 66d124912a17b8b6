// Package prober has only tests: a black-box prober of what TCP does on the wire.
//
// A probe speaks bare IP packets and knows nothing of what is behind them. The same probes
// run against the Linux kernel, in a network namespace with a TUN device, and against ftcp,
// in virtual time; both have to show what the probe expects. Linux comes first: a
// probe that Linux fails is wrong, or says that it is Linux that departs from the RFC.
//
//	go test ./ftcptest/prober -run 'TestLinux/IPv4/close' -v
//
// A probe is a function of a [probe], which is a client with one connection. It
// drives both ends: the packets, as text in the notation of the scripts of package tcp,
// and the socket of the server.
//
//	c := p.open("mss 1000, sackOK")
//	p.send("P. 1:101(100)")
//	p.expect(". 1:1(0) ack 101")
//	p.read(c, 100)
//
// Sequence numbers are positions: 0 is the SYN. What the notation leaves out is
// filled in (ack, window, timestamps), or is not looked at. Every byte has a value that follows from its
// position, and is compared at both ends.
package prober
