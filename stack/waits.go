package stack

import (
	"net/netip"
	"slices"
	"time"
)

// Listeners returns the addresses of all listeners, in no order.
func (s *Stack) Listeners() []netip.AddrPort {
	s.mu.RLock()
	defer s.mu.RUnlock()
	addrs := make([]netip.AddrPort, 0, len(s.listeners))
	for addr := range s.listeners {
		addrs = append(addrs, addr)
	}
	return addrs
}

// Waits says for how long connections to addr have waited for the program to call Accept, 0 if
// none does; ok is false if nobody listens there. That those which waited are gone meanwhile
// does not make a program that hangs a program that accepts.
func (s *Stack) Waits(addr netip.AddrPort) (since time.Duration, ok bool) {
	l := s.listener(addr)
	if l == nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.IsZero() {
		return 0, true
	}
	return time.Since(l.waiting), true
}

// Withdraw takes a connection back that waits for Accept: it is over, or was given up, before the
// program has seen it.
func (c *Conn) Withdraw() {
	l := c.stack.listener(c.local)
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queue, c); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
}
