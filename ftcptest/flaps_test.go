package ftcptest_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// talkUntil lets clients ask, without a pause, until stop is closed. What it returns
// waits for them.
func talkUntil(s *scenario, n int, stop chan struct{}) (conns []net.Conn, wait func()) {
	s.t.Helper()
	var all sync.WaitGroup
	for i := range n {
		c := s.dial()
		conns = append(conns, c)
		all.Go(func() {
			for k := 0; !closed(stop); k++ {
				if err := ask(c, fmt.Sprintf("%d.%d: %s", i, k, strings.Repeat("x", k*37%3000))); err != nil {
					s.t.Errorf("client %d, request %d: %v", i, k, err)
					return
				}
			}
		})
	}
	return conns, all.Wait
}

// A standby goes and comes back in many ways, under load. No mark is lifted that another
// session has set (which the monitor sees), and after each return all connections are
// protected again: any node may then die.
func TestFlaps(t *testing.T) {
	flaps := map[string]func(s *scenario, a, b *ftcptest.Machine, d time.Duration){
		"the standby's process": func(s *scenario, a, b *ftcptest.Machine, d time.Duration) {
			b.Kill()
			time.Sleep(d / 20)
			s.must(b.Start())
		},
		"its end in order": func(s *scenario, a, b *ftcptest.Machine, d time.Duration) {
			b.Shutdown()
			time.Sleep(d / 20)
			s.must(b.Start())
		},
		"the standby's link": func(s *scenario, a, b *ftcptest.Machine, d time.Duration) {
			b.Links.Unplug()
			time.Sleep(d)
			b.Links.Plug()
		},
		"the active node's link": func(s *scenario, a, b *ftcptest.Machine, d time.Duration) {
			a.Links.Unplug()
			time.Sleep(d)
			a.Links.Plug()
		},
		"both": func(s *scenario, a, b *ftcptest.Machine, d time.Duration) {
			a.Links.Unplug()
			time.Sleep(d / 2)
			b.Kill()
			time.Sleep(d / 4)
			a.Links.Plug()
			s.must(b.Start())
		},
	}
	for name, flap := range flaps {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				t.Parallel()
				c := &ftcptest.Cluster{
					Network:   &ftcptest.Network{Seed: seed, Faults: ftcptest.Faults{Delay: time.Millisecond, Jitter: time.Millisecond}},
					Configure: func(n *ftcp.Node) { n.History = 64 << 20 },
				}
				play(t, c, func(s *scenario) {
					r := rand.New(rand.NewPCG(seed, 5))
					stop := make(chan struct{})
					conns, wait := talkUntil(s, 3, stop)
					a, b := s.Active(), s.Standby()
					for range 8 {
						flap(s, a, b, time.Duration(r.Int64N(int64(700*time.Millisecond))))
						if r.IntN(2) == 0 {
							continue // again, before all is well
						}
						protected(s, len(conns))
						if s.Active() != a {
							t.Fatalf("the active node has been replaced:\n%s", s.roles())
						}
					}
					protected(s, len(conns))
					s.Active().Kill()
					time.Sleep(500 * time.Millisecond)
					close(stop)
					wait()
					askAll(s, conns)
				})
			})
		}
	}
}

// protected waits until n connections are there, and all are protected.
func protected(s *scenario, n int) {
	s.t.Helper()
	s.within(20*time.Second, "protection of all connections", func() bool {
		// A standby that has just died is known to be dead a little later.
		a, b := s.Active(), s.Standby()
		if a == nil || b == nil {
			return false
		}
		st := a.Node().Status()
		return st.InSync && st.Conns == n && st.Protected == n
	})
}
