package ftcptest_test

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// While a connection is not protected, Status says why, from step to step.
func TestReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan struct{})
		s := begin(t, &ftcptest.Cluster{Serve: serve(func(machine int, c *ftcp.Conn) {
			if machine == 2 {
				<-late
			}
			io.Copy(c, c)
		})})
		c := s.dial()
		s.must(ask(c, "hello"))
		if st := s.Active().Node().Status(); st.Protected != 1 || len(st.Unprotected) != 0 || st.Why != "" {
			t.Errorf("%+v", st)
		}
		b := s.Standby()
		b.Kill()
		s.within(time.Second, "alone", func() bool { return !s.Active().Node().Status().InSync })
		s.within(time.Second, "alone", func() bool { return s.Active().Node().Status().Standby == "" })
		s.unprotected(1, "there is no standby")
		s.must(b.Start())
		s.within(20*time.Second, "in sync", func() bool { return s.Active().Node().Status().InSync })
		s.unprotected(1, "not caught up")
		close(late)
		s.within(time.Second, "protection", func() bool { return s.Active().Node().Status().Protected == 1 })
		if st := s.Active().Node().Status(); len(st.Unprotected) != 0 {
			t.Errorf("%+v", st)
		}
		s.must(c.Close())
	})
}

// On a slow link, "in sync" and "protected" are said of what the standby has confirmed:
// before, the reason is that. A node that is not a standby yet protects nothing by its
// own word either.
func TestNothingProtectedBeforeInSync(t *testing.T) {
	c := &ftcptest.Cluster{Network: &ftcptest.Network{Faults: ftcptest.Faults{Delay: 40 * time.Millisecond}}}
	play(t, c, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		a, b := s.Active(), s.Standby()
		b.Kill()
		s.within(time.Second, "alone", func() bool { return a.Node().Status().Standby == "" })
		var gated atomic.Bool
		go func() { s.must(b.Start()) }()
		s.within(20*time.Second, "protection", func() bool {
			st := a.Node().Status()
			for why := range st.Unprotected {
				if strings.Contains(why, "not in sync yet") {
					gated.Store(true)
				}
			}
			if n := b.Node(); n != nil {
				own := n.Status()
				if st.InSync && own.Role != "standby" {
					t.Errorf("in sync with one that is %+v", own)
				}
				if own.Role == "joining" && own.Protected > 0 {
					t.Errorf("%+v", own)
				}
				if st.Protected > 0 && own.Role != "standby" {
					t.Errorf("protected by one that is %+v", own)
				}
			}
			return st.Protected == 1
		})
		if !gated.Load() {
			t.Error("it has never been said that the standby is not in sync yet")
		}
		s.must(c.Close())
	})
}

// A node that waits says what for.
func TestWhyANodeWaits(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		a, b := s.Active(), s.Standby()
		b.Unplug()
		time.Sleep(400 * time.Millisecond)
		for range 3 {
			if st := b.Node().Status(); st.Why == "" {
				t.Errorf("a standby that is cut off: %+v", st)
			}
			time.Sleep(time.Second)
		}
		if st := a.Node().Status(); st.Role != "active" || st.Why != "" {
			t.Errorf("alone, and well: %+v", st)
		}
		b.Plug()
		s.inPair()
		protected(s, 1)
		for _, m := range []*ftcptest.Machine{a, b} {
			if st := m.Node().Status(); st.Why != "" {
				t.Errorf("nothing is amiss with %s: %+v", m.Name, st)
			}
		}
		// Without its link, an active node waits before it goes alone, and says so.
		a.Links.Unplug()
		time.Sleep(400 * time.Millisecond) // the link is given up after 300 ms
		if st := a.Node().Status(); st.Why == "" {
			t.Errorf("an active node that waits for its standby to decide: %+v", st)
		}
		s.must(ask(c, "served on"))
		a.Links.Plug()
		s.inPair()
		s.must(c.Close())
	})
}
