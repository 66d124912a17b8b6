package reign

import "fmt"

// event is something that happens to a world from outside: a fault, its end, a wish.
type event struct {
	what  string // a command of a transcript, or an order of messages
	a, b  int    // nodes; b < 0: there is one, or all others
	which string // network
	order schedule
}

func (e event) String() string {
	s := e.what
	if e.order != 0 {
		return fmt.Sprintf("order %d", e.order)
	}
	if e.a >= 0 {
		s += " " + string(rune('a'+e.a))
	}
	if e.b >= 0 {
		s += " " + string(rune('a'+e.b))
	}
	if e.which != "" {
		s += " " + e.which
	}
	return s
}

// happen lets something happen. Then a step has to be taken, in the order of the event.
func (w *world) happen(e event) {
	switch e.what {
	case "":
	case "cut", "mend":
		nodes := []int{e.a}
		if e.b >= 0 {
			nodes = append(nodes, e.b)
		} else if e.a < 0 {
			nodes = nil
		}
		w.wire(e.what == "cut", nodes, e.which)
	case "mute":
		w.service[e.a][e.b], w.changed = true, w.now
	case "lose":
		w.arbiter.lose = map[string]loss{"answer": answer, "request": request, "delayed": delayed}[e.which]
	case "wake":
		w.unpause(e.a, true)
	case "kill", "off":
		w.kills++
		w.change(e.what, e.a)
	default:
		w.change(e.what, e.a)
	}
}

// limits is how much may go wrong.
type limits struct {
	kills  int
	hosts  bool // hosts die, too
	cuts   bool
	pauses bool
	ports  bool
	wishes bool
}

// may returns what may happen now.
func (w *world) may(l *limits, all []event) []event {
	all = all[:0]
	one := func(what string, a int) { all = append(all, event{what: what, a: a, b: -1}) }
	stands, deaf, parted := false, false, false
	for i := range w.n {
		stands = stands || w.node[i].life == paused
		deaf = deaf || w.node[i].deaf
		for j := range i {
			parted = parted || w.service[i][j] || w.service[j][i] || w.linking[i][j]
		}
	}
	for i := range w.n {
		n := &w.node[i]
		if n.alive() && w.kills < l.kills {
			one("kill", i)
			if l.hosts {
				one("off", i)
			}
		}
		if !n.alive() {
			one("start", i)
		}
		if l.pauses && n.life == runs && !stands {
			one("pause", i)
		}
		if n.life == paused {
			one("resume", i)
			one("wake", i)
		}
		if l.ports && !deaf {
			one("unplug", i)
		}
		if n.deaf {
			one("plug", i)
		}
		if l.wishes && n.life == runs && n.m.role == Active && !n.m.handing && n.m.Member() {
			one("handover", i)
		}
	}
	if parted {
		all = append(all, event{what: "mend", a: -1, b: -1})
	} else if l.cuts {
		for i := range w.n {
			for j := range w.n {
				if i != j {
					all = append(all, event{what: "mute", a: i, b: j})
				}
			}
		}
		for _, which := range [...]string{"link", "service"} {
			for i := range w.n {
				for j := range i {
					all = append(all, event{what: "cut", a: j, b: i, which: which})
				}
				if w.n > 2 {
					all = append(all, event{what: "cut", a: i, b: -1, which: which})
				}
			}
		}
	}
	if a := w.arbiter; a != nil && a.lose == nothing && len(a.late) == 0 {
		for _, which := range [...]string{"answer", "request", "delayed"} {
			all = append(all, event{what: "lose", a: -1, b: -1, which: which})
		}
	}
	return all
}

// heal ends all faults. With restart, processes that are not there are started.
func (w *world) heal(restart bool) {
	w.wire(false, nil, "")
	for i := range w.n {
		n := &w.node[i]
		n.deaf = false
		switch {
		case n.life == paused:
			w.unpause(i, false)
		case !n.alive() && restart:
			w.start(i)
		case n.life == down:
			n.life = dead // its host is there again
		}
	}
	if w.arbiter != nil {
		w.arbiter.lose = nothing
	}
	w.changed = w.now
}

// rests says that there is one node that serves, with a standby if there is another one, and that
// nobody else does or holds anything.
func (w *world) rests() bool {
	actives, standbys, others := 0, 0, 0
	for i := range w.n {
		n := &w.node[i]
		switch {
		case !n.alive():
		case n.life != runs || n.m.pending.kind != 0:
			return false
		case n.m.role == Active && !n.silent && !n.m.doubt.on:
			actives++
		case n.m.role == Standby && !n.m.doubt.on:
			standbys++
		case n.m.role == Starting:
			others++
		default:
			return false
		}
	}
	return actives == 1 && standbys == min(1, standbys+others)
}
