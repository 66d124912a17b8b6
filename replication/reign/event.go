package reign

import "time"

// Event is something that a node has learnt.
type Event interface{ event() }

type (
	// Tick lets time pass. Arrived is when the other end of the link was heard last, which says that
	// it lives. Heard is when it had sent that, which bounds what it has decided since: what was
	// delayed on its way is as old as it is. An Arrived before Heard means Heard.
	Tick struct {
		Arrived      time.Duration
		Heard        time.Duration
		Mine, Theirs Port
	}

	// Said is an authenticated statement of another node about itself. It was made after Asked, when
	// this node had asked for it; negative: unasked, and of unknown age. What only grows, an epoch,
	// is heeded at any age.
	Said struct {
		Statement
		Asked time.Duration
		Link  bool // over a link, which Follow can use; else on the service network
	}

	// RoundOver ends the round of questions that Ask began.
	RoundOver struct {
		Heard    bool     // the service network was heard in the round
		Refused  []uint64 // incarnations at whose place the link's port refuses: no process listens there
		AllGone  bool     // every peer's port refuses
		Replaced []uint64 // incarnations at whose place another one has answered
	}

	// Stranger says that the service address was claimed by who has not proved to be of the group.
	Stranger struct{}

	// Linked says that another node has a link to this one, which is active, and wants to join.
	Linked struct{ Peer Member }

	// Closed says that the link to that node has ended, the one that is in use. Nothing is said of
	// one that this node has left before: the node at its other end may have another one by then.
	Closed struct {
		Peer uint64
		How  Closing
	}

	// Caught says that the node on the link has all connections, and all marks heed it.
	Caught struct{ Peer uint64 }

	// Admitted says that this node, which is joining, is a member of the set of that record.
	Admitted struct{ Record Record }

	// Bye says that the other end of the link leaves on purpose: an active node that is silent now,
	// or a standby.
	Bye struct{ Peer uint64 }

	// Verdict is the word of the node that has the say over two lineages: this node's has lost
	// against the one of the reign.
	Verdict struct{ Reign Reign }

	// Want is the operator's word.
	Want struct{ What Wish }

	// Swapped is what became of the latest Swap or Load. Known is false if there was no answer: a
	// swap may still land. Current is the record as it is, if that is known.
	Swapped struct {
		Known   bool
		Current Record
	}
)

// Port is the state of a node's port to the service network.
type Port struct {
	Carrier bool          // as far as is known
	Heard   time.Duration // when another station was heard last; negative: never
	Known   bool          // anything is known at all
}

// Statement is what a node says of itself.
type Statement struct {
	From    Member
	Role    Role
	Reign   Reign
	Reigned time.Duration // for how long it has been active
	Full    bool          // it is active, and takes no standby now
	Deaf    bool          // it is starting and does not hear the service network: it does not go first
}

// Closing is how a link ended.
type Closing uint8

const (
	ByKernel Closing = iota + 1 // by the other's kernel: as for a process that has died
	BySilence
	ByOther // it lives, and has closed the link; or has broken the protocol
)

// Wish is what an operator asks for.
type Wish uint8

const (
	HandOver Wish = iota + 1 // the standby is to serve
	Begin                    // a new lineage, whatever was before
)

func (Tick) event()      {}
func (Said) event()      {}
func (RoundOver) event() {}
func (Stranger) event()  {}
func (Linked) event()    {}
func (Closed) event()    {}
func (Caught) event()    {}
func (Admitted) event()  {}
func (Bye) event()       {}
func (Verdict) event()   {}
func (Want) event()      {}
func (Swapped) event()   {}

// Action is something for the shell to do, at once and in order.
type Action interface{ action() }

type (
	// Ask begins a round of questions: all peers at the same time, over links and on the service
	// network. It ends with RoundOver. There is one at a time.
	Ask struct{}

	// Follow makes this node join that one, over the link of its statement. It ends with Admitted
	// or Closed.
	Follow struct{ Peer Member }

	// Lead makes the node that is Linked a standby to be: the marks of all connections heed it,
	// one after the other. It ends with Caught or Closed.
	Lead struct{ Peer Member }

	// Refuse closes the link of the node that is Linked.
	Refuse struct{ Peer Member }

	// Admit tells the node on the link that it is a member of the set of that record.
	Admit struct{ Record Record }

	// Serve makes this node answer for the service address, from nothing.
	Serve struct{ Reign Reign }

	// TakeOver makes this node go on with the connections of the one before. It confirms nothing
	// more first.
	TakeOver struct {
		Reign Reign
		Why   string
	}

	// GoAlone lifts the marks that heed that node, which cannot take over any more.
	GoAlone struct {
		Peer uint64
		Why  string
	}

	// Drop forgets the replicas and closes the link.
	Drop struct{ Why string }

	// Fence forgets the connections, without a word to their peers: another reign has them.
	Fence struct {
		Reign Reign
		Why   string
	}

	// Suspend silences this node, Resume undoes that. The connections stay.
	Suspend struct{ Why string }
	Resume  struct{ Why string }

	// Release silences this node and says Bye, behind all that the log has to say.
	Release struct{ Why string }

	// Pronounce tells that node that its lineage has lost against this node's.
	Pronounce struct{ To uint64 }

	// Swap asks the arbiter to put New in Old's place. It ends with Swapped.
	Swap struct{ Old, New Record }

	// Load asks the arbiter for the record. It ends with Swapped.
	Load struct{}
)

func (Ask) action()       {}
func (Follow) action()    {}
func (Lead) action()      {}
func (Refuse) action()    {}
func (Admit) action()     {}
func (Serve) action()     {}
func (TakeOver) action()  {}
func (GoAlone) action()   {}
func (Drop) action()      {}
func (Fence) action()     {}
func (Suspend) action()   {}
func (Resume) action()    {}
func (Release) action()   {}
func (Pronounce) action() {}
func (Swap) action()      {}
func (Load) action()      {}
