package ftcptest_test

import (
	"bufio"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// The same short exchange, again and again, each time with something else that goes wrong at
// another frame. The client must not be able to tell.

// reports is a server that answers every line with a few packets, and closes at the end.
func reports(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			in := bufio.NewReader(c)
			for n := 1; ; n++ {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				io.WriteString(c, report(n, line))
			}
		}()
	}
}

func report(n int, line string) string {
	return fmt.Sprintf("%d: %08x %s", n, crc32.ChecksumIEEE([]byte(line)), strings.Repeat(line, 3))
}

// think is the time between an answer and the next request.
const think = 120 * time.Millisecond

// converse is the client's part of the exchange.
func converse(c net.Conn) error {
	for n, line := range []string{"hello\n", strings.Repeat("a longer one ", 300) + "\n", "good-bye\n"} {
		if n > 0 {
			time.Sleep(think)
		}
		if _, err := io.WriteString(c, line); err != nil {
			return err
		}
		if err := hear(c, report(n+1, line)); err != nil {
			return fmt.Errorf("report %d: %w", n+1, err)
		}
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return fmt.Errorf("at the end: %d bytes, %v", n, err)
	}
	return c.Close()
}

// exchange runs an exchange. It calls at with the number of each frame on either network
// from the connection's SYN on; at decides about it.
func exchange(s *scenario, talk func(*scenario) error, at func(k int) ftcptest.Verdict) (frames int, took time.Duration) {
	var k atomic.Int64
	s.decide(func(ftcptest.Frame) ftcptest.Verdict { return at(int(k.Add(1))) })
	start := time.Now()
	s.must(talk(s))
	return int(k.Load()), time.Since(start)
}

// A mishap is what goes wrong, and what has to be so afterwards.
type mishap struct {
	name    string
	strike  func(s *scenario, active *ftcptest.Machine)
	after   func(s *scenario, active *ftcptest.Machine)
	longest time.Duration // that the exchange may take
}

var mishaps = []mishap{
	{"kill", func(s *scenario, active *ftcptest.Machine) { active.Kill() }, nil, 2 * time.Second},
	{"unplug", func(s *scenario, active *ftcptest.Machine) { active.Unplug() }, nil, 3 * time.Second},
	{"pause briefly", pauseFor(100 * time.Millisecond), oneServes, 3 * time.Second},
	{"pause", pauseFor(250 * time.Millisecond), oneServes, 3 * time.Second},
	{"pause longer", pauseFor(3 * time.Second), oneServes, 3 * time.Second},
	{"part", func(s *scenario, active *ftcptest.Machine) { active.Links.Unplug() }, mend, 4 * time.Second},
	{"kill the standby", func(s *scenario, active *ftcptest.Machine) { other(s, active).Kill() }, nil, 2 * time.Second},
	{"unplug the standby", func(s *scenario, active *ftcptest.Machine) { other(s, active).Unplug() }, comeBack, 4 * time.Second},
	{"pause the standby", func(s *scenario, active *ftcptest.Machine) { pauseFor(400*time.Millisecond)(s, other(s, active)) }, oneServes, 4 * time.Second},
}

func pauseFor(d time.Duration) func(*scenario, *ftcptest.Machine) {
	return func(s *scenario, m *ftcptest.Machine) {
		m.Pause()
		time.AfterFunc(d, m.Resume)
	}
}

// other is the machine that is not m.
func other(s *scenario, m *ftcptest.Machine) *ftcptest.Machine {
	if m == s.Machine(0) {
		return s.Machine(1)
	}
	return s.Machine(0)
}

func oneServes(s *scenario, active *ftcptest.Machine) {
	time.Sleep(2 * time.Second)
	s.inPair()
	s.must(ask2(s))
}

// mend puts the link back.
func mend(s *scenario, active *ftcptest.Machine) {
	time.Sleep(3 * time.Second)
	if s.Active() != active || s.Standby() != nil {
		s.t.Errorf("with a broken link the active node should go on, alone:\n%s", s.roles())
	}
	active.Links.Plug()
	oneServes(s, active)
}

// comeBack plugs the standby in that was cut off.
func comeBack(s *scenario, active *ftcptest.Machine) {
	other(s, active).Plug()
	oneServes(s, active)
	if s.Active() != active {
		s.t.Errorf("the node that was cut off serves")
	}
}

// ask2 is one more exchange, on a new connection.
func ask2(s *scenario) error { return converse(s.dial()) }

var allSteps = flag.Bool("allsteps", false, "TestEveryStep: combine every mishap with every delay and verdict")

func TestEveryStep(t *testing.T) {
	everyMishap(t, func(delay time.Duration) (*ftcptest.Cluster, func(*scenario) error) {
		return stepCluster(delay), ask2
	})
}

// everyMishap lets everything go wrong at every frame of an exchange, which is made in a bubble.
func everyMishap(t *testing.T, setting func(delay time.Duration) (c *ftcptest.Cluster, talk func(*scenario) error)) {
	for _, delay := range []time.Duration{0, time.Millisecond} {
		frames := 0
		synctest.Test(t, func(t *testing.T) {
			c, talk := setting(delay)
			frames, _ = exchange(begin(t, c), talk, func(int) ftcptest.Verdict { return ftcptest.Pass })
		})
		for _, m := range mishaps {
			for _, verdict := range []ftcptest.Verdict{ftcptest.Pass, ftcptest.Drop} {
				if m.name != "kill" && (delay == 0) != (verdict == ftcptest.Pass) && !*allSteps {
					continue
				}
				name := fmt.Sprintf("%s,delay=%v,verdict=%d", m.name, delay, verdict)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					everyStep(t, m, verdict, frames, func() (*ftcptest.Cluster, func(*scenario) error) { return setting(delay) })
				})
			}
		}
	}
}

func stepCluster(delay time.Duration) *ftcptest.Cluster {
	return &ftcptest.Cluster{
		Serve:   reports,
		Network: &ftcptest.Network{Faults: ftcptest.Faults{Delay: delay}},
		// A size that window fields have to round.
		Configure: func(n *ftcp.Node) { n.ReceiveBuffer = 1<<20 + 77 },
	}
}

func everyStep(t *testing.T, m mishap, verdict ftcptest.Verdict, frames int, setting func() (*ftcptest.Cluster, func(*scenario) error)) {
	begun, longest := time.Now(), time.Duration(0)
	for k := 1; k <= frames && !t.Failed(); k++ {
		synctest.Test(t, func(t *testing.T) {
			c, talk := setting()
			s := begin(t, c)
			active := s.Active()
			var struck atomic.Bool
			_, took := exchange(s, talk, func(i int) ftcptest.Verdict {
				if i != k {
					return ftcptest.Pass
				}
				struck.Store(true)
				m.strike(s, active)
				return verdict
			})
			longest = max(longest, took)
			if took > m.longest {
				t.Errorf("the exchange took %v; the frames:\n%s", took, s.history())
			}
			s.decide(nil)
			if m.after != nil && struck.Load() {
				m.after(s, active)
			}
			if t.Failed() {
				t.Logf("at frame %d of %d", k, frames)
			}
		})
	}
	t.Logf("%d frames, longest exchange %v, real time %v", frames, longest, time.Since(begun))
}
