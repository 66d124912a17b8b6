package replication

import (
	"sync"

	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/replication/reign"
)

// event is an event for the machine, with the link that belongs to it.
type event struct {
	reign.Event
	link  *peerlink.Link // of a statement, or of a node that is Linked; it is closed unless an action uses it
	hello *helloOf       // of the same
	done  chan struct{}  // closed when the machine has taken note of it; nil: nobody waits
}

// queue holds events for the goroutine that steps the machine.
type queue struct {
	wake chan struct{} // there is something; holds one

	mu     sync.Mutex
	events []event
	closed bool
}

func (q *queue) init() { q.wake = make(chan struct{}, 1) }

func (q *queue) push(e event) {
	q.mu.Lock()
	closed := q.closed
	if !closed {
		q.events = append(q.events, e)
	}
	q.mu.Unlock()
	if closed && e.link != nil {
		e.link.Close()
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) pop() (event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return event{}, false
	}
	e := q.events[0]
	q.events[0] = event{}
	if q.events = q.events[1:]; len(q.events) == 0 {
		q.events = nil
	}
	return e, true
}

// close ends the queue. Links that nobody will look at are closed.
func (q *queue) close() {
	q.mu.Lock()
	events := q.events
	q.events, q.closed = nil, true
	q.mu.Unlock()
	for _, e := range events {
		if e.link != nil {
			e.link.Close()
		}
	}
}
