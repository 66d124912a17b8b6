package reign

import (
	"hash/maphash"
	"time"
)

// canon encodes a world without what makes no difference: times relative to now, and no further
// than matters; lineages in the order of their appearance; processes by their order. Two worlds
// with the same code go on in the same ways. What is clamped may in rare cases make a difference
// after all: then some ways are not looked at, but none is made up.
type canon struct {
	b        []byte
	w        *world
	lineages []uint64
}

var seed = maphash.MakeSeed()

// code returns a hash of the encoding.
func (c *canon) code(w *world) uint64 {
	c.b, c.w, c.lineages = c.b[:0], w, c.lineages[:0]
	for i := range w.n {
		c.node(&w.node[i])
	}
	for i := range w.links {
		c.link(&w.links[i])
	}
	for i := range w.n {
		for j := range w.n {
			c.flag(w.service[i][j], w.linking[i][j])
		}
	}
	if a := w.arbiter; a != nil {
		c.record(&a.record)
		c.put(int(a.lose), len(a.late))
		for _, l := range a.late {
			c.put(l.steps)
			c.record(&l.swap.New)
		}
	}
	c.put(w.kills)
	if w.beacons {
		c.put(int(w.now / step % (beaconEvery / step)))
	}
	return maphash.Bytes(seed, c.b)
}

func (c *canon) put(v ...int) {
	for _, v := range v {
		c.b = append(c.b, byte(v))
	}
}

func (c *canon) flag(v ...bool) {
	for _, v := range v {
		if v {
			c.b = append(c.b, 1)
		} else {
			c.b = append(c.b, 0)
		}
	}
}

// ago is a time in steps before now: as many as matter, and those to come negative.
func (c *canon) ago(t time.Duration, most int) {
	if t <= 0 {
		c.put(128)
		return
	}
	c.put(max(-90, min(int((c.w.now-t)/step), most)))
}

func (c *canon) lineage(l uint64) {
	if l == 0 {
		c.put(0)
		return
	}
	for i, k := range c.lineages {
		if k == l {
			c.put(i + 1)
			return
		}
	}
	c.lineages = append(c.lineages, l)
	c.put(len(c.lineages))
}

func (c *canon) reign(r Reign) {
	c.lineage(r.Lineage)
	c.put(int(r.Epoch))
}

// who is a process: its place, and which one at that place, counted from the one there now.
func (c *canon) who(inc uint64) {
	if inc == 0 {
		c.put(0)
		return
	}
	at := inc/100 - 1
	c.put(int(at)+1, int(c.w.node[at].lives-inc%100))
}

func (c *canon) record(r *Record) {
	c.reign(r.Reign)
	c.who(r.Active.Incarnation)
	c.put(int(r.Revision), len(r.Set))
	for _, m := range r.Set {
		c.who(m.Incarnation)
	}
}

func (c *canon) node(n *node) {
	c.put(int(n.life))
	c.flag(n.deaf)
	if n.held != 0 && c.w.now-n.died <= 4*round {
		c.lineage(n.held)
		c.ago(n.died, 9)
	}
	if !n.alive() {
		return
	}
	c.flag(n.silent, n.fresh, n.hasty, c.w.lost&(1<<(n.data%64)) != 0)
	c.lineage(n.data)
	for i := range c.w.n {
		p := &n.peers[i]
		c.flag(p.asking, p.refused)
		if p.asking {
			c.ago(p.began, 40)
		}
		c.ago(p.asked, 12)
		c.who(p.at)
		c.who(p.before)
	}
	c.flag(n.round.on, n.round.again)
	c.ago(n.round.began, 60)
	c.ago(n.heard, 60)
	c.put(int(n.askers))
	c.mail(n.inbox)
	c.mail(n.later)
	c.put(c.place(n.lead), c.place(n.follow))
	c.machine(&n.m)
}

func (c *canon) place(id int) int {
	if id == 0 {
		return 0
	}
	for i := range c.w.links {
		if c.w.links[i].id == id {
			return i + 1
		}
	}
	return 100
}

func (c *canon) machine(m *Machine) {
	c.put(int(m.role))
	c.record(&m.record)
	c.ago(m.began, 50)
	if m.role == Active || m.role == Suspended {
		c.ago(m.reigns, 100)
	}
	c.who(m.mate.Incarnation)
	c.flag(m.up, m.handing, m.asking)
	c.ago(m.heard, 60)
	c.ago(m.askedAt, 60)
	if c.ago(m.due, 5); m.cutOff >= m.heard {
		c.ago(m.cutOff, 10)
	}
	if m.role == Active && m.mate.Incarnation == 0 {
		c.ago(m.nextAsk, 1)
	}
	if v := &m.doubt; v.on {
		c.ago(v.since, 80)
		c.ago(v.lived, 10)
		c.put(int(v.cause), min(v.rounds, 50), min(v.late, 50), min(v.deaf, 3))
		c.flag(v.on, v.gone, v.ended)
	}
	if q := &m.quiet; m.role == Starting {
		c.ago(q.since, 100)
		c.put(min(q.rounds, 3))
		c.flag(q.gone, q.deaf, q.serves)
	}
	c.put(int(m.pending.kind))
	if m.pending.kind != 0 {
		c.record(&m.pending.new)
	}
}

func (c *canon) mail(all []mail) {
	c.put(len(all))
	for _, m := range all {
		c.put(int(m.kind), m.from, c.place(m.link)) // in order, which is why sent is left out
		c.ago(m.began, 40)
		c.statement(&m.says)
		c.event(m.event)
	}
}

func (c *canon) statement(s *Statement) {
	c.who(s.From.Incarnation)
	c.put(int(s.Role), min(int(s.Reigned/step), 100))
	c.flag(s.Full, s.Deaf)
	c.reign(s.Reign)
}

func (c *canon) event(e Event) {
	switch e := e.(type) {
	case Said:
		c.put(1)
		c.statement(&e.Statement)
		c.ago(e.Asked, 60)
		c.flag(e.Link)
	case Closed:
		c.put(2, int(e.How))
		c.who(e.Peer)
	case Bye:
		c.put(3)
		c.who(e.Peer)
	case Admitted:
		c.put(4)
		c.record(&e.Record)
	case Swapped:
		c.put(5)
		c.flag(e.Known)
		c.record(&e.Current)
	case Verdict:
		c.put(6)
		c.reign(e.Reign)
	case Linked:
		c.put(7)
		c.who(e.Peer.Incarnation)
	case Caught:
		c.put(8)
		c.who(e.Peer)
	case Want:
		c.put(9)
	}
}

func (c *canon) link(l *link) {
	c.put(l.node[0], l.node[1], l.replay)
	for e := range 2 {
		c.who(l.inc[e])
		c.flag(l.open[e], l.used[e])
		c.put(int(l.ended[e]), len(l.queue[e]))
		c.ago(l.heard[e], 60)
		for _, ev := range l.queue[e] {
			c.event(ev)
		}
	}
}
