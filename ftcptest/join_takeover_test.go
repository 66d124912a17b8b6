package ftcptest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
)

// A third node joins while the second one takes over many connections, which does not
// happen at once. It gets all of them, those that had not had their turn too; and then
// survives the second one.
func TestJoinDuringTakeover(t *testing.T) {
	for _, first := range []time.Duration{0, 2 * time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			play(t, &ftcptest.Cluster{Machines: 3}, func(s *scenario) {
				conns := dialMany(s, 500)
				a := s.Active()
				a.Kill()
				time.Sleep(25*time.Millisecond + first)
				conns = append(conns, s.dial()) // one that is opened in the takeover, or right after it
				s.within(5*time.Second, "protection of all connections", func() bool {
					b := s.Active()
					if b == nil || b == a {
						return false
					}
					st := b.Node().Status()
					return st.InSync && st.Conns == len(conns) && st.Protected == len(conns)
				})
				s.Active().Kill()
				askAll(s, conns)
			})
		})
	}
}

// The same, and the third node starts in that very moment.
func TestStartDuringTakeover(t *testing.T) {
	for _, after := range []time.Duration{0, 24 * time.Millisecond, 26 * time.Millisecond, 28 * time.Millisecond} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			play(t, &ftcptest.Cluster{Machines: 3}, func(s *scenario) {
				var third *ftcptest.Machine
				for i := range 3 {
					if m := s.Machine(i); m != s.Active() && m != s.Standby() {
						third = m
					}
				}
				third.Kill()
				conns := dialMany(s, 500)
				a := s.Active()
				a.Kill()
				time.Sleep(after)
				s.must(third.Start())
				s.within(5*time.Second, "protection of all connections", func() bool {
					st := s.Active().Node().Status()
					return s.Active() != a && st.InSync && st.Protected == len(conns)
				})
				s.Active().Kill()
				askAll(s, conns)
			})
		})
	}
}
