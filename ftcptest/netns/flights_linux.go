package netns

import (
	"container/heap"
	"time"
)

// A flight is a frame under way.
type flight struct {
	at   time.Time // of the arrival
	seq  uint64    // breaks ties: at the same time, first come, first served
	data []byte
}

// flights are the frames under way, and memory for more.
type flights struct {
	heap  flightHeap // the next to arrive at the top
	seq   uint64
	bytes int // in heap
	free  []*flight
}

// push adds a copy of a frame.
func (fs *flights) push(at time.Time, frame []byte) {
	f := &flight{}
	if n := len(fs.free); n > 0 {
		f, fs.free = fs.free[n-1], fs.free[:n-1]
	}
	fs.seq++
	f.at, f.seq, f.data = at, fs.seq, append(f.data[:0], frame...)
	fs.bytes += len(frame)
	heap.Push(&fs.heap, f)
}

// next is when the next frame arrives; false: none is under way.
func (fs *flights) next() (time.Time, bool) {
	if len(fs.heap) == 0 {
		return time.Time{}, false
	}
	return fs.heap[0].at, true
}

// arrived takes out the frames that have arrived, and appends them to batch. The caller gives them back
// with recycle.
func (fs *flights) arrived(now time.Time, batch []*flight) []*flight {
	for len(fs.heap) > 0 && !fs.heap[0].at.After(now) {
		f := heap.Pop(&fs.heap).(*flight)
		fs.bytes -= len(f.data)
		batch = append(batch, f)
	}
	return batch
}

func (fs *flights) recycle(batch []*flight) { fs.free = append(fs.free, batch...) }

type flightHeap []*flight

func (h flightHeap) Len() int      { return len(h) }
func (h flightHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h flightHeap) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].seq < h[j].seq
}
func (h *flightHeap) Push(x any) { *h = append(*h, x.(*flight)) }
func (h *flightHeap) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return f
}
