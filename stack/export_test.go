package stack

// Waiting is how many neighbours connections wait for.
func (l *Link) Waiting() int {
	l.neighbors.mu.Lock()
	defer l.neighbors.mu.Unlock()
	return len(l.neighbors.waiting)
}
