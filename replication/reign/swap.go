package reign

import (
	"time"
)

// change is what a proposal does to the record.
type change uint8

const (
	begins    change = iota + 1 // a lineage
	takesOver                   // from the active node before
	admits                      // mate to the set
	removes                     // mate from the set
)

// proposal is a change of the record that this node wants.
type proposal struct {
	kind change // 0: none
	new  Record
	why  string
}

// propose is the only way to change the record. An arbiter is asked; the pair's rule has allowed it
// already, or propose is not called. Until there is an answer the marks heed the old set and
// the new one, and a claimant is silent: that follows since nothing is done before apply.
func (m *Machine) propose(now time.Duration, p proposal) {
	if m.pending.kind != 0 {
		return
	}
	if !m.cfg.Arbitrated {
		m.apply(now, p)
		return
	}
	m.pending = p
	m.do(Swap{Old: m.record, New: p.new})
}

// swapped handles the arbiter's answer.
func (m *Machine) swapped(now time.Duration, e Swapped) {
	p := m.pending
	if p.kind == 0 {
		if e.Known && e.Current.Revision > m.record.Revision {
			m.outvoted(now, e.Current)
		}
		return
	}
	if !e.Known {
		// The swap may still land. It is asked for again until that is settled: the two are the
		// same, so that it does not matter which one does.
		m.do(Load{})
		return
	}
	switch {
	case e.Current.Equal(p.new):
		m.pending = proposal{}
		m.apply(now, p)
	case e.Current.Equal(m.record) || e.Current.Revision == 0 && m.record.Revision == 0:
		m.do(Swap{Old: m.record, New: p.new})
	default:
		m.pending = proposal{}
		m.outvoted(now, e.Current)
	}
}

// outvoted obeys a record that another node has put in place.
func (m *Machine) outvoted(now time.Duration, current Record) {
	mine := current.Active.Incarnation == m.cfg.Self.Incarnation && current.Reign == m.record.Reign
	stays := current.Has(m.cfg.Self.Incarnation) && current.Reign == m.record.Reign
	m.record = current
	switch {
	case (m.role == Active || m.role == Suspended) && !mine:
		m.do(Fence{Reign: current.Reign, Why: "the arbiter's record names another node"})
		m.startOver(now)
	case (m.role == Standby || m.role == Joining) && !stays:
		m.do(Drop{Why: "the arbiter's record does not have this node"})
		m.startOver(now)
	}
}

// apply makes a change that has been decided.
func (m *Machine) apply(now time.Duration, p proposal) {
	m.record = p.new
	switch p.kind {
	case begins:
		m.mate, m.up = Member{}, false
		m.become(now, Active)
		m.reigns = now
		m.do(Serve{Reign: p.new.Reign})
	case takesOver:
		m.mate, m.up = Member{}, false
		m.become(now, Active)
		m.reigns = now
		m.do(TakeOver{Reign: p.new.Reign, Why: p.why})
	case admits:
		m.do(Admit{Record: p.new})
	case removes:
		silent := m.handing || m.role == Suspended
		peer := m.mate.Incarnation
		m.mate, m.up = Member{}, false
		if m.role == Suspended {
			m.become(now, Active)
		}
		m.doubt, m.handing, m.blocked = evidence{}, false, ""
		m.do(GoAlone{Peer: peer, Why: p.why})
		if silent {
			m.do(Resume{Why: "the standby cannot take over: " + p.why})
		}
	}
}
