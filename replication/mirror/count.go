package mirror

import "github.com/ftcp-project/ftcp/stack/tcp"

// Count is how many connections there are, how many of them the other node can go on with (on a
// standby: this node), and why the others are not protected.
type Count struct {
	Conns, Protected int
	Unprotected      map[string]int
}

// Count counts. It waits for no connection.
func (g *Mirror) Count() (n Count) {
	for _, c := range g.stack.Conns() {
		n.Conns++
		if c.Protected.Load() {
			n.Protected++
			continue
		}
		if n.Unprotected == nil {
			n.Unprotected = map[string]int{}
		}
		n.Unprotected[reasonOf(c.Attachment())]++
	}
	return n
}

// Released is how many connections have lost their protection since the Mirror was made.
func (g *Mirror) Released() uint64 { return g.released.Load() }

const noStandby = "there is no standby"

// reasonOf says why a connection is not protected.
func reasonOf(attachment any) string {
	switch a := attachment.(type) {
	case *guarded:
		if why := a.reason.Load(); why != nil {
			return *why
		}
		return noStandby
	case *replica:
		return "this node does not have yet all that its peer may have seen"
	}
	return "it has just begun"
}

// Protectable is how many connections are on their way to be protected.
func (g *Mirror) Protectable() (n int) {
	for _, c := range g.stack.Conns() {
		gd, ok := c.Attachment().(*guarded)
		if !ok || c.Protected.Load() {
			continue
		}
		c.View(func(core *tcp.Core) {
			if f := gd.feed; f != nil && !f.waits && !f.ended && !core.Ended() {
				n++
			}
		})
	}
	return n
}

// Alive says that this node, which is a standby, still replays and confirms.
func (g *Mirror) Alive() bool {
	f := g.follower.Load()
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.stopped
}

// status says whether the standby may take over, and how much input it has not confirmed.
func (l *leader) status() (inSync bool, lag int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sworn && !l.finished, l.lag
}
