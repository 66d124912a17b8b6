package reign

import (
	"fmt"
	"slices"
	"time"
)

// A world is a group of real Machines in a simulated shell: the rest of the replication, the two
// networks and the arbiter, as far as they matter to who serves. Time goes in steps of half a
// round. A world is a value but for what clone copies, so that an exploration can go back.
//
// world_test.go has what there is, network_test.go how it is told, shell_test.go what nodes do,
// and clients_test.go what clients see of it, and what must never happen.

const (
	round = 25 * time.Millisecond
	step  = round / 2

	beaconEvery = time.Second
)

// maxNodes bounds a world.
const maxNodes = 3

// life is what there is of a node's process.
type life uint8

const (
	down   life = iota // its host is off: nothing answers
	dead               // there is none, and its host's kernel refuses links
	paused             // it stands still, and what it is sent waits
	runs
)

// node is a place in the group, and the process there.
type node struct {
	life   life
	m      Machine
	cfg    Config
	silent bool // its stack says nothing
	deaf   bool // its port to the service network is dead
	born   time.Duration
	lives  uint64 // how many processes there have been

	peers  [maxNodes]peer
	round  asked
	heard  time.Duration // when the service network was heard last
	askers uint8         // who has asked and has had no verdict since
	inbox  []mail
	later  []mail // answers of the arbiter: for the next step
	lead   int    // the link over which it leads, or 0
	follow int    // the link that it follows, or 0

	data  uint64        // the lineage whose connections it has, or 0
	fresh bool          // they are as clients have seen them last
	died  time.Duration // when the process before it ended,
	held  uint64        // and whose newest connections that one had
	hasty bool          // it has woken, and looks at its clock before it looks at its mail
}

// peer is what a node knows of another place.
type peer struct {
	asking  bool // a dial is under way,
	began   time.Duration
	asked   time.Duration // when the one began whose result this is
	refused bool
	at      uint64 // who has answered there last,
	before  uint64 // and who before
}

// asked is a round of questions.
type asked struct {
	on    bool
	again bool // the second query is due
	began time.Duration
}

// link is a TCP connection from a node that was Starting (end 1) to another (end 0).
type link struct {
	id     int
	node   [2]int
	inc    [2]uint64
	open   [2]bool
	used   [2]bool          // by Lead, by Follow
	ended  [2]Closing       // what that end is still to be told
	heard  [2]time.Duration // the other one, by the time of its sending
	queue  [2][]Event       // under way to that end
	replay int              // steps until the follower has all connections
}

// network is one of the two. What is cut is one direction: from a node to another.
type network [maxNodes][maxNodes]bool

func (n *network) set(a, b int, cut bool) { n[a][b], n[b][a] = cut, cut }

type world struct {
	now      time.Duration
	silence  time.Duration
	claim    time.Duration // ClaimAfter
	patience time.Duration // of a dial
	beacons  bool          // unasked statements are made; otherwise all of them are lost
	n        int
	node     [maxNodes]node
	links    []link
	linkID   int
	sent     int // mail so far
	service  network
	linking  network
	lineages uint64
	arbiter  *arbiter
	changed  time.Duration // the latest change of the networks or processes

	kills  int          // by an exploration
	lost   uint64       // lineages that have yielded to others, a bit each
	broken string       // an invariant that does not hold
	note   func(string) // of a transcript
	told   string       // what was refused last
	order  schedule     // of this step
	seen   seen         // for programs of faults: not part of the state
}

// seen counts what an exploration has met, to know that it is not empty.
type seen [Suspended + 1]bool

// newWorld returns n nodes none of which has been started.
func newWorld(n int, silence, claim time.Duration) *world {
	w := &world{
		now: time.Second, n: n, silence: silence, claim: claim, patience: 500 * time.Millisecond,
	}
	for i := range w.node {
		w.node[i].life = dead
	}
	return w
}

// clone returns an independent copy.
func (w *world) clone() *world {
	c := new(world)
	*c = *w
	for i := range c.n {
		n := &c.node[i]
		n.inbox, n.later = slices.Clone(n.inbox), slices.Clone(n.later)
		c.adopt(n)
	}
	c.links = slices.Clone(w.links)
	for i := range c.links {
		l := &c.links[i]
		l.queue[0], l.queue[1] = slices.Clone(l.queue[0]), slices.Clone(l.queue[1])
	}
	if w.arbiter != nil {
		a := *w.arbiter
		a.late = slices.Clone(a.late)
		c.arbiter = &a
	}
	return c
}

// adopt makes a node's machine use this world's names.
func (w *world) adopt(n *node) {
	n.m.cfg = &n.cfg
	n.cfg.Lineage = w.lineage
}

func (w *world) lineage() uint64 {
	w.lineages++
	return w.lineages
}

func (w *world) fail(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

func (w *world) tell(format string, args ...any) {
	if w.note != nil {
		w.note(fmt.Sprintf(format, args...))
	}
}

// start starts a process at a place.
func (w *world) start(i int) {
	n := &w.node[i]
	n.lives++
	*n = node{
		life: runs, deaf: n.deaf, lives: n.lives, born: w.now, silent: true, heard: -1,
		died: n.died, held: n.held,
	}
	n.cfg = Config{
		Self:    Member{string(rune('a' + i)), uint64(i+1)*100 + n.lives},
		Silence: w.silence, Round: round, ClaimAfter: w.claim, Arbitrated: w.arbiter != nil,
	}
	n.m = *New(&n.cfg, w.now)
	w.adopt(n)
	w.changed = w.now
	// Its kernel knows nothing of the links of a process whose host was off.
	for j := range w.links {
		l := &w.links[j]
		for e, at := range l.node {
			if at == i && !l.open[e] && l.open[1-e] && l.ended[1-e] == 0 {
				l.ended[1-e] = ByKernel
			}
		}
	}
}

// kill ends a process. With off its host ends, too, and says nothing to anybody.
func (w *world) kill(i int, off bool) {
	n := &w.node[i]
	for j := range w.links {
		l := &w.links[j]
		for e, at := range l.node {
			if at != i || l.inc[e] != n.cfg.Self.Incarnation {
				continue
			}
			how := ByKernel
			if off && !l.open[e] {
				l.ended[1-e] = 0
			}
			if off {
				how, l.queue[1-e] = 0, nil // nobody sends it again
			}
			l.shut(e, how)
		}
	}
	held := n.data
	if !n.fresh {
		held = 0
	}
	*n = node{life: dead, deaf: n.deaf, lives: n.lives, died: w.now, held: held}
	if off {
		n.life = down
	}
	w.changed = w.now
}

func (w *world) pause(i int) { w.node[i].life, w.changed = paused, w.now }
func (w *world) unpause(i int, hasty bool) {
	n := &w.node[i]
	n.life, n.hasty, w.changed = runs, hasty, w.now
	w.serve(i) // what it was about to say
}

// alive says that there is a process, which may stand still.
func (n *node) alive() bool { return n.life >= paused }

// speaks says that a node answers clients.
func (n *node) speaks() bool { return n.life == runs && n.m.role == Active && !n.silent && !n.deaf }

func (w *world) name(inc uint64) string {
	s := string(rune('a' + inc/100 - 1))
	if k := inc % 100; k > 1 {
		s += fmt.Sprint(k)
	}
	return s
}
