// Compare measures how fast a server takes data from a client, and gives data to it, for servers on different TCP
// stacks:
//
//	kernel   the kernel's own TCP
//	gvisor   gVisor's netstack, set up for speed, on a packet socket with segmentation and checksum offload
//	ftcp     ftcp, standing alone
//	standby  ftcp with a standby: every byte is on a second node before the client hears of it
//
// The client is a program on kernel sockets. It and each server are processes in network namespaces of their
// own, joined by a veth cable; the standby and its active node are joined with the client by a bridge.
//
//	go run . -rounds 5
//
// Over long links, with loss and reordering, which this process emulates, the same program compares the kernel, gVisor
// and ftcp as senders, by congestion control, and as receivers, which decide by their acknowledgements how fast the kernel
// sends. With -peer gvisor, gVisor is the one that they all send to:
//
//	go run . far
//	go run . far -peer gvisor
//
// What is measured depends on the machine and on whatever else it does, so all stacks are measured in turn in every
// round, and only the ratios within a round mean something elsewhere. With as few processors as there are
// processes, client and server take time from each other: then a stack is as fast as it is frugal.
//
// The table also has the processor time that the server (with a standby: both) and the client used, in seconds per
// gigabyte. A veth cable has no hardware: the receiving interface's work is charged to whoever sends, so part of what a
// server costs is on the client's account.
//
// The bytes of every transfer are verified; one that is not what it should be ends the program.
//
// It needs Linux, and root or the right to make user namespaces. It is a module of its own, so that gVisor is no
// dependency of the library.
package main
