package ftcptest

import (
	"container/heap"
	"time"
)

// A flight is a frame on its way from the sender to the switch.
type flight struct {
	sending
	at  time.Time // of the arrival
	seq uint64    // breaks ties: at the same time, first come, first served
}

// flights is a heap of flights, the next to arrive at the top.
type flights []flight

func (fs *flights) push(f flight) { heap.Push((*flightHeap)(fs), f) }
func (fs *flights) pop() flight   { return heap.Pop((*flightHeap)(fs)).(flight) }

// flightHeap keeps the methods for package heap out of the way.
type flightHeap []flight

func (h flightHeap) Len() int      { return len(h) }
func (h flightHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h flightHeap) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].seq < h[j].seq
}
func (h *flightHeap) Push(x any) { *h = append(*h, x.(flight)) }
func (h *flightHeap) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	(*h)[last] = flight{} // let go of the frame
	*h = (*h)[:last]
	return f
}
