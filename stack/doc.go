// Package stack is what surrounds the TCP core (package tcp): links to networks, the
// table of connections, listeners, locks, goroutines and the clock.
//
//	s := stack.New(stack.Config{})
//	link, err := s.AddLink(dev, stack.LinkConfig{Addr: addr, MAC: mac})
//	l, err := s.Listen(netip.AddrPortFrom(addr, 80))
//	c, err := l.Accept()
//
// A goroutine for each link reads packets in batches and hands each segment
// to its connection's core under that connection's lock; what the core wants
// to send is derived at the end of the batch, under the same lock, and leaves in batches
// too. Users' goroutines call the same core for reading and writing. A connection costs no goroutine.
//
// Replication (package replication) takes part through [Observer] and [Conn.Do]: the
// stack tells it that a connection has news, without ever waiting for it, and it
// raises the marks of the core.
//
// Locks are taken in the order Conn, then any of Stack, Listener and
// the observer's.
//
// # IP
//
// Fragments are put together, within bounds: see fragments.go. What is sent is never fragmented: packets have DF set, and are
// as large as the path takes. IPv4 options are ignored but for source routes, with which a packet is
// dropped; IPv6 extension headers likewise (package wire). Nothing that is
// dropped here is answered by an ICMP error. The RFCs leave that open, as they ask for a limit
// on the rate; a station that serves one address by TCP has nobody to tell, and
// what is silent is of no use to those who forge sources. Stats counts it.
package stack
