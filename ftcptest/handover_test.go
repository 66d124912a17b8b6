package ftcptest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// restartStandby ends the standby's process, and starts it again a moment later.
func restartStandby(s *scenario) {
	s.t.Helper()
	b := s.Standby()
	b.Kill()
	s.within(time.Second, "an active node that is alone", func() bool { return !s.Active().Node().Status().InSync })
	s.must(b.Start())
	s.within(20*time.Second, "a standby in sync", func() bool { return s.Active().Node().Status().InSync })
}

// beyondHistory asks for more than is kept of a connection for a standby that comes
// later.
func beyondHistory(s *scenario, c net.Conn) {
	s.t.Helper()
	for range 5 {
		s.must(ask(c, strings.Repeat("x", 100<<10)))
	}
}

// After the standby's restart there is a connection whose beginning is forgotten.
// HandoverAll refuses, and changes nothing. Handover names what is lost.
func TestHandoverBeyondHistory(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		long, short := s.dial(), s.dial()
		s.must(ask(short, "hello"))
		beyondHistory(s, long)
		restartStandby(s)
		a := s.Active()
		before := a.Node().Status()
		err := a.Node().HandoverAll(context.Background())
		named(t, err, 1, false)
		if st := a.Node().Status(); st.Role != "active" || !st.InSync || st.Epoch != before.Epoch {
			t.Errorf("after a handover that was refused: %+v", st)
		}
		s.must(ask(long, "nothing has changed"))
		s.must(ask(short, "nothing has changed"))

		s.allowResets()
		err = a.Node().Handover(context.Background())
		named(t, err, 1, true)
		if s.Active() == a {
			t.Errorf("the old node serves:\n%s", s.roles())
		}
		s.must(ask(short, "on the other node"))
		if err := ask(long, "lost"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the connection that was lost: %v", err)
		}
		if st := s.Active().Node().Status(); st.Conns != 1 {
			t.Errorf("%+v", st)
		}
		short.Close()
	})
}

// named checks that an error names n connections that have outgrown their history.
func named(t *testing.T, err error, n int, over bool) {
	t.Helper()
	var lost *ftcp.LostError
	if !errors.As(err, &lost) {
		t.Fatalf("the error is %v, not a LostError", err)
	}
	total := 0
	for why, m := range lost.Conns {
		if total += m; !strings.Contains(why, "History") {
			t.Errorf("%d because %s", m, why)
		}
	}
	if total != n || lost.Over != over {
		t.Errorf("%+v", lost)
	}
}

// A handover, or the end of the active node, that comes right after the standby is in
// sync waits for the connections that are about to be protected.
func TestHandoverRightAfterInSync(t *testing.T) {
	ends := map[string]func(m *ftcptest.Machine) error{
		"handover":     func(m *ftcptest.Machine) error { return m.Node().Handover(context.Background()) },
		"handover all": func(m *ftcptest.Machine) error { return m.Node().HandoverAll(context.Background()) },
		"close":        func(m *ftcptest.Machine) error { m.Shutdown(); return nil },
	}
	for name, end := range ends {
		for _, slow := range []time.Duration{0, 10 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second} {
			t.Run(fmt.Sprint(name, " ", slow), func(t *testing.T) {
				c := &ftcptest.Cluster{
					Network: &ftcptest.Network{Faults: ftcptest.Faults{Delay: time.Millisecond}},
					Serve: serve(func(machine int, c *ftcp.Conn) {
						if machine == 2 {
							time.Sleep(slow)
						}
						io.Copy(c, c)
					}),
				}
				play(t, c, func(s *scenario) {
					conns := dialMany(s, 20)
					restartStandby(s)
					a := s.Active()
					s.must(end(a))
					s.within(time.Second, "the other one serves", func() bool { return s.Active() != nil && s.Active() != a })
					for _, c := range conns {
						s.must(ask(c, "still there?"))
						s.must(c.Close())
					}
				})
			})
		}
	}
}

// The standby's link breaks at the moment of a handover, or all of it does before it can
// know: it is not told, or nobody hears that it has taken over. The handover returns by
// itself, and one node serves.
func TestHandoverThatNobodyTakes(t *testing.T) {
	for name, lose := range map[string]func(b *ftcptest.Machine){
		"its link":   func(b *ftcptest.Machine) { b.Links.Unplug() },
		"its cables": (*ftcptest.Machine).Unplug,
		"its life":   (*ftcptest.Machine).Kill,
	} {
		for _, after := range []time.Duration{0, 500 * time.Microsecond, 1500 * time.Microsecond, 2500 * time.Microsecond} {
			if after > time.Millisecond && name != "its link" {
				continue // it has taken over, and is the second node that dies
			}
			t.Run(fmt.Sprint(name, " ", after), func(t *testing.T) {
				c := &ftcptest.Cluster{Network: &ftcptest.Network{Faults: ftcptest.Faults{Delay: time.Millisecond}}}
				play(t, c, func(s *scenario) {
					c := s.dial()
					s.must(ask(c, "hello"))
					a, b := s.Active(), s.Standby()
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					begin := time.Now()
					over := make(chan error, 1)
					go func() { over <- a.Node().Handover(ctx) }()
					time.Sleep(after)
					lose(b)
					err := <-over
					t.Logf("after %v: %v\n%s", time.Since(begin), err, s.roles())
					if d := time.Since(begin); d > 3*time.Second && s.Active() == a {
						t.Errorf("the handover took %v", d)
					}
					if (err != nil) != (s.Active() == a) {
						t.Errorf("the error is %v, and %s serves", err, s.Active().Name)
					}
					c.SetDeadline(time.Now().Add(5 * time.Second))
					s.must(ask(c, "served on"))
					s.must(c.Close())
				})
			})
		}
	}
}

// The context of a handover ends while it waits for a connection to be protected: nothing
// changes.
func TestHandoverCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		s := begin(t, &ftcptest.Cluster{Serve: serve(func(machine int, c *ftcp.Conn) {
			if machine == 2 {
				<-stuck
			}
			io.Copy(c, c)
		})})
		defer close(stuck)
		c := s.dial()
		s.must(ask(c, "hello"))
		restartStandby(s)
		a := s.Active()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := a.Node().Handover(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if s.Active() != a {
			t.Errorf("a handover that was given up has taken place:\n%s", s.roles())
		}
		s.must(ask(c, "nothing has changed"))
		s.must(c.Close())
	})
}
