package netns

import "time"

// Faults describes one direction of a cable: what happens to the frames that
// are sent into it. The zero value is a perfect cable: no delay, no loss.
//
// Loss, Duplicate and Reorder are probabilities from 0, never, to 1, always. They and Jitter spare ARP: a question that is lost
// costs a second, whatever the transport, and who asks more often would have other luck with the same seed.
type Faults struct {
	// Delay is how long each frame takes.
	Delay time.Duration

	// Jitter is the upper bound of a random time that each frame takes in
	// addition. Jitter alone never puts one frame before another: a frame that
	// would overtake the one before it arrives right behind that.
	Jitter time.Duration

	// Rate is how many bytes, of whole Ethernet frames, can be sent in a second.
	// Zero means any number.
	Rate int64

	// Queue is how many bytes may wait to be sent at that Rate, including the
	// rest of the frame being sent. A frame that does not fit is dropped, unless
	// nothing is waiting. Zero means what fits into twice the Delay, but at least
	// 96 KiB, which is 64 frames.
	Queue int

	// Mark is how many bytes may wait before packets that allow it are marked
	// as having experienced congestion (RFC 3168). Zero means any number.
	Mark int

	// Longest is the length in bytes of the longest frame that passes. Longer ones vanish, as at a router that
	// says nothing (a black hole, RFC 2923 section 2.1). Zero means any length.
	Longest int

	// Loss is the probability that a frame vanishes.
	Loss float64

	// Duplicate is the probability that a frame arrives twice. Each copy has
	// its own jitter, and may be reordered without the other.
	Duplicate float64

	// Reorder is the probability that a frame is held back for a further random
	// time, up to Hold, and that frames sent after it are not held back with it.
	Reorder float64

	// Hold is zero for Delay+Jitter or a millisecond, whichever is longer.
	Hold time.Duration
}

// Stats counts the frames of one direction of a cable.
type Stats struct {
	Sent int // by the sender's kernel

	// Each of these is the end of a frame that was sent.
	QueueFull int // did not fit Faults.Queue, or the 64 MiB that may be under way
	TooLong   int // for Faults.Longest
	Lost      int // by Faults.Loss

	// These may all have happened to a frame that went on.
	Marked     int
	Duplicated int
	Reordered  int // held back by Faults.Reorder

	Delivered int // to the receiver's kernel, copies included
	Unplugged int // the receiver's interface was down
}
