package ftcptest_test

import (
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
)

// An active node whose standby was silent for a moment finds out that it was only that, although the questions that it
// asks meanwhile are answered all the time.
func TestDoubtEnds(t *testing.T) {
	play(t, &ftcptest.Cluster{Network: &ftcptest.Network{Faults: ftcptest.Faults{Delay: time.Millisecond}}}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		s.Active().Pause()
		time.AfterFunc(130*time.Millisecond, s.Active().Resume)
		s.must(ask(c, "still there?"))
		s.within(time.Second, "certainty", func() bool {
			st := s.Active().Node().Status()
			return st.InSync && st.Protected == 1
		})
		s.must(c.Close())
	})
}
