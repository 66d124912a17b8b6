package netns

import (
	"math"
	"slices"
	"testing"
	"time"
)

var epoch = time.Unix(0, 0)

// A burst is what comes of frames that are sent at one moment: when each arrives, in the order of sending.
func burst(tr *transit, frames, size int) (arrivals []time.Duration) {
	frame := make([]byte, size)
	for range frames {
		tr.transmit(epoch, frame, func(at time.Time) { arrivals = append(arrivals, at.Sub(epoch)) })
	}
	return arrivals
}

func TestTransitPerfect(t *testing.T) {
	tr := newTransit(Faults{}, 1, 0)
	if got := burst(&tr, 2, 1514); !slices.Equal(got, []time.Duration{0, 0}) {
		t.Errorf("frames arrive after %v", got)
	}
}

func TestTransitRate(t *testing.T) {
	tr := newTransit(Faults{Rate: 1000, Queue: 300, Delay: time.Second}, 1, 0)
	got := burst(&tr, 5, 100)
	want := []time.Duration{1100 * time.Millisecond, 1200 * time.Millisecond, 1300 * time.Millisecond}
	if !slices.Equal(got, want) || tr.stats.QueueFull != 2 {
		t.Errorf("frames arrive after %v, want %v; %+v", got, want, tr.stats)
	}
	// Half a second later the queue is empty.
	tr.transmit(epoch.Add(500*time.Millisecond), make([]byte, 1000), func(at time.Time) {
		if after := at.Sub(epoch); after != 2500*time.Millisecond {
			t.Errorf("a frame sent later arrives after %v", after)
		}
	})
	if tr.stats.QueueFull != 2 {
		t.Error("a frame larger than the queue was dropped, though nothing was waiting")
	}
}

func TestTransitLongest(t *testing.T) {
	tr := newTransit(Faults{Longest: 100}, 1, 0)
	if got := append(burst(&tr, 2, 100), burst(&tr, 3, 101)...); len(got) != 2 || tr.stats.TooLong != 3 {
		t.Errorf("%d frames arrive; %+v", len(got), tr.stats)
	}
}

// ARP arrives, and costs the other frames none of their luck.
func TestTransitARP(t *testing.T) {
	faults := Faults{Delay: time.Second, Jitter: time.Second, Loss: .5, Duplicate: .5, Reorder: .5}
	with, without := newTransit(faults, 1, 0), newTransit(faults, 1, 0)
	arp := make([]byte, 60)
	arp[12], arp[13] = 0x08, 0x06
	last := epoch
	for range 1000 {
		arrived := 0
		with.transmit(epoch, arp, func(at time.Time) {
			arrived++
			if at.Before(last) {
				t.Fatal("ARP overtakes what was sent before")
			}
		})
		if arrived != 1 {
			t.Fatalf("ARP arrives %d times", arrived)
		}
		if got, want := burst(&with, 1, 100), burst(&without, 1, 100); !slices.Equal(got, want) {
			t.Fatalf("after ARP, a frame arrives at %v, not %v", got, want)
		}
		last = with.last
	}
}

func TestTransitDefaultQueue(t *testing.T) {
	for _, test := range []struct {
		f      Faults
		frames int
	}{
		{Faults{Rate: 1e6}, 98},                           // 96 KiB
		{Faults{Rate: 1e6, Delay: time.Second / 2}, 1000}, // what fits into a second
	} {
		tr := newTransit(test.f, 1, 0)
		if got := len(burst(&tr, 2000, 1000)); got != test.frames {
			t.Errorf("%+v: %d frames fit, want %d", test.f, got, test.frames)
		}
	}
}

func TestTransitLossBySeed(t *testing.T) {
	const frames = 10000
	lost := func(seed, direction uint64) (which []int) {
		tr := newTransit(Faults{Loss: .01}, seed, direction)
		for i := range frames {
			arrived := false
			tr.transmit(epoch, nil, func(time.Time) { arrived = true })
			if !arrived {
				which = append(which, i)
			}
		}
		if tr.stats.Lost != len(which) || tr.stats.Sent != frames {
			t.Errorf("%d of %d frames were lost: %+v", len(which), frames, tr.stats)
		}
		return which
	}
	first := lost(1, 0)
	if n := float64(len(first)); math.Abs(n-100) > 40 { // four standard deviations
		t.Errorf("of %d frames %v were lost, at 1 %%", frames, n)
	}
	if !slices.Equal(first, lost(1, 0)) {
		t.Error("the same seed loses other frames")
	}
	if slices.Equal(first, lost(2, 0)) || slices.Equal(first, lost(1, 1)) {
		t.Error("another seed or direction loses the same frames")
	}
}

func TestTransitJitter(t *testing.T) {
	tr := newTransit(Faults{Delay: time.Second, Jitter: time.Second}, 1, 0)
	got := burst(&tr, 100, 1)
	if !slices.IsSorted(got) {
		t.Errorf("jitter puts frames before others: %v", got)
	}
	if first, last := got[0], got[99]; first <= time.Second || last > 2*time.Second || first == last {
		t.Errorf("frames arrive after %v to %v", first, last)
	}
}

func TestTransitReorder(t *testing.T) {
	for _, test := range []struct {
		f    Faults
		hold time.Duration
	}{
		{Faults{Delay: time.Second, Reorder: .1, Hold: time.Minute}, time.Minute},
		{Faults{Delay: time.Second, Reorder: .1}, time.Second},
		{Faults{Reorder: .1}, time.Millisecond},
	} {
		tr := newTransit(test.f, 1, 0)
		held := 0
		var longest time.Duration
		for _, after := range burst(&tr, 1000, 1) {
			if after > test.f.Delay {
				held++
				longest = max(longest, after-test.f.Delay)
			}
		}
		if held != tr.stats.Reordered || held < 50 || held > 150 || longest > test.hold || longest < test.hold/2 {
			t.Errorf("%+v: %d frames were held back, by up to %v; %+v", test.f, held, longest, tr.stats)
		}
	}
}

func TestTransitDuplicate(t *testing.T) {
	tr := newTransit(Faults{Duplicate: 1}, 1, 0)
	if got := burst(&tr, 3, 1); len(got) != 6 || tr.stats.Duplicated != 3 {
		t.Errorf("of 3 frames %d arrive; %+v", len(got), tr.stats)
	}
}

func TestTransitMark(t *testing.T) {
	tr := newTransit(Faults{Rate: 1000, Queue: 1000, Mark: 200}, 1, 0)
	var marks []bool
	for range 4 {
		p := ipv4(ecnCapable)
		frame := append(p, make([]byte, 100-len(p))...)
		tr.transmit(epoch, frame, func(time.Time) { marks = append(marks, ecn(frame) == congestionExperienced) })
	}
	if want := []bool{false, false, true, true}; !slices.Equal(marks, want) || tr.stats.Marked != 2 {
		t.Errorf("marked are %v, want %v; %+v", marks, want, tr.stats)
	}
}
