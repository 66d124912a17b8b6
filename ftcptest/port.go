package ftcptest

import (
	"fmt"
	"net"
	"sync"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// queueLimit is how many bytes a port holds in either direction: far more than
// TCP keeps in flight, and little enough for a test that runs away.
const queueLimit = 32 << 20

// A Port is a device plugged into a Network.
type Port struct {
	net  *Network
	name string
	mac  wire.MAC

	// The rest is guarded by net.mu.

	closed    bool
	unplugged bool
	deaf      bool // nothing comes in
	mute      bool // nothing goes out
	paused    bool
	group     int     // of the partition
	faults    *Faults // nil: the network's
	line      line

	pending int   // bytes written that have not reached the switch
	held    queue // those of them that were written in a pause

	readable sync.Cond // inbound, paused or closed has changed
	inbound  queue
	unread   int // bytes in inbound
}

var _ device.Device = (*Port)(nil)

// Name returns the name given to Network.Port.
func (p *Port) Name() string { return p.name }

// Features implements device.Device.
func (p *Port) Features() device.Features {
	f := device.Features{MTU: p.net.mtu(), MAC: p.mac}
	if p.net.Offload {
		f.GSO, f.Checksum = maxGSO, true
	}
	return f
}

// Read implements device.Device.
func (p *Port) Read(pkts []device.Inbound) (int, error) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	for !p.closed && (p.paused || p.inbound.empty()) {
		p.readable.Wait()
	}
	if p.closed {
		return 0, p.errClosed()
	}
	i := 0
	for ; i < len(pkts); i++ {
		s, ok := p.inbound.pop()
		if !ok {
			break
		}
		p.unread -= len(s.data)
		pkts[i].N = copy(pkts[i].Buf, s.data)
		pkts[i].Verified = false
		pkts[i].SegmentSize = 0
	}
	return i, nil
}

// Write implements device.Device. It never waits.
func (p *Port) Write(pkts []device.Outbound) error {
	frames := make([][]byte, 0, len(pkts))
	for i := range pkts {
		frames = p.appendFrames(frames, &pkts[i])
	}
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	if p.closed {
		return p.errClosed()
	}
	for _, data := range frames {
		p.net.stats.Sent++
		if p.pending+len(data) > queueLimit {
			p.net.stats.QueueFull++
			continue
		}
		p.pending += len(data)
		p.net.leaving.push(sending{p, data})
	}
	p.net.kick()
	return nil
}

// Close removes the device, as the end of its program does: what it has
// written still leaves, unless it is paused. It implements device.Device.
func (p *Port) Close() error {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.close()
	return nil
}

func (p *Port) close() {
	if p.closed {
		return
	}
	p.closed = true
	p.inbound, p.held = queue{}, queue{}
	n := p.net
	for i, q := range n.ports {
		if q == p {
			n.ports = append(n.ports[:i], n.ports[i+1:]...)
			break
		}
	}
	n.forget(p)
	p.readable.Broadcast()
}

func (p *Port) errClosed() error {
	return fmt.Errorf("ftcptest: port %s: %w", p.name, net.ErrClosed)
}

// Unplug pulls the cable. Nothing comes in or goes out, which the program at
// this end is not told. Frames that the network has not taken up yet are
// lost; those that have left arrive.
func (p *Port) Unplug() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.unplugged = true
	p.net.forget(p)
}

// Plug undoes Unplug.
func (p *Port) Plug() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.unplugged = false
}

// Break breaks directions of the cable, as a bad plug does. Neither end's link goes
// down, and the switch forgets nothing. Frames that are lost by it count as
// Unplugged. Break(false, false) mends it.
func (p *Port) Break(in, out bool) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.deaf, p.mute = in, out
}

// Pause stops the machine, as far as the network can tell: Read waits, and what
// is written is kept back. Frames for it go on queueing up. The program does not
// notice, and its timers go on.
func (p *Port) Pause() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.paused = true
}

// Resume undoes Pause: all that has queued up, in both directions, moves on.
func (p *Port) Resume() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.paused = false
	// What was held is older than what is still in the queue.
	for s, ok := p.net.leaving.pop(); ok; s, ok = p.net.leaving.pop() {
		p.held.push(s)
	}
	p.net.leaving, p.held = p.held, queue{}
	if !p.closed {
		p.net.kick()
	}
	p.readable.Broadcast()
}

// SetFaults sets the faults of this port's cable, in place of the network's,
// for the frames that leave from now on.
func (p *Port) SetFaults(f Faults) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.faults = &f
}
