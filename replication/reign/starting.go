package reign

import "time"

// starting is what a node heeds that looks for who serves.
func (m *Machine) starting(now time.Duration, e Event) {
	if m.pending.kind != 0 {
		if e, ok := e.(Linked); ok {
			m.do(Refuse{Peer: e.Peer})
		}
		return // it may serve already, by the record
	}
	switch e := e.(type) {
	case Said:
		m.startingSaid(now, e)
		if m.role != Starting {
			return
		}
	case Stranger:
		m.quiet.disturbed(now, false)
	case RoundOver:
		q := &m.quiet
		if m.askedAt >= q.since {
			q.gone, q.deaf = e.AllGone, !e.Heard
			if e.Heard || e.AllGone {
				q.rounds++
			}
		}
	case Linked:
		m.do(Refuse{Peer: e.Peer})
	case Want:
		if e.What == Begin {
			m.propose(now, m.beginning())
			return
		}
	}
	ok, missing := m.mayBegin(now)
	m.blocked = missing
	switch {
	case ok:
		m.propose(now, m.beginning())
	case now-m.askedAt >= m.pause(now):
		m.ask(now)
	}
}

// pause is the time between two rounds of questions. One that has to wait for long asks less often.
func (m *Machine) pause(now time.Duration) time.Duration {
	if m.quiet.serves || now-m.began > time.Second {
		return 10 * m.cfg.Round
	}
	return 0
}

func (m *Machine) beginning() proposal {
	return proposal{begins, Record{
		Revision: m.record.Revision + 1,
		Reign:    Reign{Lineage: m.cfg.Lineage(), Epoch: 1},
		Active:   m.cfg.Self,
	}, "nobody serves"}
}

// startingSaid heeds a statement. Whoever has state, or goes first, is waited for.
func (m *Machine) startingSaid(now time.Duration, s Said) {
	known := m.record.Reign
	switch {
	case s.From.Incarnation == m.cfg.Self.Incarnation:
		return
	case s.Role == Starting:
		if s.Reign.Later(known) {
			m.learn(s)
		}
		if s.From.Incarnation < m.cfg.Self.Incarnation && !s.Deaf {
			m.quiet.disturbed(now, false)
		}
		return
	case known.Later(s.Reign):
		return // it has been replaced, and hears so from us
	}
	m.quiet.disturbed(now, true)
	if s.Role != Active {
		if s.Reign.Later(known) || known.Lineage == 0 {
			m.learn(s)
		}
		return
	}
	if known.Lineage != 0 && known.Lineage != s.Reign.Lineage && now-m.began < 4*m.cfg.Round {
		return // whoever waits for the word that this node has given up is to hear it first
	}
	m.learn(s)
	m.record.Active = s.From
	if s.Link && !s.Full {
		m.become(now, Joining)
		m.mate, m.up, m.heard, m.since = s.From, true, now, now
		m.do(Follow{Peer: s.From})
	}
}

// learn remembers the reign of a statement.
func (m *Machine) learn(s Said) {
	if s.Reign != m.record.Reign {
		m.record = Record{Revision: m.record.Revision, Reign: s.Reign}
	}
}
