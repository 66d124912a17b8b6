package mirror

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/replication/digest"
	"github.com/ftcp-project/ftcp/replication/notes"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
)

// Config configures a Mirror. All fields are needed.
type Config struct {
	Self   reign.Member
	Stack  *stack.Stack
	Digest *digest.Key // of outputs
	Notes  *notes.Notes

	Start     time.Time     // when this node's clock began
	Heartbeat time.Duration // between two signs of life on a link
	Silence   time.Duration // how long the other end may be silent before that means something
	MaxLag    time.Duration // how long a connection may wait for the standby's handler
	History   int           // bytes of input that a connection keeps for a standby to come; negative: none
	NoWake    bool          // leaves out the ICMP messages that make peers re-send at once after a takeover

	ReceiveBuffer, SendBuffer int64 // of connections, to be compared with the other node's

	// Post hands an event to whoever decides who serves. It must not wait.
	Post func(reign.Event)
}

// Mirror keeps the connections of one node in the memory of another, on either side. It decides
// nothing of who serves: it is told by its methods, which are called one at a time, and tells by
// events. The stack's news reach it by its Observer.
type Mirror struct {
	cfg    Config
	stack  *stack.Stack
	digest *digest.Key
	notes  *notes.Notes
	post   func(reign.Event)

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// leader and follower are what the stack's news go to: at most one of them is set.
	leader   atomic.Pointer[leader]
	follower atomic.Pointer[follower]

	// sureUntil is until when, on this node's clock in microseconds, no standby can have taken
	// over. See Sure.
	sureUntil atomic.Int64

	history  atomic.Int64 // bytes that are kept for standbys to come, in total
	released atomic.Uint64
}

// alwaysSure is sureUntil of a node without a standby.
const alwaysSure = 1<<63 - 1

// totalHistory is how many bytes the histories of all connections may have together, unless that
// of one may have more.
const totalHistory = 64 << 20

// now is this node's clock for package reign: the time since it began.
func (g *Mirror) now() time.Duration { return time.Since(g.cfg.Start) }

// clock is the same in microseconds, as it stands on the link.
func (g *Mirror) clock() int64 { return g.now().Microseconds() }

// Sure says that no other node can have taken over: there is no standby, or it has heard us so
// recently that it still waits. Only with that certainty are answers given that no standby
// knows of.
func (g *Mirror) Sure() bool { return g.clock() < g.sureUntil.Load() }

// kick puts a token into a channel that holds one.
func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
