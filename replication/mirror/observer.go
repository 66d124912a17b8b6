package mirror

import (
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// observer is the Mirror as package stack sees it.
type observer struct{ g *Mirror }

// Observer follows the connections of the stack.
func (g *Mirror) Observer() stack.Observer { return observer{g} }

// Opened implements stack.Observer.
func (o observer) Opened(c *stack.Conn, core *tcp.Core) {
	g := o.g
	gd := &guarded{lost: g.cfg.History < 0}
	c.Attach(gd)
	if l := g.leader.Load(); l != nil {
		l.opened(c, gd, core)
	}
	gd.bound(core)
}

// News implements stack.Observer.
func (o observer) News(c *stack.Conn, core *tcp.Core) {
	g := o.g
	switch a := c.Attachment().(type) {
	case *guarded:
		g.news(c, a, core)
	case *replica:
		if core.Replica() || core.Ended() {
			a.news(core)
			return
		}
		gd := a.takenOver(g, core)
		c.Attach(gd)
		g.news(c, gd, core)
	}
}

// Expired implements stack.Observer: a deadline has expired, which the replicas are told.
func (o observer) Expired(c *stack.Conn, core *tcp.Core, write bool, at int64) {
	gd, ok := c.Attachment().(*guarded)
	if !ok {
		return
	}
	if len(gd.events) >= maxEvents {
		gd.forget(o.g)
		gd.bound(core)
	}
	gd.events = append(gd.events, &replpb.Event{
		Number: uint64(len(gd.events) + 1),
		What:   &replpb.Event_Deadline{Deadline: &replpb.Deadline{Write: write, At: at}},
	})
	if gd.feed != nil {
		gd.feed.leader.push(gd.feed)
	}
}
