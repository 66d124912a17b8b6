package stack

// OutOfOrder is how much memory the data out of order of all connections takes.
func (s *Stack) OutOfOrder() int64 { return s.early.Used() }

// Waiting is how many neighbours connections wait for.
func (l *Link) Waiting() int {
	l.neighbors.mu.Lock()
	defer l.neighbors.mu.Unlock()
	return len(l.neighbors.waiting)
}
