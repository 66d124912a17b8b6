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
// counters_linux_test.go reads what a node counts.
package kernel
