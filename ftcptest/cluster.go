package ftcptest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp"
)

// Cluster is a group of machines that run the same server, and clients that use it.
//
//	cluster := &ftcptest.Cluster{Serve: serveEcho}
//	if err := cluster.Start(); err != nil {
//		t.Fatal(err)
//	}
//	defer cluster.Close()
//	conn, err := cluster.Dial(ctx)
//	...
//	cluster.Active().Kill()
//	... // and conn goes on
//
// Within testing/synctest the timers of all of it are virtual: a failover takes no time.
type Cluster struct {
	// Network joins the machines. Nil: a perfect one.
	Network *Network

	// Address is the service address and port, of IPv4 or IPv6. Empty: 10.0.0.1:80.
	Address string

	// Machines is how many there are. Zero: 2.
	Machines int

	// Serve is the server: it is called on each machine with its listener, and should
	// return when Accept fails. Cluster.Close waits for it.
	Serve func(l net.Listener)

	// Run, if not nil, is the part of the program that dials: it is called on each machine with its node, at
	// the same time as Serve, and should return when the node is closed. Cluster.Close waits for it.
	Run func(n *ftcp.Node)

	// Configure, if not nil, may change a machine's node before it starts.
	Configure func(n *ftcp.Node)

	// Logger is that of all nodes. Nil: none.
	Logger *slog.Logger

	machines []*Machine
	clients  []*ftcp.Node
}

// Start starts all machines, one after the other, and returns when there is a standby in
// sync, unless there is only one machine.
func (c *Cluster) Start() error {
	if c.Network == nil {
		c.Network = &Network{}
	}
	if c.Address == "" {
		c.Address = "10.0.0.1:80"
	}
	if c.Machines == 0 {
		c.Machines = 2
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for i := range c.Machines {
		c.machines = append(c.machines, c.newMachine(string(rune('a'+i)), i+1))
	}
	for _, m := range c.machines {
		if err := m.Start(); err != nil {
			c.Close()
			return err
		}
	}
	if c.Machines > 1 {
		c.Await("standby")
	}
	return nil
}

// Machine returns the i-th machine, counted from 0.
func (c *Cluster) Machine(i int) *Machine { return c.machines[i] }

// Active returns the machine whose node is active; nil if there is none. A machine that
// was paused may believe it is when another one has taken over: the one that has been
// active for a shorter time wins.
func (c *Cluster) Active() *Machine { return c.find("active") }

// Standby returns the machine whose node could take over; nil if there is none.
func (c *Cluster) Standby() *Machine { return c.find("standby") }

func (c *Cluster) find(role string) (found *Machine) {
	var since time.Time
	for _, m := range c.machines {
		if n := m.Node(); n != nil {
			if st := n.Status(); st.Role == role && !st.Since.Before(since) {
				found, since = m, st.Since
			}
		}
	}
	return found
}

// Await waits until a node has the role, and returns its machine.
func (c *Cluster) Await(role string) *Machine {
	for {
		changed := make(chan struct{}, len(c.machines))
		stop := make(chan struct{})
		for _, m := range c.machines {
			if n := m.Node(); n != nil {
				if ch := n.Changed(); ch != nil {
					go func() {
						select {
						case <-ch:
							changed <- struct{}{}
						case <-stop:
						}
					}()
				}
			}
		}
		m := c.find(role) // after Changed, so that no change is missed
		if m == nil {
			<-changed
		}
		close(stop)
		if m != nil {
			return m
		}
	}
}

// Client plugs a client machine into the network, with an address of its own, and returns its node,
// which stands alone and is used to Dial.
func (c *Cluster) Client() *ftcp.Node {
	i := len(c.clients) + 1
	addr := netip.AddrFrom4([4]byte{10, 0, 1 + byte(i>>8), byte(i)})
	if service, err := netip.ParseAddrPort(c.Address); err == nil && service.Addr().Is6() {
		addr = netip.AddrFrom16([16]byte{0: 0xfd, 13: 1, 14: byte(i >> 8), 15: byte(i)})
	}
	n := &ftcp.Node{Device: c.Network.Port(fmt.Sprint("client ", i)), LocalAddr: addr, Logger: c.Logger}
	c.clients = append(c.clients, n)
	return n
}

// Dial connects a new client to the service.
func (c *Cluster) Dial(ctx context.Context) (net.Conn, error) {
	return c.Client().DialContext(ctx, "tcp", c.Address)
}

const settle = 150 * time.Millisecond

// Close ends everything, the network included.
func (c *Cluster) Close() {
	for _, n := range c.clients {
		n.Close()
	}
	for _, m := range c.machines {
		m.close()
	}
	// Programs that pace themselves see that it is over, before a bubble's clock stops.
	time.Sleep(settle)
	c.Network.Close()
}
