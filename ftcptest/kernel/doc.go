// Package kernel is where ftcp meets real kernels. It has tests only.
//
// Servers are processes, machines are network namespaces (package netns), the cables
// between them may be long and bad, and the client is the kernel's TCP, curl or net/http.
// Servers are killed, stopped, unplugged and flooded; what a client reads and writes has
// to be what it would be without.
//
//	go test ./ftcptest/kernel
//
// It takes Linux and root; without, the tests say so and are skipped.
// TestFailoverLatency, TestFailoverMany and TestFlood also measure: -v shows what.
//
// The flags make the tests longer than a daily run should be:
//
//	go test ./ftcptest/kernel -v -run 'TestFailoverKill$' -failover.runs 20 -failover.size 1024 -failover.patience 3m
//
// # Files
//
// lab_linux_test.go is the network of two servers and a client, seen by the tests.
// server_linux_test.go is the server process, which is the test binary once more.
// stream_linux_test.go is the client of one connection that lives through everything.
// row, interface, forwarding and filter are what it lives through: kills and stops one after
// the other, interfaces that fail, switches that do not forward yet, firewalls between the
// nodes (which takes the program nft).
// counters_linux_test.go reads what a node counts.
package kernel
