package kernel_test

import (
	"reflect"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/replication/node"
	"github.com/ftcp-project/ftcp/stack"
)

// counters are what a node's stack counts. The public interface does not show them, so that
// this looks where a Node keeps what does its work.
func counters(n *ftcp.Node) *stack.Stats {
	n.Status() // now it has made that
	inner := (*node.Node)(reflect.ValueOf(n).Elem().FieldByName("node").UnsafePointer())
	s := inner.Stack()
	if s == nil {
		return new(stack.Stats) // it has not begun
	}
	return &s.Stats
}
