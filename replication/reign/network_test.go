package reign

import (
	"slices"
	"time"
)

// mail is something that a node has been sent.
type mail struct {
	kind  mailKind
	event Event
	from  int // of a query or a dial
	inc   uint64
	began time.Duration
	says  Statement
	link  int // of a statement; or of Closed, which is heeded while the link is in use
	sent  int // counts
}

type mailKind uint8

const (
	plain mailKind = iota
	query          // on the service network
	dial           // of the link's port
)

// repeated says that another mail says the same as an earlier one.
func (m *mail) repeated(o *mail) bool {
	if m.kind != o.kind || m.inc != o.inc || m.from != o.from {
		return false
	}
	a, b := m.says, o.says
	if m.kind == plain {
		x, ok := m.event.(Said)
		y, also := o.event.(Said)
		if !ok || !also || x.Link || y.Link {
			return false
		}
		a, b = x.Statement, y.Statement
	}
	return a.From == b.From && a.Role == b.Role && a.Reign == b.Reign && a.Full == b.Full && a.Deaf == b.Deaf
}

// schedule is in which order the nodes look at their mail in a step: 0 is as it arrives,
// and the others are the orders in which a node looks at all of its own first.
type schedule int

var orders = [...][maxNodes]int{{}, {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}

// hear says that what one node says on the service network is heard by another one.
func (w *world) hear(a, b int) bool {
	return !w.service[a][b] && !w.node[a].deaf && !w.node[b].deaf
}

// send sends mail to a process, which looks at it in its time. One that stands still keeps of what
// says the same the latest only, so that it does not matter for how long it has stood still.
func (w *world) send(to int, m mail) {
	if w.node[to].alive() {
		if w.node[to].life == paused {
			w.node[to].inbox = slices.DeleteFunc(w.node[to].inbox, func(o mail) bool { return o.repeated(&m) })
		}
		w.sent++
		m.sent = w.sent
		w.node[to].inbox = append(w.node[to].inbox, m)
	}
}

// say sends a statement to all who hear it.
func (w *world) say(from int) {
	s := w.node[from].m.Statement(w.now)
	s.Full = true
	for to := range w.n {
		if to != from && w.hear(from, to) {
			w.send(to, mail{event: Said{Statement: s, Asked: -1}})
		}
	}
}

// ask asks on the service network.
func (w *world) ask(from int) {
	n := &w.node[from]
	s := n.m.Statement(w.now)
	s.Full = true
	for to := range w.n {
		if to != from && w.hear(from, to) {
			w.send(to, mail{kind: query, from: from, inc: s.From.Incarnation, began: n.round.began, says: s})
		}
	}
}

// dial calls the link's port of all others, unless that is under way.
func (w *world) dial(from int) {
	n := &w.node[from]
	for to := range w.n {
		p := &n.peers[to]
		if to == from || p.asking {
			continue
		}
		p.asking, p.began = true, w.now
		switch {
		case w.linking[from][to]:
		case w.node[to].life == dead:
			p.asking, p.asked, p.refused = false, w.now, true
		default:
			w.send(to, mail{
				kind: dial, from: from, inc: n.cfg.Self.Incarnation, began: w.now, says: n.m.Statement(w.now),
			})
		}
	}
}

// findings is what the dials have found, as the shell reckons it.
func (w *world) findings(i int) RoundOver {
	n := &w.node[i]
	over := RoundOver{AllGone: true, Heard: n.heard > n.round.began}
	for j := range w.n {
		p := &n.peers[j]
		switch fresh := p.asked >= n.round.began-4*round && p.asked > 0; {
		case j == i:
		case fresh && p.refused:
			if p.at != 0 {
				over.Refused = append(over.Refused, p.at)
			}
		default:
			over.AllGone = false
			if p.before != 0 {
				over.Replaced = append(over.Replaced, p.before)
			}
		}
	}
	return over
}

func (p *peer) found(inc uint64) {
	if p.at != inc {
		p.before, p.at = p.at, inc
	}
	p.refused = false
}

func (w *world) link(id int) *link {
	for i := range w.links {
		if id != 0 && w.links[i].id == id {
			return &w.links[i]
		}
	}
	return nil
}

// passes says that what is sent over a link arrives now.
func (w *world) passes(l *link) bool { return !w.linking[l.node[0]][l.node[1]] }

// shut closes one end of a link. How is what the other end is told, when it can be.
func (l *link) shut(end int, how Closing) {
	if !l.open[end] {
		return
	}
	l.open[end], l.queue[end] = false, nil
	if l.open[1-end] {
		l.ended[1-end] = how
	}
}

// close is shut by the process at that end, which finds out, too, if it was using the link.
func (w *world) close(id, end int, how Closing) {
	l := w.link(id)
	if l == nil || !l.open[end] {
		return
	}
	used := l.used[end]
	l.shut(end, ByOther)
	if used {
		w.send(l.node[end], mail{event: Closed{Peer: l.inc[1-end], How: how}, link: id})
	}
}

// carry brings to its ends what is under way on the links.
func (w *world) carry() {
	kept := w.links[:0]
	for i := range w.links {
		l := &w.links[i]
		for end := range 2 {
			if !w.passes(l) || !l.open[end] {
				continue
			}
			n := &w.node[l.node[end]]
			for _, e := range l.queue[end] {
				w.send(l.node[end], mail{event: e})
			}
			l.queue[end] = nil
			if how := l.ended[end]; how != 0 && n.life == runs {
				l.open[end] = false
				if l.used[end] {
					w.send(l.node[end], mail{event: Closed{Peer: l.inc[1-end], How: how}, link: l.id})
				}
			}
		}
		if l.open[0] || l.open[1] {
			kept = append(kept, *l)
		}
	}
	w.links = kept
}

// write sends something over a link from an end.
func (w *world) write(id, end int, e Event) {
	l := w.link(id)
	if l == nil || !l.open[end] || !l.open[1-end] {
		return
	}
	l.queue[1-end] = append(l.queue[1-end], e)
}
