package ftcptest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// A Network is an Ethernet switch. The zero value is ready for use, and neither
// delays nor loses anything.
//
// The fields must not be changed once there is a port. The methods may be called
// by several goroutines at once, and by Filter.
type Network struct {
	// Seed selects the course of the random faults; zero is a seed like any
	// other. What happens to the k-th frame of the n-th port depends on nothing
	// but the Seed, n, and that port's faults and earlier frames. The order in
	// which several ports come to send, which no seed can fix, does not matter.
	Seed uint64

	// Faults are those of every port that has had none of its own set.
	Faults Faults

	// Pcap, if not nil, gets a capture of all frames in the pcap format, with
	// times in nanoseconds. A frame is recorded as its sender sent it, when it
	// leaves, whether or not it is lost later; one that cannot leave (the
	// cable is pulled, it is longer than the MTU) is not. The capture ends at the
	// writer's first error. The writer must not call the network.
	Pcap io.Writer

	// Filter, if not nil, decides about each frame as it leaves its sender,
	// before any other fault. Calls come one at a time from a goroutine of
	// the network's own, which holds no lock: Filter may call any method of
	// the network and its ports, and Node.Close and the like. While
	// it runs no frame moves, so it must not wait for one. A cable that it
	// pulls lets pass exactly the frames up to this one (with Pass) or up to
	// the one before (with Drop). One call may still run when Close returns.
	Filter func(Frame) Verdict

	// MTU is the largest IP packet, in bytes. Longer ones are dropped. Zero
	// means 1500.
	MTU int

	// Offload says that ports complete checksums and cut packets of up to
	// 64 KB into segments, like hardware with checksum offload and TSO.
	// What crosses the network is the same in either case.
	Offload bool

	mu      sync.Mutex
	wake    chan struct{} // says to the goroutine that something has changed; nil before the first port
	closed  bool
	plugged int             // number of ports made
	ports   []*Port         // those not closed
	table   map[place]*Port // where the switch has heard an address last
	leaving queue           // frames written, in order, that the switch has not taken up
	flights flights         // frames on their way to the switch
	seq     uint64          // number of flights
	pcap    pcapWriter
	stats   Stats
}

// Stats counts frames.
type Stats struct {
	Sent int // written by ports, after segments have been cut

	// Each of these is the end of a frame that was sent.
	Unsendable int // longer than the MTU, or shorter than an Ethernet header
	Filtered   int // Filter said Drop
	QueueFull  int // did not fit Faults.Queue, or the 32 MB a port may have under way
	Lost       int // by Faults.Loss

	// These may all have happened to a frame that went on.
	Duplicated int
	Reordered  int // held back by Faults.Reorder
	Corrupted  int

	// A frame that goes to many ports counts here once for each.
	Delivered   int
	Partitioned int // stopped by Partition
	Unplugged   int // the cable of the sender or the receiver was pulled, or broken in this direction
	Overflowed  int // the receiver had 32 MB that it had not read
}

// Port adds a port to the switch and plugs a device into it. The name is for
// Frame and for messages; it need not be unique. The device's address is
// 02:00:00:00:00:01 at the first port, and so on. On a closed network
// the device is closed.
func (n *Network) Port(name string) *Port {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.plugged++
	p := &Port{
		net:  n,
		name: name,
		mac:  wire.MAC{2, 0, 0, 0, byte(n.plugged >> 8), byte(n.plugged)},
		line: line{rand: rand.New(rand.NewPCG(n.Seed, uint64(n.plugged)))},
	}
	p.readable.L = &n.mu
	if n.closed {
		p.closed = true
		return p
	}
	if n.wake == nil {
		// Made here because a channel belongs to the synctest bubble in which
		// it is made, and a Network may be a variable outside of any.
		n.wake = make(chan struct{}, 1)
		n.table = make(map[place]*Port)
		n.pcap.w = n.Pcap
		n.pcap.begin()
		go n.run()
	}
	n.ports = append(n.ports, p)
	return p
}

// Partition divides the network: ports in different groups no longer hear each
// other, beginning with the frames that are under way. Ports in no group form
// one more together, so that Partition([]*Port{p}) isolates p. It replaces any
// earlier partition.
func (n *Network) Partition(groups ...[]*Port) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.join()
	for i, group := range groups {
		for _, p := range group {
			if p.net != n {
				panic(fmt.Sprintf("ftcptest: Partition: port %q is of another network", p.name))
			}
			p.group = i + 1
		}
	}
}

// Heal ends the partition.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.join()
}

// join puts all ports into one group. Switches forget what they have learned
// when the topology changes.
func (n *Network) join() {
	for _, p := range n.ports {
		p.group = 0
	}
	clear(n.table)
}

// Stats returns the counters as they are now.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

// Close closes all ports and ends the network. Frames under way are lost. After
// it nothing is written to Pcap. It may be called more than once.
func (n *Network) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for len(n.ports) > 0 {
		n.ports[0].close()
	}
	n.leaving, n.flights = queue{}, nil
	if n.wake != nil {
		n.kick()
	}
}

// kick makes the goroutine look again. The caller holds n.mu.
func (n *Network) kick() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *Network) mtu() int {
	if n.MTU == 0 {
		return 1500
	}
	return n.MTU
}

// run moves the frames until the network is closed.
func (n *Network) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	n.mu.Lock()
	for !n.closed {
		now := time.Now()
		if len(n.flights) > 0 && !n.flights[0].at.After(now) {
			n.arrive(n.flights.pop())
			continue
		}
		if s, ok := n.leaving.pop(); ok {
			n.leave(now, s)
			continue
		}
		var due <-chan time.Time
		if len(n.flights) > 0 {
			timer.Reset(n.flights[0].at.Sub(now))
			due = timer.C
		}
		n.mu.Unlock()
		select {
		case <-n.wake:
		case <-due:
		}
		n.mu.Lock()
	}
	n.mu.Unlock()
}
