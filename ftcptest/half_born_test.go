package ftcptest_test

import (
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
)

// A node is born with one of its cables out, or both, and gets them later, in either
// order. It never replaces the one that has the connections, and becomes its standby when
// it can.
func TestHalfBorn(t *testing.T) {
	for name, plug := range map[string]func(b *ftcptest.Machine){
		"link first":    func(b *ftcptest.Machine) { b.Links.Plug(); time.Sleep(20 * time.Second); b.Plug() },
		"service first": func(b *ftcptest.Machine) { b.Service.Plug(); time.Sleep(20 * time.Second); b.Plug() },
		"both, late":    func(b *ftcptest.Machine) { time.Sleep(time.Minute); b.Plug() },
		"flapping": func(b *ftcptest.Machine) {
			for i := range time.Duration(10) {
				b.Plug()
				time.Sleep(i * 17 * time.Millisecond)
				b.Unplug()
				time.Sleep(300 * time.Millisecond)
			}
			b.Plug()
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, &ftcptest.Cluster{}, func(s *scenario) {
				c := s.dial()
				s.must(ask(c, "hello"))
				a, b := s.Active(), s.Standby()
				before := a.Node().Status()
				b.Kill()
				s.must(ask(c, "alone"))
				time.Sleep(5 * time.Second)
				b.Unplug()
				s.must(b.Start())
				time.Sleep(2 * time.Second)
				plug(b)
				protected(s, 1)
				if st := a.Node().Status(); s.Active() != a || st.Lineage != before.Lineage || st.Epoch != before.Epoch {
					t.Errorf("before %+v\n%s", before, s.roles())
				}
				s.must(ask(c, "still there?"))
				a.Kill()
				s.must(ask(c, "on the other node"))
				s.must(c.Close())
			})
		})
	}
}

// Both nodes start with their service ports out, then with their links out. One serves in
// the end, and the other one is its standby.
func TestBothHalfBorn(t *testing.T) {
	for name, out := range map[string]func(m *ftcptest.Machine){
		"no service": func(m *ftcptest.Machine) { m.Unplug(); m.Links.Plug() },
		"no links":   func(m *ftcptest.Machine) { m.Links.Unplug() },
		"neither":    (*ftcptest.Machine).Unplug,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, &ftcptest.Cluster{}, func(s *scenario) {
				a, b := s.Machine(0), s.Machine(1)
				errs := make(chan error)
				for _, m := range []*ftcptest.Machine{a, b} {
					m.Kill()
				}
				time.Sleep(5 * time.Second)
				for _, m := range []*ftcptest.Machine{a, b} {
					out(m)
					go func() { errs <- m.Start() }()
				}
				s.must(<-errs)
				s.must(<-errs)
				time.Sleep(7 * time.Second)
				s.allowResets()
				a.Plug()
				time.Sleep(3 * time.Second)
				b.Plug()
				s.inPair()
				c := s.dial()
				s.must(ask(c, "hello"))
				protected(s, 1)
				s.Active().Kill()
				s.must(ask(c, "still there?"))
				s.must(c.Close())
			})
		})
	}
}

// The standby's service port dies. The active node serves on, and knows it; when that one
// dies too there is no takeover by a node that hears nobody. When the standby's port is
// back, it is one again.
func TestStandbysPortDies(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		a, b := s.Active(), s.Standby()
		b.Service.Unplug()
		for range 10 {
			time.Sleep(time.Second)
			s.promptly(c, "served")
			if s.Active() != a {
				t.Fatalf("a deaf node has taken over:\n%s", s.roles())
			}
		}
		// Its own port has died, too: whom should it hand over to?
		a.Service.Unplug()
		time.Sleep(2 * time.Second)
		if s.Active() == b {
			t.Errorf("a deaf node has taken over from another one:\n%s", s.roles())
		}
		a.Service.Plug()
		s.must(ask(c, "served on"))
		b.Service.Plug()
		protected(s, 1)
		s.Active().Kill()
		s.must(ask(c, "on the other node"))
		s.must(c.Close())
	})
}
