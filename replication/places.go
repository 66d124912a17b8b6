package replication

import (
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/wire"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// peer is a place at which another node may be reached, and what was found there last. It is
// guarded by Group.asked.mu.
type peer struct {
	address string
	asking  bool          // a call is under way
	asked   time.Duration // when the call began whose result this is
	refused bool          // the port refuses: no process listens there
	self    bool          // it is this node
	at      uint64        // the incarnation that has answered there last
	before  uint64        // the one before, if it was another
	err     error         // why the two cannot work together
}

// questions is what belongs to the rounds of questions.
type questions struct {
	mu      sync.Mutex
	nonces  [4]nonce // of the latest rounds
	round   int
	askers  map[uint64]asker // of whom a verdict may be due
	refusal map[string]bool  // incompatibilities that have been logged
}

// nonce is that of a round, and when it was asked.
type nonce struct {
	value uint64
	at    time.Duration
}

// found takes note of who is at a place.
func (p *peer) found(incarnation uint64) {
	if p.at != incarnation {
		p.before, p.at = p.at, incarnation
	}
	p.refused = false
}

// asker is a node that has asked on the service network: where it is, and its latest nonce.
type asker struct {
	link  *stack.Link
	mac   wire.MAC
	nonce uint64
}

// helloOf is what another node has said in its hello.
type helloOf struct {
	member   reign.Member
	role     reign.Role
	reign    reign.Reign
	reigned  time.Duration
	full     bool
	deaf     bool
	settings *replpb.Settings
}

func newHelloOf(h *replpb.Hello) *helloOf {
	return &helloOf{
		member: reign.Member{Slot: h.Member.GetSlot(), Incarnation: h.Member.GetIncarnation()},
		role:   reign.Role(h.Role), reigned: time.Duration(h.ReignedMs) * time.Millisecond,
		reign: reign.Reign{Lineage: h.Reign.GetLineage(), Epoch: h.Reign.GetEpoch()},
		full:  h.Full, deaf: h.Deaf, settings: h.Settings,
	}
}

func (h *helloOf) statement() reign.Statement {
	return reign.Statement{From: h.member, Role: h.role, Reign: h.reign, Reigned: h.reigned, Full: h.full, Deaf: h.deaf}
}
