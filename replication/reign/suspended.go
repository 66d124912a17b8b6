package reign

import "time"

// suspended is what a node heeds that was active, with a standby, and hears neither it
// nor anybody on the service network. What clients have seen meanwhile is not known: the
// standby may have taken over. Its word that it has not, and will not, resumes the reign:
// a standby in doubt that hears of this node gives up, and says so when it is asked.
func (m *Machine) suspended(now time.Duration, e Event) {
	v := &m.doubt
	if !v.on {
		v.begin(now, BySilence)
	}
	switch e := e.(type) {
	case Said:
		mate := e.From.Incarnation == m.mate.Incarnation
		switch rival := e.Role == Active && e.Reign.Lineage != m.record.Reign.Lineage && v.heeds(e); {
		case e.From.Incarnation == m.cfg.Self.Incarnation:
		case e.Reign.Later(m.record.Reign):
			m.fence(now, e.Reign, "there is a later reign")
			return
		case rival && m.cfg.Arbitrated:
			m.do(Load{}) // the record decides: see swapped
		case rival && e.Reigned > now-m.reigns:
			m.fence(now, e.Reign, "another lineage has reigned for longer")
			return
		case mate && e.Reign == m.record.Reign && v.heeds(e) && (e.Role == Starting || e.Role == Joining):
			m.remove(now, "it has given up")
			return
		}
	case Verdict:
		if e.Reign.Lineage != m.record.Reign.Lineage {
			m.fence(now, e.Reign, "another lineage has reigned for longer")
			return
		}
	case RoundOver:
		v.round(e, m.mate.Incarnation, m.askedAt, v.since, false)
	case Linked:
		m.do(Refuse{Peer: e.Peer})
	}
	m.blocked = "the standby has not said whether it has taken over"
	if m.hopeless(now, v.rounds) && m.pending.kind == 0 {
		// The reign stays known, so that nothing is begun while it may go on elsewhere.
		since := v.since
		m.fence(now, m.record.Reign, "nothing was learnt of the standby for too long")
		m.quiet.since = since
		return
	}
	m.ask(now)
}
