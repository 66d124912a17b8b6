// Package ftcptest is a network in memory, with faults, for tests.
//
// A [Network] is an Ethernet switch. Its ports are devices, to which stacks
// are connected:
//
//	var network ftcptest.Network
//	defer network.Close()
//	a := network.Port("a")
//	b := network.Port("b")
//	b.SetFaults(ftcptest.Faults{Delay: 20 * time.Millisecond, Loss: 0.01})
//
// It reads the clock and sleeps only by package time. Within a bubble of
// testing/synctest its time is therefore virtual: delays are exact and take no
// time. Create the network's first port inside the bubble, and close the network
// before the bubble ends.
//
// # The way of a frame
//
//  1. A program writes a frame to a [Port]. Write copies it and returns; it calls
//     nobody and waits for nothing.
//  2. The network's goroutine takes the frames up in the order of the writes.
//     Each is recorded by Network.Pcap, then shown to Network.Filter.
//  3. It crosses the sender's cable. All [Faults] happen here, once for each
//     frame, so that the round-trip time is the sum of two ports' delays.
//  4. It arrives at the switch, which learns the port of its source address,
//     and sends it on to the port of its destination, or to all others if
//     it knows none. A partition stops it here.
//  5. It waits in the receiver's queue until Read takes it.
//
// # Limits
//
// The switch has no VLANs, no spanning tree and no flow control. A port hears all
// that the switch sends its way, whatever its own address. A port's queues hold
// 32 MB in either direction and drop what comes on top of that.
package ftcptest
