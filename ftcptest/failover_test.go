package ftcptest_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// stream sends n bytes to an echo server, and checks that they come back.
func stream(c *ftcp.Conn, n int64) error {
	sent := make(chan []byte)
	var failed error
	go func() {
		h := sha256.New()
		r := rand.NewChaCha8([32]byte{})
		_, failed = io.CopyN(io.MultiWriter(h, c), r, n)
		if failed == nil {
			failed = c.CloseWrite()
		}
		sent <- h.Sum(nil)
	}()
	h := sha256.New()
	got, err := io.Copy(h, c)
	sum := <-sent
	switch {
	case failed != nil:
		return fmt.Errorf("sending: %w", failed)
	case err != nil:
		return fmt.Errorf("after %d of %d bytes: %w", got, n, err)
	case got != n || string(h.Sum(nil)) != string(sum):
		return fmt.Errorf("%d bytes came back of %d, or others", got, n)
	}
	return c.Close()
}

// A server is killed in the middle of a transfer; the client's connection goes on.
func TestKill(t *testing.T) {
	for _, address := range []string{"10.0.0.1:80", "[fd00::1]:80"} {
		for _, offload := range []bool{false, true} {
			t.Run(fmt.Sprint(address, " ", offload), func(t *testing.T) {
				c := &ftcptest.Cluster{Address: address, Network: &ftcptest.Network{
					Offload: offload, Faults: ftcptest.Faults{Delay: time.Millisecond, Rate: 12 << 20},
				}}
				play(t, c, func(s *scenario) {
					c := s.dial().(*ftcp.Conn)
					time.AfterFunc(100*time.Millisecond, func() { s.Active().Kill() })
					s.must(stream(c, 4<<20))
				})
			})
		}
	}
}

// How long a client waits for its answer when the server is lost in different ways.
func TestPause(t *testing.T) {
	for _, test := range []struct {
		name string
		lose func(*ftcptest.Machine)
		max  time.Duration
	}{
		{"kill", (*ftcptest.Machine).Kill, 60 * time.Millisecond},
		{"unplug", (*ftcptest.Machine).Unplug, 300 * time.Millisecond},
		{"pause", (*ftcptest.Machine).Pause, 300 * time.Millisecond},
		{"shutdown", (*ftcptest.Machine).Shutdown, 20 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			play(t, &ftcptest.Cluster{}, func(s *scenario) {
				c := s.dial()
				s.must(ask(c, "hello"))
				time.Sleep(time.Second)
				old := s.Active()
				test.lose(old)
				begin := time.Now()
				s.Await("active")
				for s.Active() == old {
					time.Sleep(time.Millisecond)
				}
				t.Logf("took over after %v", time.Since(begin))
				s.must(ask(c, "are you there?"))
				d := time.Since(begin)
				t.Logf("answered after %v", d)
				if d > test.max {
					t.Errorf("the answer took %v", d)
				}
				if test.name == "pause" {
					old.Resume()
					s.inPair()
				}
				s.must(c.Close())
			})
		})
	}
}

// A link that was broken for a moment costs the client no more than that, although the standby
// has given up: it says so as soon as it can be heard.
func TestLinkBrokenBriefly(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		active := s.Active()
		active.Links.Unplug()
		begin := time.Now()
		time.AfterFunc(330*time.Millisecond, active.Links.Plug)
		s.must(ask(c, "are you there?"))
		d := time.Since(begin)
		t.Logf("answered after %v", d)
		if d > 450*time.Millisecond || s.Active() != active {
			t.Errorf("the answer took %v", d)
		}
		s.inPair()
		s.must(c.Close())
	})
}

// The standby asks whether the active node lives, which says yes, and dies before the answer
// arrives.
func TestLastWord(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		active := s.Active()
		active.Links.Unplug() // or its kernel would tell
		s.decide(func(f ftcptest.Frame) ftcptest.Verdict {
			if f.From != active.Name || !strings.Contains(f.String(), "presence answer") {
				return ftcptest.Pass
			}
			active.Kill()
			return ftcptest.Verdict(40 * time.Millisecond)
		})
		s.must(ask(c, "are you there?"))
		s.must(c.Close())
	})
}

// A switch that believes the last frames of a node that was stopped, and come out late, sends the
// client's frames to it. The client does not have to wait for it to find out.
func TestLateFrames(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "hello"))
		old := s.Active()
		var late atomic.Int32
		s.decide(func(f ftcptest.Frame) ftcptest.Verdict {
			_, seg, payload, ok := parseTCP(f)
			if !ok || f.From != old.Name || seg.SrcPort != 80 || len(payload) == 0 {
				return ftcptest.Pass
			}
			if late.Add(1) == 1 {
				old.Pause() // with this answer sent, and its acknowledgement to come
				return ftcptest.Pass
			}
			return ftcptest.Verdict(10 * time.Millisecond)
		})
		s.must(ask(c, "lost"))
		time.Sleep(5 * time.Second) // the new node has said all that it had to say
		old.Resume()
		s.inPair()
		time.Sleep(20 * time.Millisecond)
		if late.Load() < 2 || s.Active() == old {
			t.Fatalf("%d late frames\n%s", late.Load()-1, s.roles())
		}
		begin := time.Now()
		s.must(ask(c, "again"))
		if d := time.Since(begin); d > 10*time.Millisecond {
			t.Errorf("the answer took %v", d)
		}
		s.must(c.Close())
	})
}

// One connection, and takeover after takeover, in both directions.
func TestTakeoverAfterTakeover(t *testing.T) {
	for name, lose := range map[string]func(s *scenario, m *ftcptest.Machine){
		"kill":     func(s *scenario, m *ftcptest.Machine) { m.Kill(); s.must(m.Start()) },
		"shutdown": func(s *scenario, m *ftcptest.Machine) { m.Shutdown(); s.must(m.Start()) },
		"unplug": func(s *scenario, m *ftcptest.Machine) {
			m.Unplug()
			s.within(time.Second, "a takeover", func() bool { return s.Active() != m })
			m.Plug()
		},
		"handover": func(s *scenario, m *ftcptest.Machine) { s.must(m.Node().Handover(context.Background())) },
	} {
		t.Run(name, func(t *testing.T) {
			c := &ftcptest.Cluster{
				Network:   &ftcptest.Network{Faults: ftcptest.Faults{Delay: time.Millisecond}},
				Configure: func(n *ftcp.Node) { n.History = 64 << 20 },
			}
			play(t, c, func(s *scenario) {
				c := s.dial()
				stop := make(chan struct{})
				var traffic sync.WaitGroup
				traffic.Go(func() {
					for i := 0; !closed(stop); i++ {
						if err := ask(c, fmt.Sprintf("%d: %0*d", i, i%3000, i)); err != nil {
							t.Error(err)
							return
						}
					}
				})
				for range 6 {
					time.Sleep(300 * time.Millisecond)
					s.within(10*time.Second, "protection", func() bool {
						st := s.Active().Node().Status()
						return st.InSync && st.Protected == 1
					})
					old := s.Active()
					lose(s, old)
					s.within(time.Second, "a takeover", func() bool { return s.Active() != nil && s.Active() != old })
				}
				close(stop)
				traffic.Wait()
				s.must(c.Close())
			})
		})
	}
}

// A planned switch, and a planned end of either node, under load.
func TestPlanned(t *testing.T) {
	for name, do := range map[string]func(s *scenario){
		"handover":          func(s *scenario) { s.must(s.Active().Node().Handover(context.Background())) },
		"shutdown":          func(s *scenario) { s.Active().Shutdown() },
		"shutdown, standby": func(s *scenario) { s.Standby().Shutdown() },
	} {
		t.Run(name, func(t *testing.T) {
			c := &ftcptest.Cluster{Network: &ftcptest.Network{Faults: ftcptest.Faults{Delay: time.Millisecond}}}
			play(t, c, func(s *scenario) {
				var clients sync.WaitGroup
				for range 4 {
					c := s.dial().(*ftcp.Conn)
					clients.Go(func() {
						if err := stream(c, 2<<20); err != nil {
							t.Error(err)
						}
					})
				}
				time.Sleep(30 * time.Millisecond)
				old := s.Active()
				do(s)
				if name == "handover" && (s.Active() == old || s.Active() == nil) {
					t.Errorf("after the handover:\n%s", s.roles())
				}
				clients.Wait()
				s.must(ask2echo(s))
			})
		})
	}
}

// ask2echo asks on a new connection.
func ask2echo(s *scenario) error {
	c := s.dial()
	if err := ask(c, "anybody there?"); err != nil {
		return err
	}
	return c.Close()
}

// Handover without a standby fails, and changes nothing.
func TestHandoverAlone(t *testing.T) {
	play(t, &ftcptest.Cluster{Machines: 1}, func(s *scenario) {
		c := s.dial()
		if err := s.Active().Node().Handover(context.Background()); err == nil {
			t.Error("no error")
		}
		s.must(ask(c, "hello"))
		s.must(c.Close())
	})
}
