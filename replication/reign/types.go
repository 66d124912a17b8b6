package reign

import (
	"fmt"
	"slices"
	"time"
)

// Member is one process that can serve. A process that was started again is another Member:
// the same Slot, another Incarnation.
type Member struct {
	Slot        string // its place in the group, from configuration; not empty
	Incarnation uint64 // random, never 0; of two nodes the lower one has the say in a tie
}

// Reign names a reign.
type Reign struct {
	Lineage uint64 // 0: none
	Epoch   uint64 // from 1 on
}

func (r Reign) String() string { return fmt.Sprintf("%016x/%d", r.Lineage, r.Epoch) }

// Later says that r is a later reign of the same lineage than other.
func (r Reign) Later(other Reign) bool {
	return r.Lineage == other.Lineage && r.Epoch > other.Epoch
}

// Record says who serves and who may take over. It is what an arbiter keeps.
type Record struct {
	Revision uint64 // goes up by one with each change; 0: there is no record
	Reign    Reign
	Active   Member
	Set      []Member // those who may take over, the active one apart; never changed in place
}

// Has says that the process may take over.
func (r *Record) Has(incarnation uint64) bool {
	return slices.ContainsFunc(r.Set, func(m Member) bool { return m.Incarnation == incarnation })
}

// Equal says that two records are the same.
func (r Record) Equal(o Record) bool {
	return r.Revision == o.Revision && r.Reign == o.Reign && r.Active == o.Active && slices.Equal(r.Set, o.Set)
}

// with and without return another record, with or without a member.
func (r Record) with(m Member) Record {
	r.Revision++
	r.Set = append(slices.Clone(r.Set), m)
	return r
}

func (r Record) without(incarnation uint64) Record {
	r.Revision++
	r.Set = slices.DeleteFunc(slices.Clone(r.Set), func(m Member) bool { return m.Incarnation == incarnation })
	return r
}

// Role is what a node does.
type Role uint8

const (
	Starting  Role = iota + 1 // looks for who serves
	Joining                   // is being brought up to date by the active node
	Standby                   // may take over
	Active                    // answers for the service address
	Suspended                 // was Active, hears nobody, is silent, and keeps its state
)

func (r Role) String() string {
	switch r {
	case Starting:
		return "starting"
	case Joining:
		return "joining"
	case Standby:
		return "standby"
	case Active:
		return "active"
	case Suspended:
		return "suspended"
	}
	return "unknown"
}

// Config is what a Machine knows from the beginning.
type Config struct {
	Self Member

	// Silence is how long the other end of a link may be silent before that is evidence.
	Silence time.Duration

	// Round is how long a round of questions takes.
	Round time.Duration

	// ClaimAfter is how long a node that knows of an earlier reign, and neither hears of it nor has
	// proof that it is over, waits before it begins another lineage. Zero: for ever.
	ClaimAfter time.Duration

	// Arbitrated says that Swap and Load actions are carried out by an arbiter. Otherwise the
	// pair's rule stands in for it.
	Arbitrated bool

	// Lineage makes the name of a new lineage. It must not return 0.
	Lineage func() uint64
}
