package replication

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/replication/mirror"
	"github.com/ftcp-project/ftcp/replication/notes"
	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
)

// Group is this node's part in its group: the shell around package reign. One goroutine steps
// the machine and carries out its actions; see act.go. Its methods may be called at the same time.
type Group struct {
	cfg   Config
	stack *stack.Stack
	self  reign.Member
	start time.Time
	key   [32]byte     // of presence messages
	notes *notes.Notes // the log

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	events queue
	ready  chan struct{} // closed when it is clear who serves, or starting has failed

	listener net.Listener
	door     peerlink.Door
	peers    []*peer
	asked    questions
	listened time.Duration // when the service network was last asked for a sign; used by run only

	mirror *mirror.Mirror // the connections on both nodes

	mu       sync.Mutex
	machine  *reign.Machine
	settled  bool          // ready is closed
	failed   error         // why starting failed
	stranger time.Duration // since when only a stranger answers for the service address; 0: none does
	changed  chan struct{} // closed, and made anew, when role or reign change

	started atomic.Bool
}

// roundTime is how long a round of questions takes: an answer on the service network needs less.
const roundTime = 25 * time.Millisecond

func newLineage() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) | 1
}

// Started says whether Start has been called, and could listen for links.
func (g *Group) Started() bool { return g.started.Load() }

// fail ends the search for a role, unless it has ended.
func (g *Group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.settled {
		g.failed = err
		g.settleLocked()
	}
}

// settleLocked lets Start return.
func (g *Group) settleLocked() {
	if !g.settled {
		g.settled = true
		close(g.ready)
	}
}

// now is this node's clock for package reign: the time since it began.
func (g *Group) now() time.Duration { return time.Since(g.start) }

// post hands an event to the goroutine that steps the machine. It never waits.
func (g *Group) post(e reign.Event) { g.events.push(event{Event: e}) }

// lineageName is a lineage in a log line.
func lineageName(l uint64) string { return fmt.Sprintf("%08x", l>>32) }
