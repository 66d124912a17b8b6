package reign

import "time"

// joining is what a node heeds that is being brought up to date. It has no say yet.
func (m *Machine) joining(now time.Duration, e Event) {
	why := ""
	switch e := e.(type) {
	case Tick:
		m.hear(e)
		if now-m.since > m.claimLimit() {
			why = "the active node is silent"
		}
	case Closed:
		if e.Peer == m.mate.Incarnation {
			why = "the link to the active node has ended"
		}
	case Bye:
		if e.Peer == m.mate.Incarnation {
			why = "the active node has left before this one was in sync"
		}
	case Said:
		if e.Reign.Later(m.record.Reign) {
			m.learn(e)
			why = "there is a later reign"
		}
	case Admitted:
		m.record = e.Record
		m.become(now, Standby)
	case Linked:
		m.do(Refuse{Peer: e.Peer})
	}
	if why != "" {
		m.do(Drop{Why: why})
		m.startOver(now)
	}
}

// standby is what a node heeds that may take over.
func (m *Machine) standby(now time.Duration, e Event) {
	v := &m.doubt
	switch e := e.(type) {
	case Tick:
		m.hear(e)
		if !m.up || now-m.since <= m.suspectAfter() {
			break
		}
		v.begin(now, 0)
	case Closed:
		if e.Peer == m.mate.Incarnation && m.up {
			m.up = false
			v.begin(now, e.How)
		}
	case Bye:
		if e.Peer == m.mate.Incarnation {
			m.handing = true
			v.begin(now, 0)
		}
	case Said:
		if m.standbySaid(now, e) {
			return
		}
	case RoundOver:
		v.round(e, m.mate.Incarnation, m.askedAt, m.heard+m.claimLimit(), v.since <= m.heard+m.claimLimit())
	case Linked:
		m.do(Refuse{Peer: e.Peer})
	}
	if v.on && m.up && !m.handing && now-m.since <= m.suspectAfter() {
		*v = evidence{} // it was only slow
		m.blocked = ""
	}
	if v.on {
		m.doubtActive(now)
	}
}

// standbySaid heeds a statement, and returns true if it ends the role.
func (m *Machine) standbySaid(now time.Duration, s Said) bool {
	theActive := s.From.Incarnation == m.mate.Incarnation
	switch {
	case s.Reign.Later(m.record.Reign):
		m.giveUp(now, "there is a later reign", s)
		return true
	case theActive && (s.Role == Active || s.Role == Suspended) && s.Reign == m.record.Reign:
		m.doubt.lives(s)
	case theActive && s.Reign == m.record.Reign:
		// It was suspended, and has given up. Nobody has the connections but this node.
		m.doubt.gone = m.doubt.gone || m.doubt.heeds(s)
	case theActive && s.Asked >= m.began:
		m.giveUp(now, "the active node has yielded to another lineage", s)
		return true
	}
	return false
}

func (m *Machine) giveUp(now time.Duration, why string, s Said) {
	m.learn(s)
	m.do(Drop{Why: why})
	m.startOver(now)
}

// doubtActive looks whether the doubt about the active node has come to something.
func (m *Machine) doubtActive(now time.Duration) {
	v := &m.doubt
	lives := m.lives(now) && (!m.up || now-v.since > m.patience())
	switch {
	case m.pending.kind != 0:
		return // the arbiter has been asked
	case lives:
		m.do(Drop{Why: "the link to the active node is broken, but it lives"})
		m.startOver(now)
		return
	}
	why, missing := m.mayClaim(now)
	m.blocked = missing
	switch {
	case why != "":
		m.propose(now, proposal{takesOver, Record{
			Revision: m.record.Revision + 1,
			Reign:    Reign{m.record.Reign.Lineage, m.record.Reign.Epoch + 1},
			Active:   m.cfg.Self,
		}, why})
	case m.hopeless(now, v.late):
		since := v.since
		m.do(Drop{Why: missing})
		m.startOver(now)
		m.quiet.since = since
	default:
		m.ask(now)
	}
}

// keepRounds is how many rounds of questions, in which the network is heard and nobody answers, a
// node waits at least for the other one's word before it gives its state up as unknown.
const keepRounds = 40

// hopeless says that the state of a node in doubt is of no use any more, after so many rounds in
// which nobody has answered. Before something could begin in its place there is nothing to
// be gained by giving it up: the other one may only be slow.
func (m *Machine) hopeless(now time.Duration, rounds int) bool {
	v := &m.doubt
	over := m.cfg.Arbitrated || m.cfg.ClaimAfter > 0 && now-v.since >= m.cfg.ClaimAfter
	return rounds >= keepRounds && (v.nobody || v.ended || over)
}
