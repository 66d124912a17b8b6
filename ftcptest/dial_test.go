package ftcptest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/wire"
)

// peerAddress is where the programs of a cluster dial: a station outside of it, the first client.
const peerAddress = "10.0.1.1:90"

// A peer is a server outside of the cluster.
type peer struct {
	node     *ftcp.Node
	accepted atomic.Int32
	failed   chan error // of its connections
}

// newPeer starts a peer that calls handle for each connection.
func newPeer(s *scenario, handle func(c net.Conn) error) *peer {
	s.t.Helper()
	p := &peer{node: s.Client(), failed: make(chan error, 100)}
	l, err := p.node.Listen("tcp", peerAddress)
	s.must(err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.accepted.Add(1)
			go func() {
				if err := handle(c); err != nil {
					p.failed <- err
				}
			}()
		}
	}()
	return p
}

// sound ends the test if the peer has seen anything else than n connections without an error.
func (p *peer) sound(s *scenario, n int32) {
	s.t.Helper()
	if got := p.accepted.Load(); got != n {
		s.t.Errorf("the peer has accepted %d connections, not %d", got, n)
	}
	select {
	case err := <-p.failed:
		s.t.Errorf("the peer has seen: %v", err)
	default:
	}
}

// reportAll is reports for one connection.
func reportAll(c net.Conn) error {
	in := bufio.NewReader(c)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			return c.Close()
		}
		if err != nil {
			return err
		}
		if _, err := io.WriteString(c, report(n, line)); err != nil {
			return err
		}
	}
}

// echoAll echoes one connection.
func echoAll(c net.Conn) error {
	if _, err := io.Copy(c, c); err != nil {
		return err
	}
	return c.Close()
}

// A result is what a machine's program has got from Dial.
type result struct {
	node *ftcp.Node
	conn *ftcp.Conn
	err  error
}

// programs are what runs on the machines of a cluster: whoever is told to dials, and says what came of it.
type programs struct {
	dial    func(n *ftcp.Node, ctx context.Context)
	results chan result
}

func newPrograms() *programs {
	p := &programs{results: make(chan result, 100)}
	p.dial = func(n *ftcp.Node, ctx context.Context) {
		c, err := n.DialContext(ctx, "tcp", peerAddress)
		r := result{node: n, err: err}
		if err == nil {
			r.conn = c.(*ftcp.Conn)
		}
		p.results <- r
	}
	return p
}

// both dials on both machines, and returns what they got, the active one's first.
func (p *programs) both(s *scenario) (active, standby result) {
	s.t.Helper()
	a := s.Active().Node()
	go p.dial(a, context.Background())
	go p.dial(s.Standby().Node(), context.Background())
	active, standby = <-p.results, <-p.results
	if active.node != a {
		active, standby = standby, active
	}
	return active, standby
}

// mirrored is both for a Dial that succeeds.
func (p *programs) mirrored(s *scenario) (active, standby *ftcp.Conn) {
	s.t.Helper()
	a, b := p.both(s)
	s.must(errors.Join(a.err, b.err))
	if got, want := b.conn.LocalAddr().String(), a.conn.LocalAddr().String(); got != want {
		s.t.Fatalf("the standby has the connection of %s, the active node that of %s", got, want)
	}
	return a.conn, b.conn
}

// The exchange of TestEveryStep, over a connection that the cluster has dialed. The peer must not be able to tell.
func TestDialEveryStep(t *testing.T) {
	everyMishap(t, func(delay time.Duration) (*ftcptest.Cluster, func(*scenario) error) {
		c := stepCluster(delay)
		start, done := make(chan struct{}), make(chan struct{}, 10)
		c.Run = func(n *ftcp.Node) {
			<-start
			for {
				c, err := n.DialContext(context.Background(), "tcp", peerAddress)
				switch {
				case errors.Is(err, net.ErrClosed):
					return
				case err == nil && converse(c) == nil:
					done <- struct{}{}
				}
				time.Sleep(time.Second) // as long as an exchange takes, or it would be a second one
			}
		}
		return c, func(s *scenario) error {
			peer := newPeer(s, reportAll)
			close(start)
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				return errors.New("no program has had its exchange")
			}
			peer.sound(s, 1)
			return nil
		}
	})
}

// A connection that was dialed is protected, and outlives its node, both ways and in every order of the end.
func TestDialKill(t *testing.T) {
	for _, kill := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s := begin(t, &ftcptest.Cluster{Network: &ftcptest.Network{Faults: ftcptest.Faults{Delay: time.Millisecond, Rate: 12 << 20}}})
			peer, p := newPeer(s, echoAll), newPrograms()
			a, b := p.mirrored(s)
			if !a.Protected() {
				t.Error("it is not protected")
			}
			if st := s.Active().Node().Status(); st.Conns != 1 || st.Protected != 1 {
				t.Errorf("%+v", st)
			}
			go stream(a, 1<<20)
			time.AfterFunc(kill, s.Active().Kill)
			s.must(stream(b, 1<<20))
			peer.sound(s, 1)
		})
	}
}

// Nothing of a connection that is dialed leaves before the standby knows it: neither the SYN, nor the ACK of
// the peer's. If the active node dies then, the standby goes on.
func TestDialNothingBeyondTheMarks(t *testing.T) {
	for _, kill := range []string{"", "SYN", "ACK"} {
		t.Run("kill before "+kill, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, &ftcptest.Cluster{Configure: patient})
				peer, p := newPeer(s, echoAll), newPrograms()
				active, standby := s.Active(), s.Standby()
				var syns, answers, acks atomic.Int32
				s.decide(func(f ftcptest.Frame) ftcptest.Verdict {
					ip, seg, _, ok := parseTCP(f)
					switch {
					case !ok || seg.SrcPort != 90 && seg.DstPort != 90:
					case seg.Flags == wire.SYN:
						syns.Add(1)
					case seg.Flags&wire.SYN != 0:
						if answers.Add(1) == 1 {
							standby.Links.Pause()
						}
					case ip.Src == s.service.Addr():
						acks.Add(1)
					}
					return ftcptest.Pass
				})
				standby.Links.Pause()
				go p.dial(active.Node(), context.Background())
				go p.dial(standby.Node(), context.Background())
				time.Sleep(3 * time.Second)
				if n := syns.Load(); n != 0 {
					t.Fatalf("%d SYNs before the standby knows of the connection", n)
				}
				if kill == "SYN" {
					active.Kill()
				}
				standby.Links.Resume()
				time.Sleep(500 * time.Millisecond)
				if kill != "SYN" && (syns.Load() != 1 || answers.Load() == 0 || acks.Load() != 0) {
					t.Fatalf("%d SYNs, %d answers, %d acknowledgements", syns.Load(), answers.Load(), acks.Load())
				}
				if kill == "ACK" {
					active.Kill()
				}
				standby.Links.Resume()
				for {
					r := <-p.results
					if kill != "" && r.node != standby.Node() {
						continue
					}
					s.must(r.err)
					if r.node == standby.Node() {
						if kill != "" {
							s.must(ask(r.conn, "hello"))
						}
						break
					}
				}
				s.within(time.Second, "a connection", func() bool { return peer.accepted.Load() > 0 })
				peer.sound(s, 1)
			})
		})
	}
}

// A Dial that fails fails on both nodes, with the same error, and the next one is the next one.
func TestDialRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, &ftcptest.Cluster{})
		p := newPrograms()
		s.allowResets()
		refuser := s.Client() // will be the peer, and is nobody yet
		other, err := refuser.Listen("tcp", "10.0.1.1:91")
		s.must(err)
		for range 3 {
			a, b := p.both(s)
			if !errors.Is(a.err, syscall.ECONNREFUSED) || !errors.Is(b.err, syscall.ECONNREFUSED) {
				t.Fatalf("%v; %v", a.err, b.err)
			}
		}
		// The standby's program may be late.
		a := s.Active().Node()
		go p.dial(a, context.Background())
		if r := <-p.results; !errors.Is(r.err, syscall.ECONNREFUSED) {
			t.Fatal(r.err)
		}
		l, err := refuser.Listen("tcp", peerAddress)
		s.must(err)
		go p.dial(a, context.Background())
		first := <-p.results
		s.must(first.err)
		time.Sleep(time.Second)
		go p.dial(s.Standby().Node(), context.Background())
		if r := <-p.results; !errors.Is(r.err, syscall.ECONNREFUSED) {
			t.Fatal(r.err)
		}
		go p.dial(s.Standby().Node(), context.Background())
		second := <-p.results
		s.must(second.err)
		if first.conn.LocalAddr().String() != second.conn.LocalAddr().String() {
			t.Errorf("%v, %v", first.conn.LocalAddr(), second.conn.LocalAddr())
		}
		l.Close()
		other.Close()
	})
}

// Nobody is there: the same.
func TestDialUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, &ftcptest.Cluster{})
		a, b := newPrograms().both(s)
		if !errors.Is(a.err, syscall.EHOSTUNREACH) || !errors.Is(b.err, syscall.EHOSTUNREACH) {
			t.Fatalf("%v; %v", a.err, b.err)
		}
	})
}

// The end of a context ends what it must: on the standby its own Dial and the protection, on the active node all.
func TestDialCanceled(t *testing.T) {
	for _, standby := range []bool{true, false} {
		t.Run(fmt.Sprint("standby ", standby), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, &ftcptest.Cluster{Configure: patient})
				peer, p := newPeer(s, echoAll), newPrograms()
				s.decide(func(f ftcptest.Frame) ftcptest.Verdict { // the SYN-ACK comes late
					if _, seg, _, ok := parseTCP(f); ok && seg.SrcPort == 90 && seg.Flags&wire.SYN != 0 {
						return ftcptest.Verdict(5 * time.Second)
					}
					return ftcptest.Pass
				})
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
				defer cancel()
				canceled, other := s.Active().Node(), s.Standby().Node()
				if standby {
					canceled, other = other, canceled
				} else {
					s.allowResets()
				}
				go p.dial(canceled, ctx)
				go p.dial(other, context.Background())
				if r := <-p.results; r.node != canceled || !errors.Is(r.err, context.DeadlineExceeded) {
					t.Fatalf("%+v", r)
				}
				r := <-p.results
				if !standby {
					if !errors.Is(r.err, syscall.ECONNABORTED) {
						t.Errorf("on the standby: %v", r.err)
					}
					return
				}
				s.must(r.err)
				s.must(ask(r.conn, "it goes on"))
				if st := s.Active().Node().Status(); r.conn.Protected() || st.Released != 1 {
					t.Errorf("protected: %v, %+v", r.conn.Protected(), st)
				}
				s.must(r.conn.Close())
				peer.sound(s, 1)
			})
		})
	}
}

// A Dial that waits on the standby when there is nothing to wait for any more.
func TestDialAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, &ftcptest.Cluster{})
		peer, p := newPeer(s, echoAll), newPrograms()
		go p.dial(s.Standby().Node(), context.Background())
		time.Sleep(time.Second)
		if n := peer.accepted.Load(); n != 0 {
			t.Fatalf("the standby has dialed")
		}
		s.Active().Kill()
		r := <-p.results
		s.must(r.err)
		s.must(ask(r.conn, "hello"))
		s.must(r.conn.Close())
		peer.sound(s, 1)
	})
}

// A connection that the new active node's program has not dialed yet waits for that, but not for ever.
func TestDialLate(t *testing.T) {
	for _, late := range []time.Duration{29 * time.Second, 31 * time.Second} {
		t.Run(late.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, &ftcptest.Cluster{})
				ended := make(chan error, 1)
				newPeer(s, func(c net.Conn) error {
					err := echoAll(c)
					ended <- err
					return nil
				})
				p := newPrograms()
				go p.dial(s.Active().Node(), context.Background())
				r := <-p.results
				s.must(r.err)
				survivor := s.Standby().Node()
				s.Active().Kill()
				s.Await("active")
				s.allowResets()
				time.Sleep(late)
				go p.dial(survivor, context.Background())
				again := <-p.results
				s.must(again.err)
				s.must(ask(again.conn, "hello"))
				if same := again.conn.LocalAddr().String() == r.conn.LocalAddr().String(); same != (late < 30*time.Second) {
					t.Errorf("the same connection: %v", same)
				}
				s.must(again.conn.Close())
				if err := <-ended; (err == nil) != (late < 30*time.Second) {
					t.Errorf("the peer has seen: %v", err)
				}
			})
		})
	}
}

// A standby that comes later replays the connection, if its program dials; so does a third and a fourth.
func TestDialStandbyComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, &ftcptest.Cluster{})
		peer, p := newPeer(s, echoAll), newPrograms()
		s.Standby().Kill()
		s.within(time.Second, "an active node that is alone", func() bool { return !s.Active().Node().Status().InSync })
		go p.dial(s.Active().Node(), context.Background())
		r := <-p.results
		s.must(r.err)
		s.must(ask(r.conn, "hello"))
		said := []string{"hello"}
		for i := range 4 {
			m := other(s, s.Active())
			s.must(m.Start())
			go p.dial(m.Node(), context.Background())
			next := <-p.results
			s.must(next.err)
			for _, word := range said {
				s.must(ask(next.conn, word))
			}
			s.within(time.Second, "protection", func() bool { return r.conn.Protected() })
			word := fmt.Sprint("word ", i)
			said = append(said, word)
			asked := make(chan error, 1)
			go func() { asked <- ask(r.conn, word) }()
			s.must(ask(next.conn, word))
			s.must(<-asked)
			s.Active().Kill()
			s.within(time.Second, "a takeover", func() bool { return s.Active() == m })
			r = next
		}
		s.must(r.conn.Close())
		peer.sound(s, 1)
	})
}
