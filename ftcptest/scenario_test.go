package ftcptest_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
)

// A scenario is a cluster under observation.
type scenario struct {
	*ftcptest.Cluster
	*monitor
	t   *testing.T
	log *logTail

	filter atomic.Pointer[func(ftcptest.Frame) ftcptest.Verdict]
}

// decide gives f the say of Network.Filter. Nil takes it back.
func (s *scenario) decide(f func(ftcptest.Frame) ftcptest.Verdict) {
	if f == nil {
		s.filter.Store(nil)
		return
	}
	s.filter.Store(&f)
}

// play runs f with a started cluster in a bubble, and then reports what the monitor found. A cluster
// that needs channels has to be made in the bubble: see begin.
func play(t *testing.T, c *ftcptest.Cluster, f func(s *scenario)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(begin(t, c)) })
}

// begin starts the cluster. It is closed at the end of the test.
func begin(t *testing.T, c *ftcptest.Cluster) *scenario {
	t.Helper()
	s := &scenario{Cluster: c, t: t, log: &logTail{}}
	if c.Network == nil {
		c.Network = &ftcptest.Network{}
	}
	if c.Address == "" {
		c.Address = "10.0.0.1:80"
	}
	s.monitor = &monitor{service: netip.MustParseAddrPort(c.Address), conns: map[watch]*watched{}}
	s.active = func() string {
		if m := c.Active(); m != nil {
			if n := m.Node(); n != nil && n.Status().Why == "" { // else it may have been replaced
				return m.Name
			}
		}
		return ""
	}
	c.Network.Filter = func(f ftcptest.Frame) ftcptest.Verdict {
		s.see(f)
		if decide := s.filter.Load(); decide != nil {
			return (*decide)(f)
		}
		return ftcptest.Pass
	}
	c.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	if c.Serve == nil {
		c.Serve = echo
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.allowResets() // by which clients that are closed end what they have under way
		c.Close()
		if r := s.report(); r != "" {
			t.Error(r)
		}
		if t.Failed() {
			t.Logf("the end of the log:\n%s\nthe last frames:\n%s", s.log, s.history())
		}
	})
	return s
}

// logTail keeps the end of a log.
type logTail struct {
	mu    sync.Mutex
	lines []string
}

func (l *logTail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) > 200 {
		l.lines = append(l.lines[:0], l.lines[100:]...)
	}
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}

// dial connects a new client.
func (s *scenario) dial() net.Conn {
	s.t.Helper()
	c, err := s.Dial(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Minute))
	return c
}

// ask sends a request to an echo server, and checks the answer.
func ask(c net.Conn, request string) error {
	if _, err := c.Write([]byte(request)); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	return hear(c, request)
}

// hear checks what the connection says next.
func hear(c net.Conn, want string) error {
	got := make([]byte, len(want))
	if n, err := readFull(c, got); err != nil {
		return fmt.Errorf("answer, after %d of %d bytes: %w", n, len(want), err)
	}
	if !bytes.Equal(got, []byte(want)) {
		return fmt.Errorf("wrong answer: %.60q, not %.60q", got, want)
	}
	return nil
}

func readFull(c net.Conn, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = c.Read(b[n:])
		n += m
	}
	return n, err
}

// must ends the test if there is an error.
func (s *scenario) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// within lets time pass until cond holds, and ends the test if it does not in that time.
func (s *scenario) within(limit time.Duration, what string, cond func() bool) {
	s.t.Helper()
	for end := time.Now().Add(limit); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("after %v still not: %s\n%s", limit, what, s.roles())
		}
	}
}

// inPair waits until one node is active and another one its standby.
func (s *scenario) inPair() {
	s.t.Helper()
	s.within(time.Minute, "one active node and one standby", func() bool {
		active, standby := 0, 0
		for i := range s.Machines {
			if n := s.Machine(i).Node(); n != nil {
				switch st := n.Status(); {
				case st.Role == "active" && st.InSync:
					active++
				case st.Role == "active":
					return false
				case st.Role == "standby":
					standby++
				}
			}
		}
		return active == 1 && standby == 1
	})
}

// roles describes all nodes, a line each.
func (s *scenario) roles() string {
	var b strings.Builder
	for i := range s.Machines {
		m := s.Machine(i)
		if n := m.Node(); n != nil {
			fmt.Fprintf(&b, "%s: %+v\n", m.Name, n.Status())
		} else {
			fmt.Fprintf(&b, "%s: no process\n", m.Name)
		}
	}
	return b.String()
}
