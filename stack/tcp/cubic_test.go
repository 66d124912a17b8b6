package tcp

import (
	"math"
	"testing"
	"time"
)

// acks acknowledges a window of data every rtt, for so long, and returns the window.
func acks(c Congestion, now *time.Time, rtt, long time.Duration, nxt *int64) int {
	for end := now.Add(long); now.Before(end); *now = now.Add(rtt) {
		una := *nxt
		*nxt += int64(c.Window())
		for left := c.Window(); left > 0; left -= 2 * 1000 {
			c.OnAck(&Ack{Now: *now, Acked: min(left, 2*1000), RTT: rtt, SRTT: rtt, Una: una, Nxt: *nxt, Limited: true})
		}
	}
	return c.Window()
}

// After a loss the window is 0.7 of what it was, and comes back to that after K = cbrt(W_max (1-beta) / C) seconds:
// RFC 9438 equation (2).
func TestCubicComesBack(t *testing.T) {
	c := NewCubic(1000).(*cubic)
	now, nxt := time.Unix(1, 0), int64(0)
	c.cwnd, c.ssthresh = 1_000_000, 1_000_000
	c.OnLoss(now, 1_000_000)
	c.OnRecovered(now)
	if got := c.Window(); got != 700_000 {
		t.Fatalf("window after the loss is %d; want 700000", got)
	}
	k := time.Duration(math.Cbrt(1000*0.3/0.4) * float64(time.Second))
	const rtt = 100 * time.Millisecond // long enough for Reno to be slower
	if got := acks(c, &now, rtt, k/2, &nxt); got < 900_000 || got > 999_000 {
		t.Errorf("window at K/2 is %d: not concave", got)
	}
	if got := acks(c, &now, rtt, k/2, &nxt); got < 980_000 || got > 1_020_000 {
		t.Errorf("window at K is %d; want 1000000", got)
	}
	if got := acks(c, &now, rtt, k, &nxt); got < 1_200_000 {
		t.Errorf("window at 2K is %d: not convex", got)
	}
}

// Undo makes a reduction as if it had not been: RFC 9438 section 4.9.
func TestCubicUndo(t *testing.T) {
	for name, reduce := range map[string]func(Congestion, time.Time){
		"loss":    func(c Congestion, now time.Time) { c.OnLoss(now, c.Window()) },
		"timeout": func(c Congestion, now time.Time) { c.OnTimeout(now, c.Window(), true) },
	} {
		for _, c := range []Congestion{NewCubic(1000), NewReno(1000)} {
			now, nxt := time.Unix(1, 0), int64(0)
			acks(c, &now, 10*time.Millisecond, 50*time.Millisecond, &nxt)
			cwnd, ssthresh := c.Window(), c.Ssthresh()
			reduce(c, now)
			if c.Window() >= cwnd {
				t.Errorf("%T: window %d after a %s", c, c.Window(), name)
			}
			c.Undo()
			if c.Window() != cwnd || c.Ssthresh() != ssthresh {
				t.Errorf("%T: undo of a %s: window %d, ssthresh %d; want %d, %d", c, name, c.Window(), c.Ssthresh(), cwnd, ssthresh)
			}
		}
	}
}

// Slow start ends before there is a loss when the round trip grows, and goes on if that was a whim: RFC 9406.
func TestHystart(t *testing.T) {
	c := NewCubic(1000)
	now, nxt := time.Unix(1, 0), int64(0)
	grown := acks(c, &now, 20*time.Millisecond, 100*time.Millisecond, &nxt)
	if grown < 300_000 {
		t.Fatalf("window %d after five rounds of slow start", grown)
	}
	acks(c, &now, 30*time.Millisecond, 60*time.Millisecond, &nxt)
	acks(c, &now, 20*time.Millisecond, 60*time.Millisecond, &nxt)
	if c.Ssthresh() < 1<<30 {
		t.Fatal("slow start has ended although the round trip came back")
	}
	before := c.Window()
	acks(c, &now, 30*time.Millisecond, 300*time.Millisecond, &nxt)
	if c.Ssthresh() >= 1<<30 {
		t.Error("slow start goes on although the round trip stays long")
	}
	if c.Window() > 8*before {
		t.Errorf("window grew from %d to %d meanwhile", before, c.Window())
	}
}

// A window that is not used does not grow.
func TestNotLimited(t *testing.T) {
	for _, c := range []Congestion{NewCubic(1000), NewReno(1000)} {
		before := c.Window()
		for i := range 1000 {
			c.OnAck(&Ack{Now: time.Unix(int64(i), 0), Acked: 1000, RTT: time.Millisecond, SRTT: time.Millisecond, Una: int64(i), Nxt: int64(i)})
		}
		if c.Window() != before {
			t.Errorf("%T: window went from %d to %d", c, before, c.Window())
		}
	}
}
