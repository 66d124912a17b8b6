package ftcp

import "github.com/ftcp-project/ftcp/stack"

// Stats are the counters of a node.
func Stats(n *Node) *stack.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stack == nil {
		return new(stack.Stats) // it has not begun
	}
	return &n.stack.Stats
}

// BadChecksum is how many segments a node has dropped for their checksum.
func BadChecksum(n *Node) uint64 { return Stats(n).BadChecksum.Load() }
