package ftcptest_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// chaos is what happens to a cluster.
type chaos struct {
	*scenario
	*rand.Rand
	*tally

	history int           // of the nodes
	silence time.Duration // after which a node counts as dead
	dials   *peer         // of what the cluster dials; nil: it does not

	begun    atomic.Bool   // the cluster stands
	lineages sync.Map      // by name, that have reigned
	done     chan struct{} // closed: no client begins anything more
	running  sync.WaitGroup
	busy     atomic.Int32 // clients that are not between two transfers
	held     atomic.Bool  // no transfer may begin
}

// alive says that the cluster stands, and that a node's process has not been killed. What
// is left of one goes on to write its log.
func (x *chaos) alive(n *ftcp.Node) bool {
	if !x.begun.Load() {
		return false
	}
	for i := range x.Machines {
		if x.Machine(i).Node() == n {
			return true
		}
	}
	return false
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// enter begins a transfer, unless none may begin.
func (x *chaos) enter() bool {
	x.busy.Add(1)
	if x.held.Load() {
		x.busy.Add(-1)
		return false
	}
	return true
}

// hold waits until no client has a connection. None begins one before held is false
// again.
func (x *chaos) hold() {
	x.t.Helper()
	x.held.Store(true)
	x.within(6*time.Minute, "no transfers", func() bool { return x.busy.Load() == 0 })
}

func (x *chaos) note(format string, args ...any) {
	fmt.Fprintf(x.log, "%s ---- %s\n", time.Now().Format("15:04:05.000000"), fmt.Sprintf(format, args...))
}

// event counts an event of a kind, and notes it.
func (x *chaos) event(kind, format string, args ...any) {
	x.count(kind)
	x.note(kind+": "+format, args...)
}

func (x *chaos) upTo(d time.Duration) time.Duration { return time.Duration(x.Int64N(int64(d))) }

// pause lets up to d pass.
func (x *chaos) pause(d time.Duration) { time.Sleep(x.upTo(d)) }

func (x *chaos) half() bool { return x.IntN(2) == 0 }

// step lets something go wrong, and be mended after a while.
func (x *chaos) step() {
	x.safe()
	m := x.Active()
	if x.IntN(3) == 0 {
		m = x.Machine(x.IntN(x.Machines))
	}
	dangers[x.IntN(len(dangers))](x, m)
}

// dangers are what a step chooses from. They are told a machine, most often the active
// one, and begin when the loss of any one node would do no harm. At their end all is
// mended.
var dangers = []func(*chaos, *ftcptest.Machine){
	kill, kill, killBoth, killAndStart, killTheReplacement,
	startUnplugged, troubleSpare, unplug, unplugLinks, unplugService,
	breakLinks, breakService, filterLinks,
	pause, pauseBoth, pauseBothForLong,
	handOver, handOverEarly, handOverInUpload,
}

// revive puts a machine's cables back and starts its process, if it has none.
func (x *chaos) revive(m *ftcptest.Machine) {
	m.Plug()
	if m.Node() == nil {
		x.start(m)
	}
}

func (x *chaos) start(m *ftcptest.Machine) {
	x.note("start %s", m.Name)
	if err := m.Start(); err != nil {
		x.t.Error(err)
	}
}

// starting starts a machine's process, and returns what waits until its role is clear.
func (x *chaos) starting(m *ftcptest.Machine) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.start(m)
	}()
	return func() { <-done }
}

// kills kills a machine's process.
func (x *chaos) kills(m *ftcptest.Machine) {
	x.note("kill %s", m.Name)
	m.Kill()
}

// safe waits until the loss of any one node would do no harm.
func (x *chaos) safe() { x.safeWithout(nil) }

// safeWithout waits for that where one machine is away.
//
// It is not safe while a node says that it is in doubt about the other one: the standby
// must have heard the active node within its limit to take over, and by its own word does
// not know yet. See package reign.
func (x *chaos) safeWithout(m *ftcptest.Machine) {
	x.t.Helper()
	x.within(time.Minute, "a standby that knows all connections", func() bool {
		active, standby := x.Active(), x.Standby()
		if active == nil || standby == nil || active == m || standby == m {
			return false
		}
		a, s := active.Node().Status(), standby.Node().Status()
		return a.InSync && s.InSync && a.Protected == a.Conns && a.Why == "" && s.Why == ""
	})
}

// settledWithout says that another node than m's serves, by now.
func (x *chaos) settledWithout(m *ftcptest.Machine) bool {
	a := x.Active()
	return a != nil && a != m
}

// spare returns a machine that is neither active nor the standby; nil if there is none.
func (x *chaos) spare() *ftcptest.Machine {
	active, standby := x.Active(), x.Standby()
	for i := range x.Machines {
		if m := x.Machine(i); m != active && m != standby {
			return m
		}
	}
	return nil
}
