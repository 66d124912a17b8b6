package replication

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/replication/digest"
	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
)

// Group is this node's part in its group: the shell around package reign. One goroutine steps
// the machine and carries out its actions; see act.go. Its methods may be called at the same time.
type Group struct {
	cfg    Config
	stack  *stack.Stack
	self   reign.Member
	start  time.Time
	digest *digest.Key
	key    [32]byte // of presence messages
	notes  *notes   // the log

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

	// leader and follower are what the stack's news go to: at most one of them is set.
	leader   atomic.Pointer[leader]
	follower atomic.Pointer[follower]

	// sureUntil is until when, on this node's clock in microseconds, no standby can have taken
	// over: rule of answers without state. See sure.
	sureUntil atomic.Int64

	history  atomic.Int64 // bytes that are kept for standbys to come, in total
	released atomic.Uint64

	mu       sync.Mutex
	machine  *reign.Machine
	settled  bool          // ready is closed
	failed   error         // why starting failed
	stranger time.Duration // since when only a stranger answers for the service address; 0: none does
	changed  chan struct{} // closed, and made anew, when role or reign change

	started atomic.Bool
}

// alwaysSure is sureUntil of a node without a standby.
const alwaysSure = 1<<63 - 1

// New returns a Group for a stack that no link has been added to yet. It silences the stack until
// Start has found out this node's role.
func New(cfg Config, s *stack.Stack) *Group {
	cfg.setDefaults()
	var id [8]byte
	rand.Read(id[:])
	self := reign.Member{Slot: cfg.slot(), Incarnation: binary.BigEndian.Uint64(id[:]) | 1}
	name := hex.EncodeToString(id[:4])
	if self.Slot == "" {
		self.Slot = "process " + hex.EncodeToString(id[:])
	}
	secret := cfg.Keys.Digest()
	g := &Group{
		cfg: cfg, stack: s, self: self, start: time.Now(),
		digest: digest.NewKey(&secret), key: cfg.Keys.Presence(),
		notes: newNotes(cfg.Logger.With("group", cfg.Group, "node", name)),
		ready: make(chan struct{}), changed: make(chan struct{}),
	}
	g.events.init()
	g.machine = reign.New(&reign.Config{
		Self: self, Silence: cfg.silence(), Round: roundTime, ClaimAfter: cfg.ClaimAfter,
		Arbitrated: cfg.Arbiter != nil,
		Lineage:    newLineage,
	}, 0)
	for _, address := range cfg.Peers {
		g.peers = append(g.peers, &peer{address: address})
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	s.Silence()
	s.Observe(observer{g}, g.sure)
	s.OnPresence(g.inputPresence)
	return g
}

// roundTime is how long a round of questions takes: an answer on the service network needs less.
const roundTime = 25 * time.Millisecond

func newLineage() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) | 1
}

// Start joins the group, and returns when it is clear who serves.
// The stack must have its first link.
func (g *Group) Start(ctx context.Context) error {
	l, err := g.cfg.Transport.Listen(ctx, g.cfg.Bind)
	if err != nil {
		return fmt.Errorf("replication: %w", err)
	}
	g.listener = l
	g.started.Store(true)
	g.door.Refused = g.refusedLink
	g.wg.Go(func() { g.door.Serve(l, g.cfg.Keys, g.hello, g.welcome) })
	g.wg.Go(g.run)
	g.wg.Go(g.beacon)
	select {
	case <-g.ready:
	case <-ctx.Done():
		g.fail(ctx.Err())
	}
	g.mu.Lock()
	err = g.failed
	g.mu.Unlock()
	if err != nil {
		g.stop()
	}
	return err
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

// clock is the same in microseconds, as it stands on the link.
func (g *Group) clock() int64 { return g.now().Microseconds() }

// sure says that no other node can have taken over: there is no standby, or it
// has heard us so recently that it still waits.
func (g *Group) sure() bool { return g.clock() < g.sureUntil.Load() }

// event is an event for the machine, with the link that belongs to it.
type event struct {
	reign.Event
	link  *peerlink.Link // of a statement, or of a node that is Linked; it is closed unless an action uses it
	hello *helloOf       // of the same
	done  chan struct{}  // closed when the machine has taken note of it; nil: nobody waits
}

// post hands an event to the goroutine that steps the machine. It never waits.
func (g *Group) post(e reign.Event) { g.events.push(event{Event: e}) }

// run steps the machine until the group ends.
func (g *Group) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-g.events.wake:
		case <-timer.C:
			g.events.push(event{Event: g.tick()})
		case <-g.ctx.Done():
			g.events.close()
			return
		}
		for {
			e, ok := g.events.pop()
			if !ok {
				break
			}
			timer.Reset(g.step(e))
		}
	}
}

// step lets the machine take note of an event, and carries out what follows. It returns when to
// tick.
func (g *Group) step(e event) (wait time.Duration) {
	now := g.now()
	g.mu.Lock()
	role, record, handing := g.machine.Role(), g.machine.Record(), g.machine.Handing()
	actions, next := g.machine.Step(now, e.Event)
	after, known, still := g.machine.Role(), g.machine.Record(), g.machine.Handing()
	g.mu.Unlock()
	link := e.link
	for _, a := range actions {
		if g.act(a, e) {
			link = nil
		}
	}
	if link != nil {
		link.Close()
	}
	changed := after != role || known.Reign != record.Reign
	heard := known.Active != record.Active || handing && !still // who serves
	if changed {
		g.notes.info("ftcp: role", "role", after.String(), "lineage", lineageName(known.Reign.Lineage), "epoch", known.Reign.Epoch)
	}
	g.mu.Lock()
	g.lookSettledLocked(e.Event)
	if changed || heard {
		close(g.changed)
		g.changed = make(chan struct{})
	}
	g.mu.Unlock()
	if e.done != nil {
		close(e.done)
	}
	return max(next-g.now(), 0)
}

func lineageName(l uint64) string { return fmt.Sprintf("%08x", l>>32) }

// tick is a Tick with what is known now.
func (g *Group) tick() reign.Event {
	t := reign.Tick{Mine: g.port()}
	g.listen(t.Mine)
	if f := g.follower.Load(); f != nil {
		t.Heard, t.Arrived = f.heardAt()
	} else if l := g.leader.Load(); l != nil {
		t.Heard, t.Theirs = l.heardAt(), l.port()
	}
	return t
}

// queue holds events for the goroutine that steps the machine.
type queue struct {
	wake chan struct{} // there is something; holds one

	mu     sync.Mutex
	events []event
	closed bool
}

func (q *queue) init() { q.wake = make(chan struct{}, 1) }

func (q *queue) push(e event) {
	q.mu.Lock()
	closed := q.closed
	if !closed {
		q.events = append(q.events, e)
	}
	q.mu.Unlock()
	if closed && e.link != nil {
		e.link.Close()
	}
	kick(q.wake)
}

func (q *queue) pop() (event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return event{}, false
	}
	e := q.events[0]
	q.events[0] = event{}
	if q.events = q.events[1:]; len(q.events) == 0 {
		q.events = nil
	}
	return e, true
}

// close ends the queue. Links that nobody will look at are closed.
func (q *queue) close() {
	q.mu.Lock()
	events := q.events
	q.events, q.closed = nil, true
	q.mu.Unlock()
	for _, e := range events {
		if e.link != nil {
			e.link.Close()
		}
	}
}

// kick puts a token into a channel that holds one.
func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
