package reign

import (
	"slices"
	"time"
)

// Machine is the part of one node in deciding who serves. It is a value: a copy made by Clone is
// independent. Its methods must not be called at the same time.
type Machine struct {
	cfg  *Config
	role Role

	// record is the latest that this node knows. It acts under it as Active, Suspended, Standby and
	// Joining. Starting, it only remembers: then Active may be zero, and Revision a guess.
	record Record

	began  time.Duration // of the role
	reigns time.Duration // since when it has been active; kept while it is suspended

	// mate is the node at the other end of the link: the active one of a Joining or Standby, the
	// one that joins an Active or is its standby. Zero: there is none.
	//
	//	Active, up false ⇒ record.Has(mate), or mate is zero
	mate  Member
	up    bool          // the link to mate is there
	heard time.Duration // when mate was heard last, by the time of its sending,
	since time.Duration // and by the time of its arrival: since when it has been silent
	doubt evidence      // since mate has given cause to doubt that it lives

	// due is when Step was to be called, and cutOff until when this node may have been unable to
	// answer its standby on the service network: it was deaf, or stood still. If that is not
	// before heard, the standby may have claimed meanwhile, and have died since.
	due, cutOff time.Duration

	handing bool // Active: silent, and has said Bye. Standby: has been told Bye

	asking  bool          // a round of questions is under way,
	askedAt time.Duration // and began then
	nextAsk time.Duration // when an Active without doubt asks again

	quiet   quiet    // Starting
	pending proposal // waits for the arbiter's answer
	blocked string   // why nothing is happening

	out []Action
}

// New returns a Machine that is Starting.
func New(cfg *Config, now time.Duration) *Machine {
	return &Machine{cfg: cfg, role: Starting, began: now, due: now, quiet: quiet{since: now}}
}

// Clone returns an independent copy.
func (m *Machine) Clone() *Machine {
	c := *m
	c.out = nil
	c.record.Set = slices.Clone(m.record.Set)
	return &c
}

// Role returns the role.
func (m *Machine) Role() Role { return m.role }

// Record returns the latest record that this node knows. See the field.
func (m *Machine) Record() Record { return m.record }

// Mate is the node at the other end of the link, and whether the link is there.
func (m *Machine) Mate() (mate Member, up bool) { return m.mate, m.up }

// Member says that the node at the other end may take over.
func (m *Machine) Member() bool { return m.mate.Incarnation != 0 && m.record.Has(m.mate.Incarnation) }

// Handing says that an active node is silent because it hands over.
func (m *Machine) Handing() bool { return m.role == Active && m.handing }

// Since is since when the machine has had its role.
func (m *Machine) Since() time.Duration { return m.began }

// Doubts says that there is cause to doubt that the node at the other end lives.
func (m *Machine) Doubts() bool { return m.doubt.on }

// Why says why nothing is happening although something should; empty if nothing should.
func (m *Machine) Why() string { return m.blocked }

// Deaf says that a node that is Starting has not heard the service network in its latest round
// of questions.
func (m *Machine) Deaf() bool { return m.role == Starting && m.quiet.deaf }

// Statement is what this node says of itself to others.
func (m *Machine) Statement(now time.Duration) Statement {
	s := Statement{From: m.cfg.Self, Role: m.role, Reign: m.record.Reign, Deaf: m.Deaf()}
	if m.role == Active || m.role == Suspended {
		s.Reigned = now - m.reigns
		s.Full = m.mate.Incarnation != 0 || m.handing
	}
	return s
}

// Step takes note of an event. It returns what has to be done, in order, and when to call Step
// again with a Tick even if nothing happens before.
func (m *Machine) Step(now time.Duration, e Event) (todo []Action, next time.Duration) {
	m.out = nil
	if now > m.due+2*m.cfg.Round {
		m.cutOff = now + m.cfg.Round // what its standby has sent meanwhile is not read yet
		m.quiet.disturbed(now, m.quiet.serves)
	}
	m.step(now, e)
	m.due = m.next(now)
	return m.out, m.due
}

func (m *Machine) step(now time.Duration, e Event) {
	switch e := e.(type) {
	case RoundOver:
		m.asking = false
	case Swapped:
		m.swapped(now, e)
		return
	}
	switch m.role {
	case Starting:
		m.starting(now, e)
	case Joining:
		m.joining(now, e)
	case Standby:
		m.standby(now, e)
	case Active:
		m.active(now, e)
	case Suspended:
		m.suspended(now, e)
	}
}

// next is when time alone may change something. Half a round is fine enough for every deadline.
func (m *Machine) next(now time.Duration) time.Duration {
	if m.role == Active && m.mate.Incarnation == 0 {
		return now + m.cfg.Silence/2
	}
	return now + m.cfg.Round/2
}

func (m *Machine) do(a Action) { m.out = append(m.out, a) }

// ask begins a round of questions, unless one is under way.
func (m *Machine) ask(now time.Duration) {
	if !m.asking {
		m.asking, m.askedAt = true, now
		m.do(Ask{})
	}
}

// hear takes note of when mate was heard.
func (m *Machine) hear(t Tick) {
	m.heard = max(m.heard, t.Heard)
	m.since = max(m.since, t.Arrived, t.Heard)
}

// become changes the role. What belonged to the old one is gone.
func (m *Machine) become(now time.Duration, r Role) {
	m.role, m.began, m.blocked = r, now, ""
	m.doubt, m.handing = evidence{}, false
	m.quiet = quiet{since: now}
}

// startOver looks for who serves. What is known of reigns stays known.
func (m *Machine) startOver(now time.Duration) {
	m.mate, m.up, m.pending = Member{}, false, proposal{}
	m.become(now, Starting)
	m.ask(now)
}
