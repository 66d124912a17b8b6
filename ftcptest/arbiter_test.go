package ftcptest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/replication/arbiter"
	"github.com/ftcp-project/ftcp/replication/reign"
)

// flaky is an arbiter that can be away.
type flaky struct {
	arbiter.Memory
	away atomic.Bool
	lose atomic.Bool // the answer to the next swap, which is carried out
}

func (f *flaky) Load(ctx context.Context) (reign.Record, error) {
	if f.away.Load() {
		return reign.Record{}, errors.New("the arbiter is away")
	}
	return f.Memory.Load(ctx)
}

func (f *flaky) Swap(ctx context.Context, old, next reign.Record) (reign.Record, error) {
	if f.away.Load() {
		return reign.Record{}, errors.New("the arbiter is away")
	}
	current, err := f.Memory.Swap(ctx, old, next)
	if f.lose.CompareAndSwap(true, false) {
		return reign.Record{}, errors.New("the answer is lost")
	}
	return current, err
}

// arbitrated plays f with a pair that has an arbiter.
func arbitrated(t *testing.T, f func(s *scenario, a *flaky)) {
	synctest.Test(t, func(t *testing.T) {
		a := &flaky{}
		f(begin(t, &ftcptest.Cluster{Configure: func(n *ftcp.Node) { n.Arbiter = a }}), a)
	})
}

// With an arbiter the standby takes over as without, and the one that was killed comes
// back as its standby.
func TestArbitratedTakeover(t *testing.T) {
	arbitrated(t, func(s *scenario, _ *flaky) {
		c := s.dial()
		s.must(ask(c, "hello"))
		first := s.Active()
		first.Kill()
		s.must(ask(c, "still there?"))
		s.must(first.Start())
		s.within(5*time.Second, "protection", func() bool { return s.Active().Node().Status().Protected == 1 })
		s.Active().Kill()
		s.must(ask(c, "and now?"))
		s.must(c.Close())
	})
}

// While the arbiter is away nobody takes over, and nobody falls back to the pair's rule.
// When it is back, the standby goes on with what it has.
func TestArbiterAway(t *testing.T) {
	arbitrated(t, func(s *scenario, a *flaky) {
		c := s.dial()
		s.must(ask(c, "hello"))
		a.away.Store(true)
		standby := s.Standby()
		s.Active().Kill()
		answered := make(chan error, 1)
		go func() { answered <- ask(c, "still there?") }()
		time.Sleep(10 * time.Second)
		if st := standby.Node().Status(); st.Role == "active" {
			t.Errorf("without the arbiter: %+v", st)
		}
		a.away.Store(false)
		s.must(<-answered)
		s.must(c.Close())
	})
}

// A takeover whose answer is lost takes place once it is known.
func TestArbiterAnswerLost(t *testing.T) {
	arbitrated(t, func(s *scenario, a *flaky) {
		c := s.dial()
		s.must(ask(c, "hello"))
		a.lose.Store(true)
		s.Active().Kill()
		s.must(ask(c, "still there?"))
		s.must(c.Close())
	})
}

// Two nodes that do not hear each other, on either network, while both hear clients:
// exactly one goes on.
func TestArbitratedPartition(t *testing.T) {
	arbitrated(t, func(s *scenario, _ *flaky) {
		a := s.Machine(0)
		left, right := s.Client(), s.Client()
		s.allowResets()
		s.Network.Partition([]*ftcptest.Port{a.Service, a.Links, left.Device.(*ftcptest.Port)})
		for _, n := range []*ftcp.Node{left, right} {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if c, err := n.DialContext(ctx, "tcp", s.Address); err == nil {
				c.Close()
			}
		}
		serve := func() (n int) {
			for i := range 2 {
				if s.Machine(i).Node().Status().Role == "active" {
					n++
				}
			}
			return n
		}
		s.within(2*time.Second, "one that serves, alone", func() bool {
			return serve() == 1 && !s.Active().Node().Status().InSync
		})
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			if serve() != 1 {
				t.Fatalf("%d serve:\n%s", serve(), s.roles())
			}
		}
		t.Log(s.roles())
		s.Network.Heal()
		s.inPair()
		s.must(ask2echo(s))
	})
}
