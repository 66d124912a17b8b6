package stack

// OutOfOrder is how much memory the data out of order of all connections takes.
func (s *Stack) OutOfOrder() int64 { return s.early.Used() }

// Waiting is how many neighbours connections wait for.
func (l *Link) Waiting() int {
	l.neighbors.mu.Lock()
	defer l.neighbors.mu.Unlock()
	return len(l.neighbors.asked)
}

// Untaken is how many replicas wait for a Dial.
func (s *Stack) Untaken() (n int) {
	s.dials.mu.Lock()
	defer s.dials.mu.Unlock()
	for _, q := range s.dials.queues {
		n += len(q.replicas)
	}
	return n
}
