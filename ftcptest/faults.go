package ftcptest

import (
	"bytes"
	"math/rand/v2"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Faults describes the cable of a port: what happens to the frames that the
// port sends. The zero value is a perfect cable: no delay, no loss.
//
// Loss, Duplicate, Reorder and Corrupt are probabilities from 0, never, to
// 1, always.
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
	// rest of the frame being sent. A frame that does not fit is
	// dropped, unless nothing is waiting. Zero means 256 KiB; 32 MB is the limit.
	Queue int

	// Loss is the probability that a frame vanishes.
	Loss float64

	// Duplicate is the probability that a frame arrives twice. Each copy has
	// its own jitter, and may be reordered and corrupted without the other.
	Duplicate float64

	// Reorder is the probability that a frame is held back for a further random
	// time, up to Delay+Jitter or a millisecond, whichever is longer, and that
	// frames sent after it are not held back with it.
	Reorder float64

	// Corrupt is the probability that a frame arrives with a bit inverted.
	// It happens in IP packets only, behind the Ethernet header, and is never
	// more than one bit, so that every receiver that verifies its
	// checksums notices.
	Corrupt float64
}

// A line is the state of a port's cable.
type line struct {
	rand *rand.Rand
	idle time.Time // when all that was sent has been put on the cable
	last time.Time // when the last frame that was not held back arrives
}

// transmit sends a frame, and calls emit for each copy that will arrive.
func (l *line) transmit(now time.Time, frame []byte, f Faults, stats *Stats, emit func(at time.Time, frame []byte)) {
	sent, ok := l.serialize(now, len(frame), f)
	if !ok {
		stats.QueueFull++
		return
	}
	if l.happens(f.Loss) {
		stats.Lost++
		return
	}
	copies := 1
	if l.happens(f.Duplicate) {
		stats.Duplicated++
		copies = 2
	}
	for range copies {
		at := sent.Add(f.Delay + l.upTo(f.Jitter))
		if at.Before(l.last) {
			at = l.last
		}
		if l.happens(f.Reorder) {
			stats.Reordered++
			at = at.Add(l.upTo(max(f.Delay+f.Jitter, time.Millisecond)))
		} else {
			l.last = at
		}
		data := frame
		if l.happens(f.Corrupt) && isIP(frame) {
			stats.Corrupted++
			data = l.corrupt(frame)
		}
		emit(at, data)
	}
}

// serialize returns when the last byte of a frame of the given size has been
// sent, or false if there is no room for it to wait.
func (l *line) serialize(now time.Time, size int, f Faults) (time.Time, bool) {
	if f.Rate <= 0 {
		return now, true
	}
	queue := f.Queue
	if queue == 0 {
		queue = 256 << 10
	}
	if l.idle.Before(now) {
		l.idle = now
	}
	// Compared as times, which the rate makes of bytes, since bytes that have
	// been sent in part are awkward to count.
	wait, own := l.idle.Sub(now), timeFor(size, f.Rate)
	if wait > 0 && wait+own > timeFor(min(queue, queueLimit), f.Rate) {
		return time.Time{}, false
	}
	l.idle = l.idle.Add(own)
	return l.idle, true
}

// timeFor returns how long it takes to send size bytes.
func timeFor(size int, rate int64) time.Duration {
	return time.Duration(int64(size) * int64(time.Second) / rate)
}

func (l *line) happens(probability float64) bool {
	return probability > 0 && l.rand.Float64() < probability
}

// upTo returns a random time from (0, d], or zero if d is.
func (l *line) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return 1 + time.Duration(l.rand.Int64N(int64(d)))
}

// corrupt returns a copy of the IP frame with one bit of the packet inverted.
// Two could cancel each other in a one's complement sum.
func (l *line) corrupt(frame []byte) []byte {
	frame = bytes.Clone(frame)
	bit := l.rand.IntN(8 * (len(frame) - wire.EthernetLen))
	frame[wire.EthernetLen+bit/8] ^= 1 << (bit % 8)
	return frame
}

// isIP reports whether the frame carries a packet that has checksums. ARP has
// none, and relies on Ethernet's.
func isIP(frame []byte) bool {
	h, packet, err := wire.ParseEthernet(frame)
	if err != nil || len(packet) == 0 {
		return false
	}
	return h.Type == wire.EtherTypeIPv4 || h.Type == wire.EtherTypeIPv6
}
