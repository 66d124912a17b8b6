package reign

import "time"

// rival is called when this node serves and hears that another one does, whose reign is neither
// earlier nor later: of another lineage, as when both began without hearing each other. An
// arbiter's record decides. Without one the node with the lower identity has the say: it
// compares for how long the two have reigned, so that the connections that are older stay, and
// pronounces. The other one obeys; where the two cannot disagree, since the times are far apart,
// it need not wait for the word.
func (m *Machine) rival(now time.Duration, other Statement) {
	switch {
	case m.cfg.Arbitrated:
		m.do(Load{}) // the record decides: see swapped
	case other.From.Incarnation < m.cfg.Self.Incarnation && other.Reigned > now-m.reigns+clearly:
		m.fence(now, other.Reign, "another lineage has reigned for longer")
	case other.From.Incarnation < m.cfg.Self.Incarnation:
		// It has the say.
	case now-m.reigns >= other.Reigned:
		m.do(Pronounce{To: other.From.Incarnation})
	default:
		m.fence(now, other.Reign, "another lineage has reigned for longer")
	}
}

// clearly is a difference between two reigns that both sides of them measure alike, whatever the
// delay of what they say.
const clearly = 2 * time.Second
