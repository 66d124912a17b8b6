package tcp

import "testing"

// What was in flight when data was sent says whether the window is used, for as long as a round trip takes.
func TestUsage(t *testing.T) {
	const mss, slowStart = 1000, 1 << 30
	var u usage
	u.sent(1, 10001, 10000, 10000, mss)
	// The ACKs of a batch: the flight shrinks and the window grows before anything is sent again.
	for _, window := range []int{10000, 11000, 12000} {
		if !u.used(window, 0) {
			t.Errorf("a window of %d is not used, though what was sent filled it", window)
		}
	}
	u.sent(5001, 12001, 7000, 15000, mss)
	if !u.used(15000, 0) {
		t.Error("a round trip in which the window was full is forgotten before it is over")
	}
	u.sent(10001, 13001, 3000, 15000, mss)
	if u.used(15000, 0) {
		t.Error("a window is used of which a fifth is in flight, a round trip after it was full")
	}
	u.sent(11001, 18001, 8000, 15000, mss)
	if u.used(15000, 0) {
		t.Error("half a window in flight lets it grow in congestion avoidance")
	}
	if !u.used(15000, slowStart) || u.used(16000, slowStart) {
		t.Error("in slow start the window may be twice what is in flight, and no more")
	}
}
