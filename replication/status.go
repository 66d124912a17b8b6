package replication

import (
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

// Status describes a node.
type Status struct {
	// Role is "starting", "joining", "standby", "active" or "suspended" (it was active, hears neither
	// its standby nor the clients' network, and is silent until it has learnt who serves).
	Role string

	// Why says what the node is waiting for, if it is; empty if nothing is amiss.
	Why string

	Lineage string    // the name of the reign that began from nothing; empty: none is known
	Epoch   uint64    // of the reign within its lineage
	Since   time.Time // since when the node has had its role

	Standby string // the standby's address; empty if there is none, or this node is not active
	InSync  bool   // the standby may take over; on a standby: this node may

	// Lag is how much input the standby has not confirmed yet, in bytes.
	Lag int64

	// Conns is how many connections exist, and Protected how many of them the other node can go on
	// with by its own word; on a standby: this node can. Unprotected counts the others, by reason.
	Conns, Protected int
	Unprotected      map[string]int

	// Released is how many connections have lost their protection since this node
	// began, because their handlers diverged or lagged or their history was gone.
	Released uint64

	// Network is the state of the port to the service network.
	Network Network
}

// Network is the state of a port to the service network.
type Network struct {
	Carrier bool      // the interface is there, up, and has carrier, as far as can be known
	Heard   time.Time // when another station was heard last; zero: never
	Claimed time.Time // when a stranger last claimed the service address; zero: never
}

// NetworkOf is the state of a stack's ports.
func NetworkOf(s *stack.Stack) Network {
	h := s.Health()
	return Network{Carrier: h.Carrier, Heard: h.Heard, Claimed: h.Claimed}
}

// Status returns the node's status. It does not wait for anything.
func (g *Group) Status() Status {
	g.mu.Lock()
	m := g.machine
	role, record, why, since := m.Role(), m.Record(), m.Why(), m.Since()
	g.mu.Unlock()
	st := Status{
		Role: role.String(), Why: why, Epoch: record.Reign.Epoch, Since: g.start.Add(since),
		Released: g.released.Load(),
		Network:  NetworkOf(g.stack),
	}
	if record.Reign.Lineage != 0 {
		st.Lineage = lineageName(record.Reign.Lineage)
	}
	for _, c := range g.stack.Conns() {
		st.Conns++
		if c.Protected.Load() && role != reign.Joining {
			st.Protected++
			continue
		}
		if st.Unprotected == nil {
			st.Unprotected = map[string]int{}
		}
		st.Unprotected[reasonOf(c.Attachment())]++
	}
	if l := g.leader.Load(); l != nil {
		st.Standby = l.link.RemoteAddr().String()
		st.InSync, st.Lag = l.status()
	}
	if role == reign.Standby {
		if f := g.follower.Load(); f != nil {
			st.InSync = f.alive()
		}
	}
	return st
}

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

// status says whether the standby may take over, and how much input it has not confirmed.
func (l *leader) status() (inSync bool, lag int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sworn && !l.finished, l.lag
}

// alive says that the follower still replays and confirms.
func (f *follower) alive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.stopped
}

// Changed returns a channel that is closed at the next change of role or epoch.
func (g *Group) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// protectable is how many connections are on their way to be protected.
func (g *Group) protectable() (n int) {
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
