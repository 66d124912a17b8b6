package ftcptest_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// patientEcho answers what it reads, and says so when it has waited for a second in vain.
func patientEcho(_ int, c *ftcp.Conn) {
	b := make([]byte, 100)
	for {
		c.SetReadDeadline(time.Now().Add(time.Second))
		n, err := c.Read(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			fmt.Fprint(c, "waiting;")
		case err != nil:
			return
		default:
			c.Write(b[:n])
		}
	}
}

// A standby that comes later replays a history in which deadlines have expired. Its
// handler waits where the active node's did, and the connection is protected again.
func TestReplayOfDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, &ftcptest.Cluster{Serve: serve(patientEcho)})
		c := s.dial()
		for _, word := range []string{"one", "two", "three"} {
			s.must(ask(c, word))
			s.must(hear(c, "waiting;waiting;"))
			time.Sleep(500 * time.Millisecond)
		}
		standby := s.Standby()
		standby.Kill()
		s.must(ask(c, "alone"))
		s.must(hear(c, "waiting;"))
		s.must(standby.Start())
		s.within(5*time.Second, "protection", func() bool { return s.Active().Node().Status().Protected == 1 })
		s.Active().Kill()
		c.Write([]byte("again"))
		got := make([]byte, 200)
		for n := 0; ; {
			m, err := c.Read(got[n:])
			s.must(err)
			if n += m; n >= 5 && string(got[n-5:n]) == "again" {
				t.Logf("%q", got[:n])
				break
			}
		}
		if st := s.Active().Node().Status(); st.Released != 0 {
			t.Errorf("%+v", st)
		}
		c.Close()
	})
}
