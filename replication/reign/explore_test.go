package reign

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	deeper = flag.Int("deeper", 0, "explore schedules with so many more events")
	stride = flag.Int("stride", 0, "let events happen in every so manyth step")
	finer  = flag.Bool("finer", false, "look from every state whether all ends well, not from every sixteenth")
)

// scope is something to explore: all schedules from a situation with so many events from outside.
type scope struct {
	name       string
	nodes      int
	arbitrated bool
	setup      string // commands of a transcript; steps are taken until all rests
	limits     limits
	depth      int
	stride     int // events happen in every so manyth step
	orders     bool
}

// trail is how a state was reached.
type trail struct {
	before *trail
	at     int // steps since the setup
	event  event
}

// explorer goes through all schedules of a scope in the order of their number of events. A state
// that has been met before, with no more events, is not gone through again.
type explorer struct {
	scope
	t       testing.TB
	canon   canon
	met     map[uint64]struct{}
	ends    map[uint64]int // how many steps it takes from a state, with no more faults, until all rests
	states  int
	excuse  int
	longest int
	events  []event
	seen    seen
	broken  bool
}

type place struct {
	w     *world
	steps int
	trail *trail
}

const (
	exploredSilence = 100 * time.Millisecond
	exploredClaim   = time.Second

	// endsWithin is how long it may take after the last fault until one node serves, and another one
	// is its standby.
	endsWithin = exploredClaim + 4*time.Second
)

// begin returns the world in which the scope begins.
func (s *scope) begin() (*world, error) {
	w := newWorld(s.nodes, exploredSilence, exploredClaim)
	w.patience = 100 * time.Millisecond
	if s.arbitrated {
		w.arbiter = &arbiter{}
	}
	for _, line := range strings.Split(s.setup, ";") {
		if err := w.command(strings.Fields(line)); err != nil {
			return nil, err
		}
	}
	if w.broken != "" {
		return nil, fmt.Errorf("%s", w.broken)
	}
	return w, nil
}

// explore explores a scope, and fails a test with the transcript of what it finds.
func explore(t testing.TB, s scope) {
	x := &explorer{scope: s, t: t, met: map[uint64]struct{}{}, ends: map[uint64]int{}}
	if x.stride = s.stride; *stride != 0 {
		x.stride = *stride
	}
	w, err := x.begin()
	if err != nil {
		t.Fatal(err)
	}
	layer := []place{{w: w}}
	for depth := 0; depth <= s.depth+*deeper; depth++ {
		var next []place
		for len(layer) > 0 {
			p := layer[len(layer)-1]
			layer = layer[:len(layer)-1]
			if next = x.follow(p, next, depth < s.depth+*deeper); x.broken {
				return
			}
		}
		t.Logf("depth %d: %d states, then %d ways, %d ends", depth, x.states, len(next), len(x.ends))
		layer = next
	}
	for r := Starting; r <= Active; r++ {
		if !x.seen[r] {
			t.Errorf("no node was %v", r)
		}
	}
	t.Logf("%s: %d states, %d of them the documented exception; all rests within %v of the last fault",
		s.name, x.states, x.excuse, time.Duration(x.longest)*step)
}

// follow lets time pass from a place until a state is met again. With more, it adds to next what
// becomes of the events that may happen meanwhile.
func (x *explorer) follow(p place, next []place, more bool) []place {
	for !x.broken {
		code := x.canon.code(p.w)*31 + uint64(p.steps%x.stride)
		if _, ok := x.met[code]; ok {
			return next
		}
		x.met[code] = struct{}{}
		x.states++
		if *finer || x.states%16 == 0 {
			if x.end(p, true); !x.broken {
				x.end(p, false)
			}
		}
		if p.trail != nil && p.trail.before == nil && p.trail.at == p.steps-1 {
			x.stays(p)
		}
		if more && p.steps%x.stride == 0 {
			x.events = p.w.may(&x.limits, x.events)
			if x.orders {
				for o := 1; o < len(orders); o++ {
					if x.nodes > 2 || o == 1 || o == 3 {
						x.events = append(x.events, event{order: schedule(o)})
					}
				}
			}
			for _, e := range x.events {
				q := place{p.w.clone(), p.steps + 1, &trail{p.trail, p.steps, e}}
				q.w.happen(e)
				if x.pass(q, e.order) {
					next = append(next, q)
				}
			}
		}
		p.steps++
		if !x.pass(p, 0) {
			return next
		}
	}
	return next
}

// pass takes a step, and says whether to go on.
func (x *explorer) pass(p place, o schedule) bool {
	if p.w.broken == "" {
		p.w.step(o)
	}
	for r, ok := range p.w.seen {
		x.seen[r] = x.seen[r] || ok
	}
	switch p.w.broken {
	case "":
		return true
	case excused:
		x.excuse++
	default:
		x.found(p, p.w.broken)
	}
	return false
}

// end looks whether all rests in the end if there are no more faults.
func (x *explorer) end(p place, restart bool) {
	w := p.w.clone()
	alive := false
	for i := range w.n {
		alive = alive || w.node[i].alive()
	}
	if !alive && !restart {
		return
	}
	w.heal(restart)
	var path []uint64
	steps, most := 0, int(endsWithin/step)
	for ; ; steps++ {
		code := x.canon.code(w)
		if rest, ok := x.ends[code]; ok {
			steps += rest
			break
		}
		path = append(path, code)
		if w.rests() && len(path) > 1 {
			break
		}
		if steps > most || w.broken != "" {
			break
		}
		w.step(0)
	}
	if w.broken != "" && w.broken != excused {
		x.healed(p, restart, w.broken, steps)
		return
	}
	if steps > most {
		x.healed(p, restart, fmt.Sprintf("%v after the last fault, %s", endsWithin, w.summary()), steps)
		return
	}
	x.longest = max(x.longest, steps)
	for i, code := range path {
		x.ends[code] = steps - i
	}
}

// stays looks whether clients are served in the end although the only fault stays.
func (x *explorer) stays(p place) {
	w := p.w.clone()
	for steps := 0; w.broken == ""; steps++ {
		for i := range w.n {
			if w.node[i].speaks() {
				return
			}
		}
		if steps > int(endsWithin/step) {
			w.broken = fmt.Sprintf("nobody serves %v after a single fault", endsWithin)
			x.healed(p, false, w.broken, 0)
		}
		w.step(0)
	}
}

// found fails the test with a transcript of how a state was reached.
func (x *explorer) found(p place, what string) {
	x.t.Errorf("%s: %s\n%s", x.name, what, x.replay(p, func(*world) {}))
}

func (x *explorer) healed(p place, restart bool, what string, steps int) {
	x.t.Errorf("%s: %s\n%s", x.name, what, x.replay(p, func(w *world) {
		w.tell("all faults end; with a restart: %v", restart)
		w.heal(restart)
		for range steps {
			w.step(0)
		}
	}))
}

// replay tells the way to a place.
func (x *explorer) replay(p place, then func(*world)) string {
	x.broken = true
	var events []*trail
	for t := p.trail; t != nil; t = t.before {
		events = append(events, t)
	}
	w, err := x.begin()
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	w.note = func(s string) { out.WriteString("    " + s + "\n") }
	w.tell("%s", w.summary())
	began := w.now
	for i := range p.steps {
		o := schedule(0)
		for _, t := range events {
			if t.at == i {
				fmt.Fprintf(&out, "%v: %v\n", w.now-began, t.event)
				w.happen(t.event)
				o = t.event.order
			}
		}
		w.step(o)
	}
	then(w)
	w.tell("%v: %s", w.now-began, w.summary())
	return out.String()
}

var everything = limits{kills: 2, hosts: true, cuts: true, pauses: true, ports: true, wishes: true}

const (
	pairSetup  = "start a; run 300ms; start b; run 300ms"
	otherSetup = "start b; run 300ms; start a; run 300ms"
	threeSetup = "start a; run 300ms; start b; run 300ms; start c; run 300ms"
	thirdSetup = "start c; run 300ms; start b; run 300ms; start a; run 300ms"
)

// scopes are what the tests explore. With -deeper 1 -stride 8 each takes some tens of seconds.
var scopes = []scope{
	{name: "two", nodes: 2, setup: pairSetup, limits: everything, depth: 2, stride: 3, orders: true},
	{name: "two, the other way round", nodes: 2, setup: otherSetup, limits: everything, depth: 2, stride: 6},
	{name: "two that start", nodes: 2, setup: "start a b", limits: everything, depth: 2, stride: 8},
	{name: "two in three events", nodes: 2, setup: pairSetup, limits: everything, depth: 3, stride: 24},
	{name: "two with an arbiter", nodes: 2, arbitrated: true, setup: pairSetup, limits: everything, depth: 2, stride: 6},
	{name: "three", nodes: 3, setup: threeSetup, limits: everything, depth: 2, stride: 16},
	{name: "three, the other way round", nodes: 3, setup: thirdSetup, limits: everything, depth: 1, stride: 1, orders: true},
	{name: "three with an arbiter", nodes: 3, arbitrated: true, setup: threeSetup, limits: everything, depth: 1, stride: 1, orders: true},
}

// TestExploration drives the real machines through all schedules of some scopes.
func TestExploration(t *testing.T) {
	for _, s := range scopes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			explore(t, s)
		})
	}
}
