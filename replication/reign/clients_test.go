package reign

import (
	"strings"
	"time"
)

// What clients see is one number that only grows for each lineage: the latest version of its
// connections. It is not written down. What is, is which nodes have it: the fresh ones.
//
// An active node makes a new version as often as it can: with a standby that is heeded when that
// one confirms it, alone by itself. Whoever makes one from what is not the latest has forked the
// connections, and some client has been lied to.

// holds says that a node has what clients have seen last of some lineage.
func (n *node) holds() bool { return n.data != 0 && n.fresh }

// alone says that no standby is heeded. A node that is joining is not yet.
func (w *world) alone(n *node) bool {
	l := w.link(n.lead)
	return n.lead == 0 || l != nil && l.open[0] && l.replay > 0
}

// serve lets a node make a new version, if it can.
func (w *world) serve(i int) {
	n := &w.node[i]
	if !n.speaks() {
		return
	}
	also := -1
	if !w.alone(n) {
		l := w.link(n.lead)
		if l == nil || !l.open[0] || !l.open[1] || !w.passes(l) {
			return
		}
		f := &w.node[l.node[1]]
		if f.life != runs || f.follow != l.id || f.m.role != Joining && f.m.role != Standby {
			return
		}
		also = l.node[1]
	}
	if !n.fresh {
		w.forks("%s goes on from what clients have seen replaced", w.name(n.cfg.Self.Incarnation))
		return
	}
	for j := range w.n {
		if f := &w.node[j]; j != i && f.data == n.data {
			f.fresh = j == also
		}
	}
	if also >= 0 && w.node[also].data != n.data {
		w.fail("%s confirms without having the connections", w.name(w.node[also].cfg.Self.Incarnation))
	}
}

// look looks for what must not be in any state.
func (w *world) look() {
	for i := range w.n {
		for j := range i {
			a, b := &w.node[i], &w.node[j]
			if a.speaks() && b.speaks() && a.data == b.data && w.alone(a) && w.alone(b) {
				w.forks("%s and %s both go on with the same connections", w.name(b.cfg.Self.Incarnation), w.name(a.cfg.Self.Incarnation))
			}
		}
	}
}

// forks is fail, but for what two nodes cannot exclude: see pair.go.
func (w *world) forks(format string, args ...any) {
	for i := range w.n {
		for j := range i {
			if w.arbiter == nil && (w.service[i][j] || w.service[j][i]) && w.linking[i][j] {
				w.broken = excused
				return
			}
		}
	}
	w.fail(format, args...)
}

const excused = "both networks were cut at the same time"

// startsToSpeak is called when a node ceases to be silent.
func (w *world) startsToSpeak(i int) {
	n := &w.node[i]
	self := w.name(n.cfg.Self.Incarnation)
	if n.m.role != Active {
		w.fail("%s speaks as %v", self, n.m.role)
	}
	if n.data != n.m.record.Reign.Lineage || n.data == 0 {
		w.fail("%s speaks without having the connections", self)
	}
	if !n.fresh {
		w.forks("%s speaks with what clients have seen replaced", self)
	}
}

// begins is called when a node has begun a lineage.
func (w *world) begins(i int) {
	n := &w.node[i]
	self := w.name(n.cfg.Self.Incarnation)
	if w.now-w.changed < settled+w.patience {
		return
	}
	for j := range w.n {
		o := &w.node[j]
		within := w.hear(i, j) || !w.linking[i][j]
		if j != i && o.life == runs && within && o.holds() && o.data != n.data && w.now-o.m.began > settled {
			w.fail("%s begins a lineage although %s has another one, and answers", self, w.name(o.cfg.Self.Incarnation))
		}
	}
}

// settled is how long after a change of the networks or processes all have heard of each other.
const settled = 300 * time.Millisecond

// discards is called when a node forgets its connections, before it does. Held says that
// it could go on with what clients have seen last.
func (w *world) discards(i int, why string, held bool) {
	n := &w.node[i]
	if strings.Contains(why, "reigned for longer") {
		w.yields(i)
		return
	}
	if !held || w.lost&(1<<(n.data%64)) != 0 || w.arbiter != nil && w.arbiter.record.Reign.Lineage != n.data {
		return
	}
	for j := range w.n {
		if o := &w.node[j]; j != i && o.alive() && o.fresh && o.data == n.data && o.m.role != Joining {
			return
		}
	}
	for _, good := range [...]string{
		"later reign", "yielded to another lineage", "nothing was learnt", "may have gone on alone",
	} {
		if strings.Contains(why, good) {
			return
		}
	}
	if w.arbiter != nil && strings.Contains(why, "arbiter") || strings.Contains(why, "but it lives") && w.lived(n) {
		return
	}
	w.fail("%s forgets the newest state: %s", w.name(n.cfg.Self.Incarnation), why)
}

// yields is called when a node has yielded to another lineage, which must be the older one.
func (w *world) yields(i int) {
	n := &w.node[i]
	shorter := ""
	for j := range w.n {
		o := &w.node[j]
		switch {
		case j == i || !o.alive() || o.m.role != Active || o.data == n.data:
		case o.m.reigns <= n.m.reigns+step:
			w.lost |= 1 << (n.data % 64)
			return
		default:
			shorter = w.name(o.cfg.Self.Incarnation)
		}
	}
	if shorter != "" {
		w.fail("%s yields to %s, which has not reigned for as long", w.name(n.cfg.Self.Incarnation), shorter)
	}
}

// lived says that the other holder of a node's connections has ended a moment ago only.
func (w *world) lived(n *node) bool {
	for i := range w.n {
		if o := &w.node[i]; o.held == n.data && w.now-o.died <= 4*round {
			return true
		}
	}
	return false
}

// sensible says that an action fits the role in which it was decided.
func (w *world) sensible(i int, a Action, role Role, reign Reign) {
	n := &w.node[i]
	ok := true
	switch a := a.(type) {
	case Follow, Serve:
		ok = role == Starting
	case Lead, Admit, Release, Suspend, Pronounce:
		ok = role == Active
	case GoAlone, Fence:
		ok = role == Active || role == Suspended
	case Resume:
		ok = (role == Active || role == Suspended) && n.silent
	case Drop:
		ok = role == Joining || role == Standby
	case TakeOver:
		ok = role == Standby && a.Reign.Later(reign) && n.follow != 0
	}
	if !ok {
		w.fail("%s, which is %v, wants %T", w.name(n.cfg.Self.Incarnation), role, a)
	}
}
