package replication

import (
	"fmt"
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack/errno"
)

const (
	// spareAfter is how long a node that knows who serves tries to join before Start returns.
	spareAfter = time.Second

	// deafAfter is how long Start waits for a service network that cannot be heard.
	deafAfter = 3 * time.Second

	// takenAfter is how long it waits for a service address that a stranger answers for.
	takenAfter = 5 * time.Second
)

// errTaken is the error of a service address that somebody outside of the group uses.
var errTaken = fmt.Errorf("replication: another station answers for the service address, and no peer says that it is the active node: %w", errno.AddrInUse)

// errNoPeer is the error of a node that was not told where the others are.
var errNoPeer = fmt.Errorf("replication: another station answers for the service address: the active node of this group, which this one could join if that were among its Peers: %w", errno.AddrInUse)

// lookSettledLocked lets Start return when it is clear what this node is, or for how long it
// will not be. The node goes on looking.
func (g *Group) lookSettledLocked(e reign.Event) {
	if g.settled {
		return
	}
	m := g.machine
	if m.Role() != reign.Starting {
		g.settleLocked()
		return
	}
	now := g.now()
	switch e := e.(type) {
	case reign.Said:
		if e.Role != reign.Active || e.Reign != m.Record().Reign {
			return
		}
		g.stranger = 0
		if len(g.peers) == 0 {
			g.failed = errNoPeer
			g.settleLocked()
			return
		}
		if e.Link && e.Full || now > spareAfter {
			g.settleLocked() // a spare
		}
	case reign.Stranger:
		if g.stranger == 0 {
			g.stranger = now
		}
		if now-g.stranger > takenAfter {
			g.failed = errTaken
			g.settleLocked()
		}
	default:
		if now > deafAfter && g.stranger == 0 && m.Deaf() {
			g.notes.Warn("ftcp: waits before it serves", "why", m.Why())
			g.settleLocked()
		}
	}
}
