package ftcp

// BadChecksum is how many segments a node has dropped for their checksum.
func BadChecksum(n *Node) uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stack.Stats.BadChecksum.Load()
}
