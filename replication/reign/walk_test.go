package reign

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var (
	walks    = flag.Int("walks", 1000, "how many random schedules to go through")
	walkSeed = flag.Uint64("walkseed", 1, "the first of their seeds")
)

// TestWalks goes through long random schedules, each of its own seed: more faults than an
// exploration has, at any time, in any order of messages. Both networks between two nodes are never
// cut at the same time; what an arbiter makes of that is the transcript arbitrated-lost.
func TestWalks(t *testing.T) {
	events := 0
	for i := range *walks {
		n, err := walk(*walkSeed+uint64(i), nil)
		if err != nil {
			var out strings.Builder
			walk(*walkSeed+uint64(i), func(s string) { out.WriteString("    " + s + "\n") })
			t.Fatalf("seed %d: %v\n%s", *walkSeed+uint64(i), err, out.String())
		}
		events += n
	}
	t.Logf("%d walks from seed %d on, with %d events", *walks, *walkSeed, events)
}

// walk goes through a schedule. It returns how much happened.
func walk(seed uint64, note func(string)) (events int, err error) {
	r := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(2+r.IntN(2), exploredSilence, exploredClaim)
	w.patience = []time.Duration{100, 500}[r.IntN(2)] * time.Millisecond
	w.beacons = r.IntN(2) == 0
	w.note = note
	if r.IntN(4) == 0 {
		w.arbiter = &arbiter{}
	}
	l := limits{kills: 1000, hosts: true, cuts: true, pauses: true, ports: true, wishes: true}
	var all []event
	order := func() schedule {
		if r.IntN(3) > 0 {
			return 0
		}
		return schedule(r.IntN(len(orders)))
	}
	for range 3 + r.IntN(20) {
		all = w.may(&l, all)
		e := all[r.IntN(len(all))]
		w.tell("%v: %v", w.now-time.Second, e)
		w.happen(e)
		events++
		for range 1 + r.IntN([]int{3, 12, 40, 200}[r.IntN(4)]) {
			if w.step(order()); w.broken != "" {
				return events, ended(w)
			}
		}
	}
	w.heal(true)
	w.tell("%v: all faults end", w.now-time.Second)
	for end := w.now + endsWithin; !w.rests(); {
		if w.step(order()); w.broken != "" {
			return events, ended(w)
		}
		if w.now > end {
			return events, fmt.Errorf("%v after the last fault, %s", endsWithin, w.summary())
		}
	}
	return events, nil
}

func ended(w *world) error {
	if w.broken == excused {
		return nil
	}
	return fmt.Errorf("%s", w.broken)
}
