package ftcp

import "github.com/ftcp-project/ftcp/stack"

// Stats are the counters of a node.
func Stats(n *Node) *stack.Stats {
	s := n.inner().Stack()
	if s == nil {
		return new(stack.Stats) // it has not begun
	}
	return &s.Stats
}
