package reign

import "time"

// active is what a node heeds that serves.
func (m *Machine) active(now time.Duration, e Event) {
	v := &m.doubt
	switch e := e.(type) {
	case Tick:
		m.hear(e)
		switch silent := now-m.since > m.suspectAfter(); {
		case !m.up || !m.Member():
		case silent:
			v.begin(now, 0)
		case v.on:
			*v, m.blocked = evidence{}, ""
		}
		m.lookAtPorts(now, e)
	case Linked:
		if m.mate.Incarnation != 0 || m.handing {
			m.do(Refuse{Peer: e.Peer})
			break
		}
		m.mate, m.up, m.heard, m.since = e.Peer, true, now, now
		m.do(Lead{Peer: e.Peer})
	case Caught:
		if e.Peer == m.mate.Incarnation && m.up && !m.Member() {
			m.propose(now, proposal{admits, m.record.with(m.mate), ""})
		}
	case Closed:
		if e.Peer != m.mate.Incarnation || !m.up {
			break
		}
		m.up = false
		if !m.Member() && m.pending.kind == 0 {
			m.mate = Member{}
			m.do(GoAlone{Peer: e.Peer, Why: "it was not in sync"})
			break
		}
		v.begin(now, e.How)
	case Bye:
		if e.Peer == m.mate.Incarnation && m.Member() {
			m.remove(now, "it has left")
		}
	case Said:
		m.activeSaid(now, e)
	case Verdict:
		if e.Reign.Lineage != m.record.Reign.Lineage {
			m.fence(now, e.Reign, "another lineage has reigned for longer")
		}
	case RoundOver:
		soon := m.cutOff < m.heard || v.since-m.heard <= m.suspectAfter()
		v.round(e, m.mate.Incarnation, m.askedAt, v.since+m.aloneAfter(), soon)
		if v.deaf > 0 && m.askedAt <= max(m.heard, v.since)+m.claimLimit() {
			m.cutOff = max(m.cutOff, now)
		}
		m.nextAsk = now + lookAround
	case Want:
		if e.What == HandOver && m.up && m.Member() && !m.handing {
			m.handing = true
			m.do(Release{Why: "the operator wants it"})
		}
	}
	switch {
	case m.role != Active:
	case v.on:
		m.doubtStandby(now)
	case m.mate.Incarnation == 0 && now >= m.nextAsk:
		m.ask(now) // for another one that serves: see rival.go
	}
}

// lookAround is how often an active node without a standby asks whether there is another one.
const lookAround = time.Second

// deafAfter is how long the service network may be silent, although its stations are asked, before
// an active node takes itself for cut off from it.
const deafAfter = 600 * time.Millisecond

// lookAtPorts hands over when this node is cut off from the clients and its standby is not.
func (m *Machine) lookAtPorts(now time.Duration, t Tick) {
	if !m.up || !m.Member() || m.handing || !t.Mine.Known || !t.Theirs.Known {
		return
	}
	hears := func(p Port) bool { return p.Carrier && p.Heard >= 0 && now-p.Heard < deafAfter }
	if !hears(t.Mine) && t.Theirs.Carrier && t.Theirs.Heard >= 0 && now-t.Theirs.Heard < deafAfter/2 {
		m.handing = true
		m.do(Release{Why: "this node is cut off from the service network, and its standby is not"})
	}
}

// activeSaid heeds a statement.
func (m *Machine) activeSaid(now time.Duration, s Said) {
	mate := s.From.Incarnation == m.mate.Incarnation
	switch {
	case s.From.Incarnation == m.cfg.Self.Incarnation:
	case s.Reign.Later(m.record.Reign):
		m.fence(now, s.Reign, "there is a later reign")
	case s.Role == Active && !m.record.Reign.Later(s.Reign) && s.Asked < m.reigns:
		m.ask(now) // what it says of itself may be old
	case s.Role == Active && !m.record.Reign.Later(s.Reign):
		m.rival(now, s.Statement)
	case mate && m.doubt.heeds(s) && (s.Role == Starting || s.Role == Joining && !m.up): // it has left the link
		m.remove(now, "it has given up")
	}
}

// doubtStandby looks whether the doubt about the standby has come to something.
func (m *Machine) doubtStandby(now time.Duration) {
	v := &m.doubt
	switch {
	case m.pending.kind != 0:
		return
	case m.up:
		m.ask(now) // to know whether it could answer others meanwhile
		return
	}
	why, missing := m.mayGoAlone(now)
	m.blocked = missing
	silent := ""
	switch {
	case v.deaf >= 2 && now-v.since >= m.cfg.Silence:
		silent = "neither the standby nor the service network can be heard"
	case v.late >= 2 && !m.cfg.Arbitrated:
		silent = "the standby cannot be heard, nor could it have heard this node for a while"
	}
	switch {
	case why != "":
		m.remove(now, why)
	case silent != "":
		began, mate := m.reigns, m.mate
		m.become(now, Suspended)
		m.reigns, m.mate, m.up = began, mate, false
		m.do(Suspend{Why: silent})
		m.ask(now)
	default:
		m.ask(now)
	}
}

func (m *Machine) remove(now time.Duration, why string) {
	m.propose(now, proposal{removes, m.record.without(m.mate.Incarnation), why})
}

// fence forgets the connections, in favour of another reign.
func (m *Machine) fence(now time.Duration, by Reign, why string) {
	m.record = Record{Revision: m.record.Revision, Reign: by}
	m.pending = proposal{}
	m.do(Fence{Reign: by, Why: why})
	m.startOver(now)
}
