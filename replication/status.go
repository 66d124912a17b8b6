package replication

import (
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
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
	role, record, why, since, doubts := m.Role(), m.Record(), m.Why(), m.Since(), m.Doubts()
	g.mu.Unlock()
	st := Status{
		Role: role.String(), Why: why, Epoch: record.Reign.Epoch, Since: g.start.Add(since),
		Released: g.mirror.Released(),
		Network:  NetworkOf(g.stack),
	}
	if record.Reign.Lineage != 0 {
		st.Lineage = lineageName(record.Reign.Lineage)
	}
	n := g.mirror.Count()
	st.Conns, st.Protected, st.Unprotected = n.Conns, n.Protected, n.Unprotected
	if role == reign.Joining && n.Protected > 0 {
		st.Protected = 0
		st.Unprotected = map[string]int{"this node may not take over yet": n.Conns}
	}
	if by := g.mirror.Standby(); by.Addr != nil {
		st.Standby, st.InSync, st.Lag = by.Addr.String(), by.InSync, by.Lag
	}
	if role == reign.Standby {
		st.InSync = g.mirror.Alive()
	}
	if doubts {
		// What was confirmed before the other node fell silent is not for an operator to act on.
		st.InSync = false
		if st.Protected > 0 {
			st.Protected, st.Unprotected = 0, map[string]int{"it is in doubt whether the other node lives": st.Conns}
		}
	}
	return st
}

// Changed returns a channel that is closed at the next change of role or epoch.
func (g *Group) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}
