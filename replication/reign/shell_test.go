package reign

import (
	"slices"
	"time"
)

// step lets half a round pass.
func (w *world) step(o schedule) {
	w.now += step
	w.order = o
	w.land()
	for i := range w.n {
		n := &w.node[i]
		for _, m := range n.later {
			w.send(i, m)
		}
		n.later = nil
	}
	w.beat()
	for i := range w.n {
		if w.node[i].life == runs {
			w.clock(i)
		}
	}
	w.settle()
	for i := range w.n {
		w.serve(i)
	}
	w.look()
}

// beat carries the signs of life over the links, and closes those that have been silent.
func (w *world) beat() {
	for i := range w.links {
		l := &w.links[i]
		if !l.open[0] || !l.open[1] || !w.passes(l) {
			continue
		}
		a, f := &w.node[l.node[0]], &w.node[l.node[1]]
		if a.life == runs && a.lead == l.id && f.alive() {
			l.heard[1] = w.now
		}
		if f.life == runs && f.follow == l.id && a.life == runs {
			l.heard[0] = w.now
		}
		if a.life == runs && f.life == runs && a.lead == l.id && f.follow == l.id && l.replay > 0 {
			if l.replay--; l.replay == 0 {
				f.data, f.fresh = a.data, a.fresh
				w.send(l.node[0], mail{event: Caught{Peer: l.inc[1]}})
			}
		}
	}
	for i := range w.n {
		n := &w.node[i]
		l := w.link(n.lead)
		if l == nil || n.life != runs || !l.open[0] {
			continue
		}
		if n.hasty {
			l.heard[0] = w.now // it was this process that was stopped
		}
		if w.now-l.heard[0] > 2*w.silence {
			w.close(l.id, 0, BySilence)
		}
	}
}

// clock is what the time has for a running node.
func (w *world) clock(i int) {
	n := &w.node[i]
	if !n.deaf {
		n.heard = w.now
	}
	t := Tick{Mine: Port{Carrier: !n.deaf, Heard: n.heard, Known: true}}
	if l := w.link(n.follow); l != nil {
		t.Heard = l.heard[1]
	} else if l := w.link(n.lead); l != nil {
		t.Heard = l.heard[0]
		if f := &w.node[l.node[1]]; f.follow == l.id && f.life == runs {
			t.Theirs = Port{Carrier: !f.deaf, Heard: f.heard, Known: true}
		}
	}
	if n.hasty {
		n.hasty = false
		n.inbox = slices.Insert(n.inbox, 0, mail{event: t})
	} else {
		w.send(i, mail{event: t})
	}
	for j := range w.n {
		if p := &n.peers[j]; p.asking && w.now-p.began >= w.patience {
			p.asking, p.asked, p.refused = false, p.began, false
		}
	}
	if n.round.on && n.round.again && w.now-n.round.began >= step {
		n.round.again = false
		w.ask(i)
	}
	if n.round.on && w.now-n.round.began >= round {
		n.round.on = false
		w.send(i, mail{event: w.findings(i)})
	}
	if w.beacons && n.m.role == Active && !n.silent && (w.now-n.born)%beaconEvery == 0 {
		w.say(i)
	}
}

// settle lets all nodes look at their mail until there is none.
func (w *world) settle() {
	for range 1000 {
		w.carry()
		i := w.first()
		if i < 0 {
			return
		}
		n := &w.node[i]
		m := n.inbox[0]
		n.inbox = n.inbox[1:]
		w.handle(i, m)
	}
	w.fail("there is no end of messages")
}

// first is the node that looks at its mail now.
func (w *world) first() int {
	waits := func(i int) bool { return i < w.n && w.node[i].life == runs && len(w.node[i].inbox) > 0 }
	if w.order != 0 {
		for _, i := range orders[w.order] {
			if waits(i) {
				return i
			}
		}
		return -1
	}
	best := -1
	for i := range w.n {
		if waits(i) && (best < 0 || w.node[i].inbox[0].sent < w.node[best].inbox[0].sent) {
			best = i
		}
	}
	return best
}

// handle lets a node look at something that it was sent.
func (w *world) handle(i int, m mail) {
	n := &w.node[i]
	switch m.kind {
	case plain:
		if s, ok := m.event.(Said); ok && s.Link {
			n.peers[m.from].found(m.inc)
			w.dialed(i, m, s)
			return
		}
		if _, ok := m.event.(Closed); ok && m.link != n.lead && m.link != n.follow {
			return // the link that has ended is not in use any more
		}
		w.let(i, m.event, 0)
	case query:
		if w.hear(i, m.from) && w.node[m.from].cfg.Self.Incarnation == m.inc {
			s := n.m.Statement(w.now)
			s.Full = true
			w.send(m.from, mail{event: Said{Statement: s, Asked: m.began}})
			n.askers |= 1 << m.from
		}
		w.let(i, Said{Statement: m.says, Asked: -1}, 0)
	case dial:
		w.answer(i, m)
	}
}

// answer is what a node does that has been called over its link's port.
func (w *world) answer(i int, m mail) {
	n, caller := &w.node[i], &w.node[m.from]
	p := &caller.peers[i]
	if caller.cfg.Self.Incarnation != m.inc || !caller.alive() || !p.asking || p.began != m.began || w.linking[i][m.from] {
		return // it waits no more
	}
	if caller.life != runs {
		return // it would have to go on with the handshake
	}
	m.says = caller.m.Statement(w.now)
	says := n.m.Statement(w.now)
	w.linkID++
	id := w.linkID
	w.links = append(w.links, link{
		id: id, node: [2]int{i, m.from}, inc: [2]uint64{n.cfg.Self.Incarnation, m.inc},
		open: [2]bool{true, true}, heard: [2]time.Duration{w.now, w.now}, replay: replaySteps,
	})
	n.peers[m.from].found(m.inc)
	w.send(m.from, mail{event: Said{Statement: says, Asked: m.began, Link: true}, from: i, inc: says.From.Incarnation, link: id})
	w.let(i, Said{Statement: m.says, Asked: w.now}, 0)
	if m.says.Role == Starting {
		w.let(i, Linked{Peer: m.says.From}, id)
	}
	if l := w.link(id); l != nil && !l.used[0] {
		w.close(id, 0, 0)
	}
}

// dialed is what the caller does with the answer.
func (w *world) dialed(i int, m mail, s Said) {
	n := &w.node[i]
	p := &n.peers[m.from]
	if p.asking && p.began == s.Asked {
		p.asking, p.asked = false, p.began
	}
	w.let(i, s, m.link)
	if l := w.link(m.link); l != nil && !l.used[1] {
		w.close(m.link, 1, 0)
	}
}

// replaySteps is how long it takes a node to catch up.
const replaySteps = 3
