package ftcptest

// A queue is first in, first out.
type queue struct {
	items []sending
	head  int // items before it have been taken out
}

func (q *queue) push(s sending) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		// Reuse the front, or a queue that is never empty grows for ever.
		rest := copy(q.items, q.items[q.head:])
		clear(q.items[rest:])
		q.items, q.head = q.items[:rest], 0
	}
	q.items = append(q.items, s)
}

func (q *queue) pop() (sending, bool) {
	if q.head == len(q.items) {
		return sending{}, false
	}
	s := q.items[q.head]
	q.items[q.head] = sending{}
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return s, true
}

func (q *queue) empty() bool { return q.head == len(q.items) }
