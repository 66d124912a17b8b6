package stack

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

// Listener waits for connections to one port.
type Listener struct {
	stack *Stack
	addr  netip.AddrPort

	mu      sync.Mutex
	accept  waiter
	queue   []*Conn   // established, not yet accepted
	opening int       // handshakes under way
	waiting time.Time // since when nobody has called Accept although there was a connection; zero: there is none
	closed  bool
	failed  error // why nothing will come any more
}

// Listen returns a listener for addr. An unspecified address means every
// address of the stack; that of IPv6 those of IPv4 too. The error is errno.AddrInUse if there is one already.
func (s *Stack) Listen(addr netip.AddrPort) (*Listener, error) {
	l := &Listener{stack: s, addr: addr}
	l.accept.cond.L = &l.mu
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, net.ErrClosed
	}
	if s.listeners[addr] != nil {
		s.mu.Unlock()
		return nil, errno.AddrInUse
	}
	l.failed = s.deadLocked(addr.Addr())
	s.listeners[addr] = l
	s.ports[addr.Port()]++
	s.mu.Unlock()

	// Replicas may have come before their listener.
	for _, c := range s.Conns() {
		c.mu.Lock()
		if c.core.Replica() && c.listener == nil && c.waiting && c.dialed == 0 && s.listener(c.local) == l {
			c.waiting = false
			l.offer(c)
		}
		c.mu.Unlock()
	}
	return l, nil
}

// Addr is the address that the listener was made with.
func (l *Listener) Addr() netip.AddrPort { return l.addr }

// admission is what becomes of a new connection.
type admission int

const (
	admitted admission = iota
	crowded            // too many handshakes are under way
	full               // too many connections wait for Accept
)

// admit says whether there is room for one more handshake, and counts it if so. A
// handshake that a SYN cookie completes takes no such room.
func (l *Listener) admit(cookie bool) admission {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed || len(l.queue) >= l.stack.cfg.Backlog:
		return full
	case l.opening >= l.stack.cfg.Backlog && !cookie:
		return crowded
	}
	l.opening++
	return admitted
}

// leave takes back an admit: the handshake failed.
func (l *Listener) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opening--
}

// established moves c, which is locked, from those that are opening to those that can be accepted.
func (l *Listener) established(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opening--
	l.push(c)
}

// offer adds c, which is locked and was never counted as opening.
func (l *Listener) offer(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.push(c)
}

func (l *Listener) push(c *Conn) {
	if l.closed {
		refuse(c.core)
		return
	}
	l.queue = append(l.queue, c)
	if l.waiting.IsZero() && l.accept.n == 0 {
		l.waiting = time.Now()
	}
	l.accept.wake()
}

// Accept waits for a connection. After Close it returns net.ErrClosed. It fails, too, when
// all devices by which connections could come have failed for good.
func (l *Listener) Accept() (*Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = time.Time{}
	for {
		switch {
		case l.closed:
			return nil, net.ErrClosed
		case l.accept.expired:
			return nil, os.ErrDeadlineExceeded
		case len(l.queue) > 0:
			c := l.queue[0]
			l.queue[0] = nil
			l.queue = l.queue[1:]
			return c, nil
		case l.failed != nil:
			return nil, l.failed
		}
		l.accept.wait()
	}
}

// SetDeadline sets the time after which Accept fails. Zero: never.
func (l *Listener) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.accept.setDeadline(t)
	l.accept.start(&l.mu, l.accept.expire)
	return nil
}

// Close stops listening. Connections that were not accepted are aborted.
func (l *Listener) Close() error {
	s := l.stack
	s.mu.Lock()
	if s.listeners[l.addr] == l {
		delete(s.listeners, l.addr)
		s.leavePort(l.addr.Port())
	}
	s.mu.Unlock()

	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return net.ErrClosed
	}
	l.closed = true
	queue := l.queue
	l.queue = nil
	l.accept.stop()
	l.accept.cond.Broadcast()
	l.mu.Unlock()
	for _, c := range queue {
		c.Do(refuse)
	}
	return nil
}

// ErrNoListener is the error of a replica whose listener this node's program has closed
// before it accepted the connection. The active node's may well have accepted it.
var ErrNoListener = errors.New("stack: the standby's program has closed the listener")

// refuse gives up a connection that nobody will accept.
func refuse(core *tcp.Core) {
	if core.Replica() {
		core.End(ErrNoListener)
	} else {
		core.Abort(time.Now())
	}
}
