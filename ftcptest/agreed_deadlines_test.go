package ftcptest_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// idleTimeout is for how long timeouts waits for a line.
const idleTimeout = 100 * time.Millisecond

// timeouts is a server that echoes, and says so when it has heard nothing for a while;
// how often it may.
func timeouts(limit int) func(machine int, c *ftcp.Conn) {
	return func(_ int, c *ftcp.Conn) {
		b := make([]byte, 64)
		for n := 0; ; {
			c.SetReadDeadline(time.Now().Add(idleTimeout))
			m, err := c.Read(b)
			switch {
			case err == nil:
				c.Write(b[:m])
			case errors.Is(err, os.ErrDeadlineExceeded) && n < limit:
				n++
				fmt.Fprintf(c, "<timeout %d>", n)
			case errors.Is(err, os.ErrDeadlineExceeded):
				c.SetReadDeadline(time.Time{})
				io.Copy(c, c)
				return
			default:
				return
			}
		}
	}
}

// waitThenTalk hears timeouts, and talks in between, at times that are close to the
// deadlines.
func waitThenTalk(s *scenario) error {
	c, heard := s.dial().(*ftcp.Conn), ""
	for n, pause := range []time.Duration{0, 95 * time.Millisecond, 99 * time.Millisecond, 50 * time.Millisecond} {
		time.Sleep(pause)
		word := fmt.Sprint("word ", n)
		if _, err := io.WriteString(c, word); err != nil {
			return err
		}
		got, err := hearUntil(c, word)
		if err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
		heard += strings.TrimSuffix(got, word)
	}
	const all = "<timeout 1><timeout 2><timeout 3>"
	if !strings.HasPrefix(all, heard) {
		return fmt.Errorf("between the words: %q", heard)
	}
	if err := hear(c, all[len(heard):]); err != nil {
		return fmt.Errorf("after %q: %w", heard, err)
	}
	if err := ask(c, "bye"); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	if n, err := c.Read(b1[:]); n != 0 || err != io.EOF {
		return fmt.Errorf("at the end: %d bytes, %v", n, err)
	}
	return c.Close()
}

// hearUntil reads until what it has read ends with a word.
func hearUntil(c io.Reader, word string) (string, error) {
	var got []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(got), word); {
		n, err := c.Read(b)
		if got = append(got, b[:n]...); err != nil {
			return string(got), fmt.Errorf("after %q: %w", got, err)
		}
	}
	return string(got), nil
}

// A deadline that expires is an event that the nodes agree on: a handler that answers
// "timeout" and goes on is the same on both of them, whenever the active node dies.
func TestTimeoutsEveryStep(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Millisecond} {
		setting := func() (*ftcptest.Cluster, func(*scenario) error) {
			return &ftcptest.Cluster{
				Serve:   serve(timeouts(3)),
				Network: &ftcptest.Network{Faults: ftcptest.Faults{Delay: delay}},
			}, waitThenTalk
		}
		frames := 0
		synctest.Test(t, func(t *testing.T) {
			c, talk := setting()
			s := begin(t, c)
			frames, _ = exchange(s, talk, func(int) ftcptest.Verdict { return ftcptest.Pass })
			if st := s.Active().Node().Status(); st.Released != 0 {
				t.Errorf("with timeouts: %+v", st)
			}
		})
		t.Run(fmt.Sprint(delay), func(t *testing.T) {
			t.Parallel()
			everyStep(t, mishap{name: "kill", longest: 4 * time.Second,
				strike: func(s *scenario, active *ftcptest.Machine) { active.Kill() }}, ftcptest.Pass, frames, setting)
		})
	}
}

// A standby that joins later replays a history in which deadlines have expired, some
// right behind each other, and some behind data. Its handler sees them where the active
// node's did.
func TestLateStandbyReplaysTimeouts(t *testing.T) {
	for _, slow := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprint(slow), func(t *testing.T) {
			c := &ftcptest.Cluster{Serve: serve(func(machine int, c *ftcp.Conn) {
				if machine == 2 {
					time.Sleep(slow)
				}
				timeouts(20)(machine, c)
			})}
			play(t, c, func(s *scenario) {
				s.Standby().Kill()
				s.within(time.Second, "alone", func() bool { return !s.Active().Node().Status().InSync })
				c := s.dial()
				s.must(ask(c, "hello"))
				s.must(hear(c, "<timeout 1><timeout 2><timeout 3>"))
				s.must(ask(c, "again"))
				s.must(hear(c, "<timeout 4>"))
				s.must(s.Machine(1).Start())
				s.within(5*time.Second, "protection", func() bool { return s.Active().Node().Status().Protected == 1 })
				_, err := hearUntil(c, fmt.Sprintf("<timeout %d>", 16))
				s.must(err)
				if st := s.Active().Node().Status(); st.Protected != 1 || st.Released != 0 {
					t.Errorf("%+v", st)
				}
				s.Active().Kill()
				s.must(hear(c, "<timeout 17><timeout 18>"))
				s.must(ask(c, "still there?"))
				s.must(hear(c, "<timeout 19><timeout 20>"))
				time.Sleep(time.Second)
				s.must(ask(c, "and for ever"))
				s.must(c.Close())
			})
		})
	}
}
