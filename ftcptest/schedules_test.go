package ftcptest_test

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run only this random schedule")
	firstFlag = flag.Uint64("firstseed", 1, "the first random schedule to run")
	seedsFlag = flag.Uint64("seeds", 60, "how many random schedules to run")
)

// enough is with how many schedules every kind of event and consequence is to have taken
// place.
const enough = 300

// maxFailed is after how many schedules that have failed no more are begun.
const maxFailed = 10

// TestSchedules plays random schedules of everything that can go wrong while clients
// transfer data.
//
// A process is killed only when another node has been in sync with it, so that no client
// may notice. Where all that know of a connection are lost the clients have none at that
// time.
func TestSchedules(t *testing.T) {
	first, count := *firstFlag, *seedsFlag
	if *seedFlag != 0 {
		first, count = *seedFlag, 1
	}
	tally := newTally()
	t.Cleanup(func() {
		t.Log(tally)
		if never := tally.never(); count >= enough && len(never) > 0 {
			t.Errorf("in %d schedules there was never: %v", count, never)
		}
	})
	var failed atomic.Int64
	const workers = 4
	for w := range uint64(workers) {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			t.Parallel()
			for seed := first + w; seed < first+count && failed.Load() < maxFailed; seed += workers {
				ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { schedule(t, seed, tally) })
				})
				if !ok {
					failed.Add(1)
					t.Logf("again: go test ./ftcptest -run 'TestSchedules$' -seed %d", seed)
				}
			}
		})
	}
}

// schedule plays one schedule.
func schedule(t *testing.T, seed uint64, tally *tally) {
	r := rand.New(rand.NewPCG(seed, 0))
	x := newChaos(t, seed, r, tally)
	x.clients(seed)
	for range 3 + r.IntN(6) {
		time.Sleep(x.upTo(time.Second))
		if t.Failed() {
			break
		}
		x.step()
	}
	x.end(seed)
}

// newChaos starts a random cluster.
func newChaos(t *testing.T, seed uint64, r *rand.Rand, tally *tally) *chaos {
	ms := func(limit int) time.Duration { return time.Duration(r.IntN(limit*1000+1)) * time.Microsecond }
	x := &chaos{Rand: r, tally: tally, done: make(chan struct{})}
	x.history = []int{4 << 10, 0, 64 << 20, 64 << 20}[r.IntN(4)]
	x.silence = 150 * time.Millisecond
	var heartbeat time.Duration
	var misses int
	switch r.IntN(6) {
	case 0:
		heartbeat, misses = 20*time.Millisecond, 3
	case 1:
		heartbeat, misses = 100*time.Millisecond, 3
	}
	if misses != 0 {
		x.silence = heartbeat * time.Duration(misses)
	}
	c := &ftcptest.Cluster{
		Machines: 2 + r.IntN(2),
		Network:  &ftcptest.Network{Seed: seed, Offload: r.IntN(2) == 0},
		Serve:    serve(func(_ int, c *ftcp.Conn) { answer(c) }),
		Configure: func(n *ftcp.Node) {
			n.History, n.Heartbeat, n.Misses = x.history, heartbeat, misses
			n.Logger = slog.New(x.watch(n))
		},
	}
	if r.IntN(3) > 0 {
		p := func() float64 { return float64(r.IntN(3)) * 0.01 }
		c.Network.Faults = ftcptest.Faults{
			Delay: ms(2), Jitter: ms(1), Loss: p(), Duplicate: p(), Reorder: p(), Corrupt: p(),
		}
	}
	if r.IntN(4) == 0 {
		c.Address = "[fd00::1]:80"
	}
	if c.Address == "" && r.IntN(2) == 0 {
		c.Run = transfers
	}
	x.scenario = begin(t, c)
	x.begun.Store(true)
	if c.Run != nil {
		x.dials = newPeer(x.scenario, asks(rand.New(rand.NewPCG(seed, 2))))
	}
	for i := range c.Machines {
		x.Machine(i).Links.SetFaults(ftcptest.Faults{Delay: ms(1)})
	}
	x.note("seed %d: %d machines, history %d, silence %v, %+v",
		seed, c.Machines, x.history, x.silence, c.Network.Faults)
	return x
}

// clients starts clients that transfer data until the end.
func (x *chaos) clients(seed uint64) {
	for range 1 + x.IntN(4) {
		node, r := x.Client(), rand.New(rand.NewPCG(seed, x.Uint64()))
		x.running.Go(func() {
			for !closed(x.done) && !x.t.Failed() {
				if !x.enter() {
					time.Sleep(time.Millisecond)
					continue
				}
				err := transfer(x.monitor, node, x.Address, r)
				x.busy.Add(-1)
				if err != nil {
					x.t.Error(err)
				}
			}
		})
	}
}

// end waits for the clients, mends all, and looks whether the service is sound.
func (x *chaos) end(seed uint64) {
	close(x.done)
	x.running.Wait()
	if x.dials != nil {
		x.dials.sound(x.scenario, x.dials.accepted.Load())
		x.note("%d connections were dialed", x.dials.accepted.Load())
	}
	x.note("the end")
	for i := range x.Machines {
		x.revive(x.Machine(i))
	}
	x.inPair()
	node := x.Client()
	x.must(transfer(x.monitor, node, x.Address, rand.New(rand.NewPCG(seed, 1))))
}
