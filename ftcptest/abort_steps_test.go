package ftcptest_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// abortAnswer fits into the initial window: a kernel would have sent all of it before the
// reset.
var abortAnswer = strings.Repeat("all of this arrives. ", 400)

// endings are ways in which a server that has answered ends a connection, and what its
// client then reads.
var endings = []struct {
	name    string
	request string
	end     func(machine int, c *ftcp.Conn)
	want    error // of the read after the answer; nil: it depends on which node is active
}{
	{"linger 0", "get\n", func(_ int, c *ftcp.Conn) {
		io.WriteString(c, abortAnswer)
		c.SetLinger(0)
	}, syscall.ECONNRESET},
	{"linger 0 before", "get\n", func(_ int, c *ftcp.Conn) {
		c.SetLinger(0)
		io.WriteString(c, abortAnswer[:1000])
		io.WriteString(c, abortAnswer[1000:])
	}, syscall.ECONNRESET},
	{"linger 0, slow standby", "get\n", func(machine int, c *ftcp.Conn) {
		io.WriteString(c, abortAnswer)
		time.Sleep(time.Duration(machine) * 30 * time.Millisecond)
		c.SetLinger(0)
	}, syscall.ECONNRESET},
	{"linger 0, slow active", "get\n", func(machine int, c *ftcp.Conn) {
		time.Sleep(time.Duration(1-machine) * 30 * time.Millisecond)
		io.WriteString(c, abortAnswer)
		c.SetLinger(0)
	}, syscall.ECONNRESET},
	{"unread input", "get\nand something more", func(_ int, c *ftcp.Conn) {
		io.WriteString(c, abortAnswer)
	}, syscall.ECONNRESET},
	{"unread input, slow standby", "get\nand something more", func(machine int, c *ftcp.Conn) {
		time.Sleep(time.Duration(machine) * 30 * time.Millisecond)
		io.WriteString(c, abortAnswer)
	}, syscall.ECONNRESET},
	{"input that the standby has not read", "get\nand something more", func(machine int, c *ftcp.Conn) {
		if machine == 0 {
			io.ReadFull(c, make([]byte, 18))
		}
		io.WriteString(c, abortAnswer)
	}, nil},
	{"input that the active node has not read", "get\nand something more", func(machine int, c *ftcp.Conn) {
		if machine == 1 {
			io.ReadFull(c, make([]byte, 18))
		}
		io.WriteString(c, abortAnswer)
	}, nil},
	{"close write, then close", "get\n", func(_ int, c *ftcp.Conn) {
		io.WriteString(c, abortAnswer)
		c.CloseWrite()
		time.Sleep(5 * time.Millisecond)
	}, io.EOF},
	{"close write, then linger 0", "get\n", func(_ int, c *ftcp.Conn) {
		io.WriteString(c, abortAnswer)
		c.CloseWrite()
		time.Sleep(5 * time.Millisecond)
		c.SetLinger(0)
	}, io.EOF},
}

// A server that answers and aborts, or closes, is killed at every frame. The client reads
// all of the answer, then what it would have read from a kernel, and does not wait for
// long.
func TestAbortEveryStep(t *testing.T) {
	for _, e := range endings {
		for _, delay := range []time.Duration{0, time.Millisecond} {
			setting := func() (*ftcptest.Cluster, func(*scenario) error) {
				return &ftcptest.Cluster{
					Network: &ftcptest.Network{Faults: ftcptest.Faults{Delay: delay}},
					Serve: serve(func(machine int, c *ftcp.Conn) {
						if _, err := io.ReadFull(c, make([]byte, 4)); err == nil {
							e.end(machine, c)
						}
					}),
				}, func(s *scenario) error { return toTheEnd(s, e.request, e.want) }
			}
			frames := 0
			synctest.Test(t, func(t *testing.T) {
				c, talk := setting()
				frames, _ = exchange(begin(t, c), talk, func(int) ftcptest.Verdict { return ftcptest.Pass })
			})
			for _, verdict := range []ftcptest.Verdict{ftcptest.Pass, ftcptest.Drop} {
				t.Run(fmt.Sprintf("%s,delay=%v,verdict=%d", e.name, delay, verdict), func(t *testing.T) {
					t.Parallel()
					kill := mishap{name: "kill", longest: 2 * time.Second,
						strike: func(s *scenario, active *ftcptest.Machine) { active.Kill() }}
					everyStep(t, kill, verdict, frames, setting)
				})
			}
		}
	}
}

// toTheEnd sends a request, reads the answer, and checks how the connection ends.
func toTheEnd(s *scenario, request string, want error) error {
	s.allowResets()
	c := s.dial().(*ftcp.Conn)
	c.SetKeepAlive(false) // it has nothing to send, and would wait for ever
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	if err := hear(c, abortAnswer); err != nil {
		return err
	}
	if n, err := c.Read(b1[:]); n != 0 || want != nil && !errors.Is(err, want) || err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("at the end: %d bytes, %v; not %v", n, err, want)
	}
	c.Close()
	return nil
}
