package replication

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ftcp-project/ftcp/replication/digest"
	"github.com/ftcp-project/ftcp/replication/mirror"
	"github.com/ftcp-project/ftcp/replication/notes"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
)

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
	log := notes.New(cfg.Logger.With("group", cfg.Group, "node", name))
	g := &Group{
		cfg: cfg, stack: s, self: self, start: time.Now(),
		key: cfg.Keys.Presence(), notes: log,
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
	g.mirror = mirror.New(mirror.Config{
		Self: self, Stack: s, Digest: digest.NewKey(&secret), Notes: log, Start: g.start, Post: g.post,
		Heartbeat: cfg.Heartbeat, Silence: cfg.silence(), MaxLag: cfg.MaxLag, History: cfg.History, NoWake: cfg.NoWake,
		ReceiveBuffer: cfg.ReceiveBuffer, SendBuffer: cfg.SendBuffer,
	})
	s.Observe(g.mirror.Observer(), g.mirror.Sure)
	s.OnPresence(g.inputPresence)
	return g
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

// run steps the machine until the group ends.
func (g *Group) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var due time.Time // when to tick; what happens meanwhile does not put it off
	for {
		select {
		case <-g.events.wake:
		case <-timer.C:
			due = time.Time{}
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
			if next := time.Now().Add(g.step(e)); due.IsZero() || next.Before(due) {
				due = next
				timer.Reset(time.Until(due))
			}
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
		g.notes.Info("ftcp: role", "role", after.String(), "lineage", lineageName(known.Reign.Lineage), "epoch", known.Reign.Epoch)
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

// tick is a Tick with what is known now.
func (g *Group) tick() reign.Event {
	t := g.mirror.Heard()
	t.Mine = g.port()
	g.listen(t.Mine)
	return t
}
