package stack

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/stack/tcp"
)

// dialPairs brings two things together on a stack that another one speaks for: what this
// node's program dials, and the replicas of what the active node's program has dialed.
// Both are in the order of the calls, for each pair of addresses on its own: the first
// Dial that waits is given the first replica that nobody has taken.
type dialPairs struct {
	mu     sync.Mutex
	synced bool   // all that the active node has dialed is here; before, the first may still be missing
	last   uint64 // number of the latest Dial of the active node
	queues map[dialKey]*dialQueue
	closed bool
}

// dialKey is what a Dial asks for. The local port is chosen by the active node alone.
type dialKey struct {
	local  netip.Addr
	remote netip.AddrPort
}

// dialQueue has replicas and Dials that wait for each other. When all are here, it has
// one or the other.
type dialQueue struct {
	replicas []*Conn      // ascending by number; also of connections that have ended
	dials    []chan *Conn // each has room for one. They are closed when they wait in vain: the stack is active, or closed
}

const (
	// DialWait is for how long a connection that the node before has dialed waits, after a takeover, for this
	// node's program to dial it too. Then it is aborted: its peer shall not wait for ever.
	DialWait = 30 * time.Second

	// failedWait is the same for one that has ended, of which the Dial only gets the error.
	failedWait = 5 * time.Second

	// maxFailed bounds how many of these wait for the Dials of one pair of addresses.
	maxFailed = 256
)

// Dialed is the number of the Dial that has opened the connection, on this node or the active one; 0 if it
// was the peer who did.
func (c *Conn) Dialed() uint64 { return c.dialed }

func (c *Conn) dialKey() dialKey { return dialKey{c.local.Addr(), c.remote} }

// number returns the number of a new Dial.
func (m *dialPairs) number() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	return m.last
}

func (m *dialPairs) queue(key dialKey) *dialQueue {
	q := m.queues[key]
	if q == nil {
		q = &dialQueue{}
		if m.queues == nil {
			m.queues = map[dialKey]*dialQueue{}
		}
		m.queues[key] = q
	}
	return q
}

// match gives replicas to Dials, as far as there are both.
func (m *dialPairs) match(key dialKey) {
	q := m.queues[key]
	for m.synced && len(q.replicas) > 0 && len(q.dials) > 0 {
		q.dials[0] <- q.pop()
		q.dials = slices.Delete(q.dials, 0, 1)
	}
	m.tidy(key)
}

// tidy forgets a queue with nothing in it.
func (m *dialPairs) tidy(key dialKey) {
	if q := m.queues[key]; q != nil && len(q.replicas)+len(q.dials) == 0 {
		delete(m.queues, key)
	}
}

func (q *dialQueue) pop() *Conn {
	c := q.replicas[0]
	q.replicas = slices.Delete(q.replicas, 0, 1)
	return c
}

// offer adds a replica.
func (m *dialPairs) offer(c *Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.last = max(m.last, c.dialed)
	q := m.queue(c.dialKey())
	i, _ := slices.BinarySearchFunc(q.replicas, c.dialed, func(c *Conn, n uint64) int {
		if c.dialed < n {
			return -1
		}
		return 1
	})
	q.replicas = slices.Insert(q.replicas, i, c)
	m.match(c.dialKey())
}

// take returns a replica for a Dial. If there is none, a Dial of a stack that is not active has to
// wait for one; the other one is on its own.
func (m *dialPairs) take(key dialKey, active func() bool) (c *Conn, wait chan *Conn, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch q := m.queue(key); {
	case m.closed:
		err = net.ErrClosed
	case !active():
		wait = make(chan *Conn, 1)
		q.dials = append(q.dials, wait)
		m.match(key)
	case len(q.replicas) > 0:
		c = q.pop()
	}
	m.tidy(key)
	return c, wait, err
}

// leave ends the wait of a Dial. It returns the replica that it has been given after all.
func (m *dialPairs) leave(key dialKey, wait chan *Conn) *Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.queues[key]; q != nil {
		q.dials = slices.DeleteFunc(q.dials, func(w chan *Conn) bool { return w == wait })
		m.tidy(key)
	}
	select {
	case c := <-wait:
		return c
	default:
		return nil
	}
}

// drop forgets a replica that no Dial has taken; false if there is no such.
func (m *dialPairs) drop(c *Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[c.dialKey()]
	if q == nil {
		return false
	}
	i := slices.Index(q.replicas, c)
	if i < 0 {
		return false
	}
	q.replicas = slices.Delete(q.replicas, i, i+1)
	m.tidy(c.dialKey())
	return true
}

// expire lets c, which may be one that no Dial has taken, wait no longer than d.
func (m *dialPairs) expire(c *Conn, d time.Duration) {
	m.mu.Lock()
	q := m.queues[c.dialKey()]
	waits := q != nil && slices.Contains(q.replicas, c)
	m.mu.Unlock()
	if !waits {
		return
	}
	time.AfterFunc(d, func() {
		if m.drop(c) {
			c.Do(func(core *tcp.Core) {
				if !core.Replica() {
					core.Abort(time.Now())
				}
			})
		}
	})
}

// ended takes note that c has ended. Its error waits for a Dial, if no other has taken it.
func (m *dialPairs) ended(c *Conn) {
	m.mu.Lock()
	q := m.queues[c.dialKey()]
	if q == nil || c.failed || !slices.Contains(q.replicas, c) {
		m.mu.Unlock()
		return
	}
	c.failed = true
	n, oldest := 0, -1
	for i, r := range q.replicas {
		if r.failed {
			if n++; oldest < 0 {
				oldest = i
			}
		}
	}
	if n > maxFailed {
		q.replicas = slices.Delete(q.replicas, oldest, oldest+1)
	}
	m.mu.Unlock()
	m.expire(c, failedWait)
}

// sync says that all that the active node has dialed is here.
func (m *dialPairs) sync() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.synced = true
	for key := range m.queues {
		m.match(key)
	}
}

// reset forgets all replicas. The Dials wait on, for those of another active node.
func (m *dialPairs) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.synced = false
	for key, q := range m.queues {
		q.replicas = nil
		m.tidy(key)
	}
}

// release ends the waiting of all Dials: no replica will come for them.
func (m *dialPairs) release(closed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = m.closed || closed
	for key, q := range m.queues {
		for _, wait := range q.dials {
			close(wait)
		}
		q.dials = nil
		if closed {
			q.replicas = nil
		}
		m.tidy(key)
	}
}

// Mirrored says that all connections of the active node are here: what this node's program dials
// is given the replicas of what the active node's has dialed.
func (s *Stack) Mirrored() { s.dials.sync() }
