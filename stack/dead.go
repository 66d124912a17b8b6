package stack

import (
	"fmt"
	"net/netip"
)

// die is called when the link's reading goroutine ends because of err. Unless the link is
// closed, its device is dead for good, and so are the listeners that nobody can reach any
// more: their Accept fails, since whoever waits in it would wait for ever.
func (l *Link) die(err error) {
	select {
	case <-l.ending:
		return
	default:
	}
	l.failed.Store(true)
	err = fmt.Errorf("stack: the network device has failed, and does not come back: %w", err)
	l.dead.Store(&err)
	s := l.stack
	s.mu.RLock()
	lost := map[*Listener]error{}
	for addr, listener := range s.listeners {
		if err := s.deadLocked(addr.Addr()); err != nil {
			lost[listener] = err
		}
	}
	s.mu.RUnlock()
	for listener, err := range lost {
		listener.fail(err)
	}
}

// deadLocked says why nothing will come for addr: all links that may deliver it are dead.
// It returns nil if there is no link for it yet. mu is held.
func (s *Stack) deadLocked(addr netip.Addr) (why error) {
	for _, l := range s.links {
		if own := l.cfg.Addr; own.IsValid() && !addr.IsUnspecified() && own != addr {
			continue
		}
		err := l.dead.Load()
		if err == nil {
			return nil
		}
		why = *err
	}
	return why
}

// fail has Accept fail when all that wait for it have been accepted. Close is still to be
// called.
func (l *Listener) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
	l.accept.cond.Broadcast()
}
