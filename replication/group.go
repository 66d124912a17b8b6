package replication

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// Config configures a Group.
type Config struct {
	Group     string    // name
	Keys      *Keys     // of the group
	Bind      string    // address on which other nodes reach this one
	Peers     []string  // the other nodes; this one may be among them
	Transport Transport // nil: TCP

	// Heartbeat is the time between two signs of life, and Misses how many of them may be
	// missed. Zero: DefaultHeartbeat and DefaultMisses.
	Heartbeat time.Duration
	Misses    int

	// MaxLag is how long a connection may wait for the standby's handler before it goes on
	// unprotected. Zero: DefaultMaxLag.
	MaxLag time.Duration

	// History is how many bytes of its input a connection keeps for a standby that
	// comes later. Zero: DefaultHistory; negative: none.
	History int

	// NoWake leaves out the ICMP messages that make peers re-send at once after a takeover.
	NoWake bool

	Logger *slog.Logger // nil: slog.Default
}

// Defaults: a machine that stops is noticed in less than 200 ms, so that the
// peers' first retransmissions find the new node.
const (
	DefaultHeartbeat = 50 * time.Millisecond
	DefaultMisses    = 3
	DefaultMaxLag    = 5 * time.Second
	DefaultHistory   = 256 << 10
)

// ErrFenced is the error of connections on a node that another one has replaced.
var ErrFenced = errors.New("replication: another node has taken over")

// ErrUnprotected is the error of replicas that did not know enough of their connection when
// the active node died.
var ErrUnprotected = errors.New("replication: the connection was not protected when its node died")

// Group is this node's part in its group. Its methods may be called at the same time.
type Group struct {
	cfg   Config
	stack *stack.Stack
	log   *slog.Logger
	id    string // random; names this process and breaks ties
	start time.Time

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	ready  chan struct{} // closed when it is clear who serves, or starting has failed

	listener net.Listener

	// session and follower are what the stack's news go to: at most one of them is set.
	session  atomic.Pointer[session]
	follower atomic.Pointer[follower]

	// sureUntil is until when, on this node's clock, no standby can have taken over.
	sureUntil atomic.Int64

	mu      sync.Mutex
	role    replpb.Role
	spare   bool // starting, and another node is active and has a standby
	epoch   uint64
	rivals  map[string]time.Time // nodes that are starting too, and when they were heard
	failed  error                // why starting failed
	changed chan struct{}        // closed, and made anew, when role or epoch change

	started  atomic.Bool
	closing  atomic.Bool
	released atomic.Uint64 // connections that lost their protection
}

// alwaysSure is sureUntil of a node without a standby.
const alwaysSure = 1<<63 - 1

// New returns a Group for a stack that no link has been added to yet. It silences the stack until
// Start has found out this node's role.
func New(cfg Config, s *stack.Stack) *Group {
	if cfg.Transport == nil {
		cfg.Transport = tcpTransport{}
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = DefaultHeartbeat
	}
	if cfg.Misses == 0 {
		cfg.Misses = DefaultMisses
	}
	if cfg.MaxLag == 0 {
		cfg.MaxLag = DefaultMaxLag
	}
	if cfg.History == 0 {
		cfg.History = DefaultHistory
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	id := make([]byte, 8)
	rand.Read(id)
	g := &Group{
		cfg: cfg, stack: s, id: hex.EncodeToString(id), start: time.Now(),
		ready: make(chan struct{}), changed: make(chan struct{}),
		role: replpb.Role_ROLE_STARTING, rivals: map[string]time.Time{},
	}
	g.log = cfg.Logger.With("group", cfg.Group, "node", g.id[:8])
	g.ctx, g.cancel = context.WithCancel(context.Background())
	s.Silence()
	s.Observe(g, g.sure)
	return g
}

// Start joins the group, and returns when this node serves or is being brought up to date.
// The stack must have its first link.
func (g *Group) Start(ctx context.Context) error {
	l, err := g.cfg.Transport.Listen(ctx, g.cfg.Bind)
	if err != nil {
		return fmt.Errorf("replication: %w", err)
	}
	g.listener = l
	g.started.Store(true)
	g.wg.Go(g.accept)
	g.wg.Go(g.run)
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

// fail ends the search for a role.
func (g *Group) fail(err error) {
	g.mu.Lock()
	if g.failed == nil {
		g.failed = err
	}
	g.mu.Unlock()
	g.cancel()
}

// silence is how long the other side may be silent before it counts as dead.
func (g *Group) silence() time.Duration { return g.cfg.Heartbeat * time.Duration(g.cfg.Misses) }

// probeWait is how long an answer to a probe for the service address may take.
const probeWait = 25 * time.Millisecond

// clock is this node's clock: microseconds since it began.
func (g *Group) clock() int64 { return time.Since(g.start).Microseconds() }

// sure says that no other node can have taken over: there is no standby, or it
// has heard us so recently that it still waits.
func (g *Group) sure() bool { return g.clock() < g.sureUntil.Load() }

// setRole changes the role and tells those who wait for it.
func (g *Group) setRole(role replpb.Role, epoch uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.setRoleLocked(role, epoch)
}

func (g *Group) setRoleLocked(role replpb.Role, epoch uint64) {
	if role != g.role || epoch != g.epoch {
		g.log.Info("ftcp: role", "role", RoleName(role), "epoch", epoch)
	}
	g.role, g.epoch, g.spare = role, max(g.epoch, epoch), false
	close(g.changed)
	g.changed = make(chan struct{})
	if role == replpb.Role_ROLE_ACTIVE || role == replpb.Role_ROLE_JOINING {
		g.settleLocked()
	}
}

// setSpare takes note that another node is active and has a standby. This one
// waits for a place.
func (g *Group) setSpare(epoch uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.spare {
		g.setRoleLocked(g.role, epoch)
		g.spare = true
		g.settleLocked()
	}
}

// settleLocked lets Start return: it is clear who serves.
func (g *Group) settleLocked() {
	select {
	case <-g.ready:
	default:
		close(g.ready)
	}
}

func (g *Group) state() (role replpb.Role, epoch uint64, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.role, g.epoch, g.changed
}

func (g *Group) isSpare() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.spare
}

// RoleName is a role in one word.
func RoleName(r replpb.Role) string {
	switch r {
	case replpb.Role_ROLE_STARTING:
		return "starting"
	case replpb.Role_ROLE_JOINING:
		return "joining"
	case replpb.Role_ROLE_STANDBY:
		return "standby"
	case replpb.Role_ROLE_ACTIVE:
		return "active"
	case replpb.Role_ROLE_FENCED:
		return "fenced"
	}
	return "unknown"
}

// run plays the roles, one after the other.
func (g *Group) run() {
	for g.ctx.Err() == nil && !g.closing.Load() {
		l, err := g.findRole()
		switch {
		case err != nil:
			g.mu.Lock()
			if g.failed == nil {
				g.failed = err
			}
			g.settleLocked()
			g.mu.Unlock()
			return
		case l != nil:
			if !g.follow(l) {
				continue
			}
			fallthrough
		default:
			g.serve()
		}
	}
}

// serve is the active node's part: sessions come by accept. It returns when the node is fenced or closed.
func (g *Group) serve() {
	look := time.NewTicker(rivalEvery)
	defer look.Stop()
	for {
		role, _, changed := g.state()
		if role != replpb.Role_ROLE_ACTIVE && role != replpb.Role_ROLE_FENCED {
			return
		}
		select {
		case <-changed:
		case <-look.C:
			if g.session.Load() == nil {
				g.lookForRival()
			}
		case <-g.ctx.Done():
			return
		}
	}
}

// rivalEvery is how often an active node without a standby looks for another active one.
const rivalEvery = time.Second

// lookForRival asks the peers whether one of them is active too. That should not be, see the package's
// documentation; but if it is, it shall not remain so. The higher epoch stays.
func (g *Group) lookForRival() {
	for _, peer := range g.cfg.Peers {
		ctx, cancel := context.WithTimeout(g.ctx, askTimeout)
		a := g.askPeer(ctx, peer)
		cancel()
		if a.err != nil {
			continue
		}
		a.link.close()
		if g.outrankedBy(a.hello) {
			g.fence(a.hello.Epoch)
		}
	}
}

// outrankedBy says whether this node, if it is active, has to yield: to another active one, or because
// there has been a later reign, of whomever.
func (g *Group) outrankedBy(other *replpb.Hello) bool {
	epoch := g.knownEpoch()
	return other.Epoch > epoch ||
		other.Epoch == epoch && other.Role == replpb.Role_ROLE_ACTIVE && other.Node < g.id
}

// fence ends this node's reign: another one has the given epoch.
func (g *Group) fence(epoch uint64) {
	g.mu.Lock()
	if g.role != replpb.Role_ROLE_ACTIVE {
		g.mu.Unlock()
		return
	}
	g.setRoleLocked(replpb.Role_ROLE_FENCED, epoch)
	g.mu.Unlock()
	g.log.Warn("ftcp: fenced: another node serves", "epoch", epoch)
	g.stack.Deactivate(ErrFenced)
	if s := g.session.Swap(nil); s != nil {
		s.link.close()
	}
	g.setRole(replpb.Role_ROLE_STARTING, epoch)
}

// Opened implements stack.Observer.
func (g *Group) Opened(c *stack.Conn, core *tcp.Core) {
	if g.cfg.History > 0 {
		core.Retain(1)
	}
	if s := g.session.Load(); s != nil {
		s.opened(c, core)
	}
}

// News implements stack.Observer.
func (g *Group) News(c *stack.Conn, core *tcp.Core) {
	if s := g.session.Load(); s != nil {
		s.news(c, core)
	} else if f := g.follower.Load(); f != nil {
		f.news(c, core)
	} else {
		g.boundHistory(core)
	}
}

// boundHistory forgets the input that is kept for a standby to come, if it has become too much.
func (g *Group) boundHistory(core *tcp.Core) {
	if g.cfg.History > 0 && core.Retained() > g.cfg.History {
		core.Retain(tcp.Unlimited)
	}
}

// stop ends everything but the stack.
func (g *Group) stop() {
	g.cancel()
	if g.listener != nil {
		g.listener.Close()
	}
	if s := g.session.Load(); s != nil {
		s.link.close()
	}
	if f := g.follower.Load(); f != nil {
		f.link.close()
	}
	g.wg.Wait()
}

// Close leaves the group. If this node is active and has a standby, that one takes over. The
// stack is silent afterwards, but not closed.
func (g *Group) Close() {
	g.closing.Store(true)
	if s := g.session.Load(); s != nil {
		s.goodbye()
	} else if f := g.follower.Load(); f != nil {
		f.goodbye()
	}
	g.stop()
}

// ErrNoStandby is the error of a handover when no standby is in sync.
var ErrNoStandby = errors.New("replication: no standby is in sync")

// Handover makes the standby the active node and this one its standby. It returns when this
// node has joined the other, or a third one has.
func (g *Group) Handover(ctx context.Context) error {
	s := g.session.Load()
	if s == nil || !s.goodbye() {
		return ErrNoStandby
	}
	for {
		role, _, changed := g.state()
		if role == replpb.Role_ROLE_JOINING || role == replpb.Role_ROLE_STANDBY || g.isSpare() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-g.ctx.Done():
			return net.ErrClosed
		}
	}
}

// Status describes a node.
type Status struct {
	Role    string // "starting", "joining", "standby", "active" or "fenced"
	Epoch   uint64
	Standby string // the standby's address; empty if there is none, or this node is not active
	InSync  bool   // the standby can take over; on a standby: this node can

	// Lag is how much input the standby has not confirmed yet, in bytes.
	Lag int64

	// Connections that exist, and how many of them the standby could go on with.
	Conns, Protected int

	// Released is how many connections have lost their protection since this node
	// began, because their handlers diverged or lagged or their history was gone.
	Released uint64
}

// Status returns the node's status.
func (g *Group) Status() Status {
	role, epoch, _ := g.state()
	st := Status{Role: RoleName(role), Epoch: epoch, Released: g.released.Load()}
	for _, c := range g.stack.Conns() {
		st.Conns++
		if c.Protected.Load() {
			st.Protected++
		}
	}
	if s := g.session.Load(); s != nil {
		st.Standby = s.link.remoteAddr().String()
		st.InSync, st.Lag = s.status()
	}
	if f := g.follower.Load(); f != nil {
		f.mu.Lock()
		st.InSync = f.inSync.Load() && !f.stopped
		f.mu.Unlock()
	}
	return st
}

// Changed returns a channel that is closed at the next change of role or epoch.
func (g *Group) Changed() <-chan struct{} {
	_, _, changed := g.state()
	return changed
}
