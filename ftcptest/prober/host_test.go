package prober

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// A host is a TCP under test. It has an address of each version, and delivers what it sends to a network.
type host interface {
	addr(v6 bool) netip.Addr
	send(packet []byte)
	listen(port uint16, o options) (listener, error)
	dial(ctx context.Context, remote netip.AddrPort) (conn, error)
	close()
}

// options of a probe's listener.
type options struct {
	v6      bool
	buffer  int // receive buffer, in bytes; 0: the default
	backlog int // 0: the default
}

type listener interface {
	accept(timeout time.Duration) (conn, error)
	port() uint16
	close()
}

// A conn is a socket of the host: *net.TCPConn's methods.
type conn interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	Close() error
	CloseRead() error
	CloseWrite() error
	SetReadDeadline(time.Time) error
	SetLinger(sec int) error
	SetNoDelay(bool) error
	keepAlive(idle, interval time.Duration, count int) error
}

// A network is where a host's packets come out: it hands them to the probe that has the address.
type network struct {
	mu       sync.Mutex
	stations map[netip.Addr]*probe
}

func (n *network) plug(p *probe) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stations == nil {
		n.stations = map[netip.Addr]*probe{}
	}
	n.stations[p.addr] = p
}

func (n *network) unplug(p *probe) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.stations, p.addr)
}

// deliver hands a packet of the host's on. What is for nobody is lost.
func (n *network) deliver(packet []byte) {
	at := time.Now()
	ip, payload, err := wire.ParseIP(packet)
	if err != nil {
		return
	}
	n.mu.Lock()
	p := n.stations[ip.Dst]
	n.mu.Unlock()
	if p != nil {
		p.deliver(at, &ip, payload, packet)
	}
}
