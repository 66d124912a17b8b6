package ftcptest_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// logs collects the lines of each machine's node.
type logs struct {
	mu    sync.Mutex
	lines map[*ftcp.Node][]string
}

// of gives a node a log of its own.
func (l *logs) of(n *ftcp.Node) {
	n.Logger = slog.New(slog.NewTextHandler(lineWriter(func(line string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.lines == nil {
			l.lines = map[*ftcp.Node][]string{}
		}
		l.lines[n] = append(l.lines[n], line)
	}), nil))
}

// with returns how many of a node's lines have all words.
func (l *logs) with(n *ftcp.Node, words ...string) (count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
lines:
	for _, line := range l.lines[n] {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		count++
	}
	return count
}

type lineWriter func(string)

func (f lineWriter) Write(b []byte) (int, error) {
	f(string(b))
	return len(b), nil
}

// What differs between the nodes is named by both of them, once, and what is alike is
// not.
func TestSettingsThatDiffer(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(n *ftcp.Node)
		first  string // in the lines of the active node
		second string // in those of the standby
	}{
		{"nothing", func(*ftcp.Node) {}, "", ""},
		{"SendBuffer", func(n *ftcp.Node) { n.SendBuffer = 1 << 20 }, "SendBuffer", "SendBuffer is 1048576 bytes here"},
		{"ReceiveBuffer", func(n *ftcp.Node) { n.ReceiveBuffer = 1 << 20 }, "ReceiveBuffer", "ReceiveBuffer is 1048576 bytes here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var all logs
			machines := 0
			play(t, &ftcptest.Cluster{Configure: func(n *ftcp.Node) {
				if machines++; machines == 2 {
					test.change(n)
				}
				all.of(n)
			}}, func(s *scenario) {
				s.must(ask2echo(s))
				time.Sleep(10 * time.Second)
				for m, words := range map[*ftcptest.Machine]string{s.Active(): test.first, s.Standby(): test.second} {
					n := m.Node()
					if total := all.with(n, "configured otherwise"); words == "" && total != 0 || words != "" && total != 1 {
						t.Errorf("%s names %d differences", m.Name, total)
					}
					if words != "" && all.with(n, "level=WARN", "configured otherwise", words) != 1 {
						t.Errorf("%s does not name %s: %q", m.Name, words, all.lines[n])
					}
				}
			})
		})
	}
}

// The standby's program listens on another port, or another address. Both nodes say so,
// clients are served without delay, and nothing of theirs is called protected.
func TestStandbyListensElsewhere(t *testing.T) {
	for _, elsewhere := range []string{"10.0.0.1:81", "10.0.0.2:80"} {
		t.Run(elsewhere, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var all logs
				nodes := make(chan *ftcp.Node, 2)
				s := begin(t, &ftcptest.Cluster{
					Machines: 1, Configure: func(n *ftcp.Node) { all.of(n); nodes <- n },
				})
				first := <-nodes
				kernel, second := standbyOf(s, &all)
				defer kernel.Close()
				defer second.Close()
				l, err := second.Listen("tcp", elsewhere)
				s.must(err)
				go echo(l)
				s.within(5*time.Second, "a standby", func() bool { return first.Status().InSync })
				for range 5 {
					c := s.dial()
					s.promptly(c, "hello")
					s.promptly(c, "again")
					s.must(c.Close())
				}
				c := s.dial()
				s.promptly(c, "hello")
				s.unprotected(1, "does not listen")
				if n := all.with(first, "configured otherwise", "listens on 10.0.0.1:80 here, not there"); n != 1 {
					t.Errorf("the active node has said so %d times: %q", n, all.lines[first])
				}
				if n := all.with(second, "configured otherwise", "listens on 10.0.0.1:80 there, not here"); n != 1 {
					t.Errorf("the standby has said so %d times: %q", n, all.lines[second])
				}
				s.allowResets()
				c.Close()
			})
		})
	}
}

// standbyOf makes a second node of the group of a cluster with one machine. Its first
// Listen joins.
func standbyOf(s *scenario, all *logs) (kernel, second *ftcp.Node) {
	kernel = s.Client()
	first := s.Machine(0).Node()
	second = &ftcp.Node{
		Group: first.Group, Secret: first.Secret, Peers: []string{"10.254.0.1"},
		Bind: kernel.LocalAddr.String() + ":7420", Device: s.Network.Port("second"),
		Transport: kernelTransport{kernel},
	}
	all.of(second)
	return kernel, second
}
