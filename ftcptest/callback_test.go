package ftcptest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// nosy is a log that asks everything that can be asked, at every line.
type nosy struct {
	mu     sync.Mutex
	nodes  []*ftcp.Node
	conns  []*ftcp.Conn
	lines  map[string]int // by message
	within atomic.Int64   // calls that have not returned
}

func (l *nosy) Enabled(context.Context, slog.Level) bool { return true }
func (l *nosy) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *nosy) WithGroup(string) slog.Handler            { return l }

func (l *nosy) Handle(_ context.Context, r slog.Record) error {
	l.within.Add(1)
	defer l.within.Add(-1)
	l.mu.Lock()
	if l.lines == nil {
		l.lines = map[string]int{}
	}
	l.lines[r.Message]++
	nodes, conns := append([]*ftcp.Node(nil), l.nodes...), append([]*ftcp.Conn(nil), l.conns...)
	l.mu.Unlock()
	for _, n := range nodes {
		n.Status()
		n.Changed()
	}
	for _, c := range conns {
		c.Protected()
		c.RemoteAddr()
		c.LocalAddr()
		c.SetReadDeadline(time.Time{}) // which takes the connection's lock
	}
	// One that does not mind a handover or a close that is under way.
	for _, n := range nodes {
		n.HandoverAll(canceled())
	}
	return nil
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// A log may call back, at every line of a node's life: nothing of the user's runs under a
// lock.
func TestLogThatCallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &nosy{}
		s := begin(t, &ftcptest.Cluster{
			Configure: func(n *ftcp.Node) {
				n.Logger = slog.New(log)
				n.SendBuffer = 1<<20 + len(log.nodes) // there is something to say of that
				log.mu.Lock()
				log.nodes = append(log.nodes, n)
				log.mu.Unlock()
			},
			Serve: serve(func(machine int, c *ftcp.Conn) {
				log.mu.Lock()
				log.conns = append(log.conns, c)
				log.mu.Unlock()
				b := make([]byte, 100)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					if strings.HasPrefix(string(b[:n]), "who") {
						fmt.Fprintf(c, "machine %d", machine%2)
					} else {
						c.Write(b[:n])
					}
				}
			}),
		})
		s.allowResets()
		c := s.dial()
		s.must(ask(c, "hello"))

		d := s.dial()
		io.WriteString(d, "who") // divergence
		s.must(hear(d, "machine 0"))
		d.Close()
		s.within(time.Minute, "its end", func() bool { return s.Active().Node().Status().Conns == 1 })

		s.must(s.Active().Node().Handover(context.Background()))
		s.inPair()
		s.must(ask(c, "after a handover"))
		a := s.Active()
		a.Kill()
		s.within(5*time.Second, "a takeover", func() bool { return s.Active() != nil && s.Active() != a })
		s.must(ask(c, "after a takeover"))
		s.must(a.Start())
		s.inPair()
		s.within(5*time.Second, "protection", func() bool { return s.Active().Node().Status().Protected == 1 })
		b := s.Active()
		b.Unplug()
		s.within(5*time.Second, "a takeover", func() bool { return s.Active() != b })
		b.Plug()
		s.inPair()
		s.must(ask(c, "after a fencing"))
		s.Standby().Shutdown()
		s.must(ask(c, "alone"))
		s.must(c.Close())
		s.Active().Shutdown()
		time.Sleep(time.Second)

		if n := log.within.Load(); n != 0 {
			t.Errorf("%d calls of the log have not returned", n)
		}
		for _, message := range []string{
			"ftcp: role", "ftcp: a standby joins", "ftcp: the standby is in sync", "ftcp: took over",
			"ftcp: fenced", "ftcp: hands over", "ftcp: goes on without a standby",
			"ftcp: a connection goes on unprotected", "configured otherwise",
		} {
			found := false
			for m := range log.lines {
				found = found || strings.Contains(m, message)
			}
			if !found {
				t.Errorf("%q has not been said", message)
			}
		}
	})
}
