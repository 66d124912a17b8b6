package reign

import "time"

// The pair's rule: who may change the record when there is no arbiter.
//
// Its one invariant is that the standby's last possible decision precedes the active node's
// earliest, for every cause:
//
//   - The standby claims no later than claimLimit after the active node has sent what was heard
//     of it last. It reckons by the time of sending: what was delayed on its way is as old as
//     it is. Only proof that the process of the active node has ended with the link open has no
//     such limit, since that one has not gone alone, and decides nothing any more. A process
//     that ended later may have gone alone before, and the kernel of a host that was started
//     again ends links of long ago: an end of the link counts only if it came in that time.
//   - The active node asks around as soon as the link is silent, and closes it before it counts the
// time, so that nothing that it sends prolongs the standby's. It goes alone after
// aloneAfter, which is longer, and when a
//     further round of questions has found nobody who has claimed; or by proof: the standby's
//     own word that it has given up, or its kernel, which has closed the link, without a claim
//     on it, and refuses new ones or has another process there.
//   - An active node that could not have answered at some time since its standby was heard last
// does not go alone for silence: the standby may have claimed in that time, and have died
// since.
//     It is suspended. That is so if it stood still, or has heard nobody in a round.
//   - Nobody decides in deafness: a round counts only if the service network was heard in it.
//
// What two nodes cannot exclude: both networks between them fail at the same moment, the link and
// the service network, while each of the nodes still hears clients. Then neither hears the other's
// answers, and after aloneAfter both may serve. Each client sees one consistent stream as long as
// its frames reach the same node; what the other one can contradict is bounded by the marks to
// what was sent after both had decided. When they hear each other again the earlier epoch is
// fenced. A kernel, or a firewall that answers in its name, which closes a link and refuses new
// ones although the process lives, is believed only while nobody answers on the service network.

// suspectAfter is how long the active node may be silent before its standby asks around.
func (m *Machine) suspectAfter() time.Duration {
	return max(m.cfg.Silence-m.cfg.Round, m.cfg.Silence/2)
}

// claimLimit is how long after the active node's last word its standby may claim for its silence.
func (m *Machine) claimLimit() time.Duration { return 3 * m.cfg.Silence }

// aloneAfter is how long after the end of the link an active node waits for its standby to decide.
func (m *Machine) aloneAfter() time.Duration { return m.claimLimit() + 2*m.cfg.Round }

// patience is how long a standby bears with an active node that lives and is silent on the link.
func (m *Machine) patience() time.Duration { return 3 * m.cfg.Silence }

// lives says that the active node has said lately that it serves, in spite of the doubt.
func (m *Machine) lives(now time.Duration) bool { return m.doubt.alive(now, 4*m.cfg.Round) }

// mayClaim says that a standby in doubt may take over, and why. Otherwise it says what is missing.
func (m *Machine) mayClaim(now time.Duration) (why, missing string) {
	v := &m.doubt
	inTime := m.cfg.Arbitrated || now <= m.heard+m.claimLimit()
	switch {
	case m.lives(now):
		return "", "the active node lives, and only the link to it is broken"
	case m.handing && inTime:
		return "it has left", ""
	case v.rounds == 0:
		return "", "the service network has not been heard since the active node was lost"
	case v.gone:
		return "its process has ended", ""
	case !inTime:
		return "", "the active node was lost for so long that it may have gone on alone"
	case v.ended:
		return "another process is in its place", ""
	case v.rounds >= 2 && now-m.since >= m.suspectAfter():
		return "it is silent", ""
	}
	return "", "the active node is being looked for"
}

// mayGoAlone is the same for an active node that has lost its standby.
func (m *Machine) mayGoAlone(now time.Duration) (why, missing string) {
	v := &m.doubt
	switch {
	case v.gone && v.rounds >= 1:
		return "its process has ended", ""
	case m.cfg.Arbitrated && v.rounds >= 2, v.late >= 2 && m.cutOff < m.heard:
		return "it is silent", ""
	}
	return "", "the standby may have taken over"
}

// mayBegin says that a Starting node may begin a new lineage. Otherwise it says what is missing.
func (m *Machine) mayBegin(now time.Duration) (ok bool, missing string) {
	q := &m.quiet
	switch {
	case q.serves && !q.over(now, 4*m.cfg.Silence):
		return false, "another node serves, or may be about to"
	case q.rounds < 2 || !q.over(now, 4*m.cfg.Round):
		if q.deaf {
			return false, "the service network has not been heard, nor does every peer's port refuse"
		}
		return false, "others are being looked for"
	case m.record.Reign.Lineage == 0, q.gone:
		return true, ""
	case m.cfg.ClaimAfter > 0 && q.over(now, m.cfg.ClaimAfter):
		return true, ""
	}
	return false, "there was an earlier reign, and it is not known to be over"
}
