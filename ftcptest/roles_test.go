package ftcptest_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// Of nodes that start at the same moment one serves, and one is its standby.
func TestStartTogether(t *testing.T) {
	for _, machines := range []int{2, 3} {
		for range 10 {
			play(t, &ftcptest.Cluster{Machines: machines}, func(s *scenario) {
				for i := range machines {
					s.Machine(i).Kill()
				}
				time.Sleep(5 * time.Second)
				errs := make(chan error)
				for i := range machines {
					go func() { errs <- s.Machine(i).Start() }()
				}
				for range machines {
					s.must(<-errs)
				}
				s.inPair()
				s.must(ask2echo(s))
			})
		}
	}
}

// With three machines, two may die, one after the other.
func TestThreeMachines(t *testing.T) {
	play(t, &ftcptest.Cluster{Machines: 3}, func(s *scenario) {
		c := s.dial()
		s.must(ask(c, "one"))
		for _, word := range []string{"two", "three"} {
			s.within(5*time.Second, "protection", func() bool {
				return s.Active() != nil && s.Active().Node().Status().Protected == 1
			})
			s.Active().Kill()
			s.must(ask(c, word))
		}
		s.must(c.Close())
	})
}

// A node of another group or secret fails to start, says why, and disturbs nobody.
func TestStrangers(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*ftcp.Node)
		says   string
	}{
		"secret": {func(n *ftcp.Node) { n.Secret = []byte("another secret, long enough") }, "secret"},
		"group":  {func(n *ftcp.Node) { n.Group = "another" }, "group"},
	} {
		t.Run(name, func(t *testing.T) {
			var change func(*ftcp.Node)
			c := &ftcptest.Cluster{Machines: 3, Configure: func(n *ftcp.Node) {
				if change != nil {
					change(n)
				}
			}}
			play(t, c, func(s *scenario) {
				c := s.dial()
				s.must(ask(c, "hello"))
				var third *ftcptest.Machine
				for i := range 3 {
					if m := s.Machine(i); m != s.Active() && m != s.Standby() {
						third = m
					}
				}
				third.Kill()
				change = test.change
				err := third.Start()
				if op := (*net.OpError)(nil); !errors.As(err, &op) || !strings.Contains(err.Error(), test.says) {
					t.Errorf("the stranger starts: %v", err)
				}
				s.must(ask(c, "still here"))
				if st := s.Active().Node().Status(); !st.InSync || st.Protected != 1 || st.Epoch != s.Standby().Node().Status().Epoch {
					t.Errorf("%+v", st)
				}
				s.must(c.Close())
			})
		})
	}
}

// An address that another station answers for is not served twice, by a node of a group or
// by one that stands alone.
func TestAddressTaken(t *testing.T) {
	for name, n := range map[string]*ftcp.Node{
		"alone": {},
		"group": {Group: "b", Secret: []byte("0123456789abcdef"), Bind: "10.254.9.9"},
	} {
		for _, address := range []string{"10.0.0.1:80", "[fd00::1]:80"} {
			t.Run(name+" "+address, func(t *testing.T) {
				play(t, &ftcptest.Cluster{Address: address, Machines: 1}, func(s *scenario) {
					kernel := &ftcp.Node{Device: s.Network.Port("third links"), LocalAddr: netip.MustParseAddr("10.254.9.9"), Logger: s.Logger}
					defer kernel.Close()
					second := &ftcp.Node{
						Group: n.Group, Secret: n.Secret, Bind: n.Bind,
						Device: s.Network.Port("second"), Logger: s.Logger, Transport: kernelTransport{kernel},
					}
					defer second.Close()
					c := s.dial()
					begin := time.Now()
					_, err := second.Listen("tcp", address)
					t.Logf("after %v: %v", time.Since(begin), err)
					if !errors.Is(err, syscall.EADDRINUSE) {
						t.Errorf("%v", err)
					}
					s.must(ask(c, "hello"))
					s.must(ask2echo(s))
					s.must(c.Close())
				})
			})
		}
	}
}

// Two nodes that have come to be active both, because neither could hear the other, do not remain so.
func TestTwoActives(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		a, b := s.Machine(0), s.Machine(1)
		// Each of them is with clients of its own, who keep the network alive.
		left, right := s.Client(), s.Client()
		s.allowResets()
		s.Network.Partition([]*ftcptest.Port{a.Service, a.Links, left.Device.(*ftcptest.Port)})
		for _, n := range []*ftcp.Node{left, right} {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if c, err := n.DialContext(ctx, "tcp", s.Address); err == nil {
				c.Close()
			}
		}
		both := func() bool {
			return a.Node().Status().Role == "active" && b.Node().Status().Role == "active"
		}
		s.within(10*time.Second, "two that are active", both)
		s.Network.Heal()
		s.inPair()
		s.must(ask2echo(s))
	})
}

type kernelTransport struct{ *ftcp.Node }

func (k kernelTransport) Listen(ctx context.Context, address string) (net.Listener, error) {
	return k.Node.Listen("tcp", address)
}

func (k kernelTransport) Dial(ctx context.Context, address string) (net.Conn, error) {
	return k.Node.DialContext(ctx, "tcp", address)
}
