package ftcptest

import (
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// A place is where an address can be learned: the parts of a partitioned network
// learn separately.
type place struct {
	group int
	mac   wire.MAC
}

// A sending is a frame and the port that sent it.
type sending struct {
	from *Port
	data []byte // never changed, since several ports may hold it
}

// leave puts a frame on its sender's cable. The caller holds n.mu, which is
// released while Filter runs.
func (n *Network) leave(now time.Time, s sending) {
	p := s.from
	if p.paused {
		p.held.push(s)
		return
	}
	p.pending -= len(s.data)
	if p.unplugged || p.mute {
		n.stats.Unplugged++
		return
	}
	if len(s.data) < wire.EthernetLen || len(s.data) > wire.EthernetLen+n.mtu() {
		n.stats.Unsendable++
		return
	}
	n.pcap.frame(now, s.data)
	verdict := Pass
	if n.Filter != nil {
		f := Frame{From: p.name, At: now, Data: s.data}
		if to := n.known(s); to != nil {
			f.To = to.name
		}
		n.mu.Unlock()
		verdict = n.Filter(f)
		n.mu.Lock()
	}
	if verdict < 0 {
		n.stats.Filtered++
		return
	}
	faults := n.Faults
	if p.faults != nil {
		faults = *p.faults
	}
	p.line.transmit(now, s.data, faults, &n.stats, func(at time.Time, data []byte) {
		p.pending += len(data)
		n.seq++
		n.flights.push(flight{sending{p, data}, at.Add(time.Duration(verdict)), n.seq})
	})
}

// arrive hands a frame that has reached the switch to the ports that it is for.
// The caller holds n.mu.
func (n *Network) arrive(f flight) {
	f.from.pending -= len(f.data)
	if src := wire.MAC(f.data[6:12]); !src.IsMulticast() && !f.from.unplugged && !f.from.closed {
		n.table[place{f.from.group, src}] = f.from
	}
	if to := n.known(f.sending); to != nil {
		if to != f.from {
			n.deliver(f.sending, to)
		}
		return
	}
	for _, to := range n.ports {
		if to != f.from {
			n.deliver(f.sending, to)
		}
	}
}

// known returns the port that the switch has learned for the frame's
// destination, or nil if the frame goes to all.
func (n *Network) known(s sending) *Port {
	return n.table[place{s.from.group, wire.MAC(s.data[:6])}]
}

// forget drops what the switch has learned about p, as it does when the link
// goes down.
func (n *Network) forget(p *Port) {
	for place, q := range n.table {
		if q == p {
			delete(n.table, place)
		}
	}
}

func (n *Network) deliver(s sending, to *Port) {
	switch {
	case to.group != s.from.group:
		n.stats.Partitioned++
	case to.unplugged || to.deaf:
		n.stats.Unplugged++
	case to.unread+len(s.data) > queueLimit:
		n.stats.Overflowed++
	default:
		n.stats.Delivered++
		to.unread += len(s.data)
		to.inbound.push(s)
		to.readable.Signal()
	}
}
