package reign

import "slices"

// let steps a node's machine, and carries out what it wants. The link is the one of a
// statement or of a node that is Linked, or 0.
func (w *world) let(i int, e Event, id int) {
	n := &w.node[i]
	before, reign := n.m.role, n.m.record.Reign
	wasSilent := n.silent
	held := n.holds() && before != Joining
	todo, next := n.m.Step(w.now, e)
	if next <= w.now {
		w.fail("%s wants to be called at a time that has passed", w.name(n.cfg.Self.Incarnation))
	}
	w.seen[n.m.role] = true
	w.report(i, e, todo, before)
	for _, a := range todo {
		w.sensible(i, a, before, reign)
		w.act(i, a, id, held)
	}
	if wasSilent && !n.silent {
		w.startsToSpeak(i)
	}
	if before != Active && n.m.role == Active && n.m.mate.Incarnation != 0 {
		w.fail("%s is active with a standby from before", w.name(n.cfg.Self.Incarnation))
	}
}

// act carries out an action, as the shell does.
func (w *world) act(i int, a Action, id int, held bool) {
	n := &w.node[i]
	self := n.cfg.Self.Incarnation
	switch a := a.(type) {
	case Ask:
		n.round = asked{on: true, again: true, began: w.now}
		w.ask(i)
		w.dial(i)
	case Follow:
		l := w.link(id)
		if id == 0 || n.follow != 0 || l != nil && l.inc[0] != a.Peer.Incarnation {
			w.fail("%s follows over a link that it does not have", w.name(self))
			return
		}
		n.follow = id
		if l == nil || !l.open[1] { // the other node did not want it
			w.send(i, mail{event: Closed{Peer: a.Peer.Incarnation, How: ByOther}, link: id})
			return
		}
		l.used[1] = true
	case Lead:
		l := w.link(id)
		if id == 0 || n.lead != 0 {
			w.fail("%s leads over a link that it does not have", w.name(self))
			return
		}
		n.lead = id
		if l == nil || !l.open[0] {
			w.send(i, mail{event: Closed{Peer: a.Peer.Incarnation, How: ByOther}, link: id})
			return
		}
		l.used[0] = true
	case Refuse: // answer closes it
	case Admit:
		w.write(n.lead, 0, Admitted{Record: a.Record})
	case Serve:
		n.silent, n.data, n.fresh = false, a.Reign.Lineage, true
		w.begins(i)
	case TakeOver:
		n.silent = false
		s := Statement{From: n.cfg.Self, Role: Active, Reign: a.Reign}
		w.write(n.follow, 1, Said{Statement: s, Asked: -1})
		n.follow = 0
		if w.beacons {
			w.say(i)
		}
	case GoAlone:
		if l := w.link(n.lead); l != nil && l.inc[1] == a.Peer || l == nil {
			w.close(n.lead, 0, ByOther)
			n.lead = 0
		}
	case Drop:
		w.discards(i, a.Why, held)
		w.close(n.follow, 1, ByOther)
		n.follow, n.data, n.fresh, n.silent = 0, 0, false, true
	case Fence:
		w.discards(i, a.Why, held)
		n.silent = true
		w.close(n.lead, 0, ByOther)
		n.lead, n.data, n.fresh = 0, 0, false
	case Suspend:
		n.silent = true
	case Resume:
		n.silent = false
	case Release:
		n.silent = true
		w.write(n.lead, 0, Bye{Peer: self})
	case Pronounce:
		w.pronounce(i, int(a.To/100-1), a.To)
	case Swap:
		w.arbiter.swap(w, i, a)
	case Load:
		w.arbiter.load(w, i)
	}
}

func (w *world) pronounce(i, to int, inc uint64) {
	n := &w.node[i]
	if n.askers&(1<<to) == 0 || w.node[to].cfg.Self.Incarnation != inc {
		w.say(i)
		return
	}
	n.askers &^= 1 << to
	if w.hear(i, to) {
		w.send(to, mail{event: Verdict{Reign: n.m.record.Reign}})
	}
}

// arbiter keeps a record. Its answers come with the next step.
type arbiter struct {
	record Record
	lose   loss // of the next swap
	late   []lateSwap
}

// loss is what becomes of a swap.
type loss uint8

const (
	nothing loss = iota
	answer       // it lands, and its answer is lost
	request      // it is lost itself
	delayed      // its answer is lost, and it lands later
)

type lateSwap struct {
	steps int
	swap  Swap
}

func (a *arbiter) put(s Swap) {
	if a.record.Equal(s.Old) || a.record.Revision == 0 && s.Old.Revision == 0 {
		a.record = s.New
	}
}

func (a *arbiter) swap(w *world, i int, s Swap) {
	lose := a.lose
	a.lose = nothing
	switch lose {
	case delayed:
		a.late = append(a.late, lateSwap{lateSteps, s})
	case nothing, answer:
		a.put(s)
	}
	a.tell(w, i, Swapped{Known: lose == nothing, Current: a.record})
}

func (a *arbiter) load(w *world, i int) { a.tell(w, i, Swapped{Known: true, Current: a.record}) }

func (a *arbiter) tell(w *world, i int, s Swapped) {
	s.Current.Set = slices.Clone(s.Current.Set)
	w.node[i].later = append(w.node[i].later, mail{event: s})
}

// lateSteps is how much later a delayed swap lands.
const lateSteps = 4

// land lands the swaps whose time has come.
func (w *world) land() {
	if w.arbiter == nil {
		return
	}
	kept := w.arbiter.late[:0]
	for _, l := range w.arbiter.late {
		if l.steps--; l.steps == 0 {
			w.arbiter.put(l.swap)
		} else {
			kept = append(kept, l)
		}
	}
	w.arbiter.late = kept
}
