package ftcptest

import "testing"

// A queue that is never empty must not grow, and never mix up its items.
func TestQueue(t *testing.T) {
	var q queue
	pushed, popped := 0, 0
	push := func() { q.push(sending{data: []byte{byte(pushed), byte(pushed >> 8)}}); pushed++ }
	pop := func() {
		s, ok := q.pop()
		if got := int(s.data[0]) | int(s.data[1])<<8; !ok || got != popped {
			t.Fatalf("pop() = %d, %v, want %d", got, ok, popped)
		}
		popped++
	}
	for range 10 {
		push()
	}
	for range 10_000 {
		push()
		pop()
	}
	if got := cap(q.items); got > 100 {
		t.Errorf("room for %d items, but it never had more than 11", got)
	}
	for range 10 {
		pop()
	}
	if _, ok := q.pop(); ok || !q.empty() {
		t.Error("not empty")
	}
	for _, s := range q.items[:cap(q.items)] {
		if s.data != nil {
			t.Error("an item that was taken out is still held")
		}
	}
}
