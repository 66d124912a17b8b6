package stack

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// Config configures a Stack. The zero value is useful.
type Config struct {
	// Key is the secret of the initial sequence numbers (RFC 6528). Nodes that
	// may answer for each other share it. Zero: a random one.
	Key [32]byte

	// ReceiveBuffer and SendBuffer are what a connection's buffers may grow to, in
	// bytes, as its path needs it. The receive buffer bounds the window that the peer is offered.
	// Zero: DefaultBuffer.
	ReceiveBuffer, SendBuffer int

	// OutOfOrder bounds the memory, in bytes, that all connections together use for data that arrived out
	// of order; each one's part is at most twice its receive buffer. Zero: DefaultOutOfOrder.
	OutOfOrder int64

	// Backlog is how many connections of a listener may wait for Accept, and how
	// many handshakes may be under way. Zero: DefaultBacklog.
	Backlog int

	// Congestion makes the congestion controllers. Nil: tcp.NewCubic.
	Congestion func(mss int) tcp.Congestion

	// ECN makes active opens ask for Explicit Congestion Notification (RFC 3168). Passive ones grant it in any case.
	ECN bool

	// TTL is the time to live, or hop limit, of what connections send. Zero: 64.
	TTL uint8

	// TrafficClass is the DS field of what connections send, in the upper six bits (RFC 2474), unless they have one of
	// their own. The lower two are ECN's, and ignored here.
	TrafficClass uint8

	// PortFree, if not nil, is called, in a goroutine of its own, when the last listener or connection of a
	// local port is gone.
	PortFree func(port uint16)

	// Logger is told of what an operator should know. Nil: slog.Default.
	Logger *slog.Logger
}

// Default limits.
const (
	DefaultBuffer     = 4 << 20
	DefaultOutOfOrder = 64 << 20
	DefaultBacklog    = 4096
)

// Stack answers for addresses. Its methods may be called at the same time.
type Stack struct {
	cfg   Config
	clock clock
	log   *slog.Logger
	Stats Stats

	// active says that this stack is the one that answers. One that is not
	// hears only answers to its probes, and sends nothing but these.
	active atomic.Bool

	cookiesUntil atomic.Int64 // when the last cookie expires, in Unix seconds
	early        *tcp.Budget  // for data out of order
	observer     Observer
	sure         func() bool
	dials        dialPairs
	presence     func(l *Link, from wire.MAC, payload []byte)

	mu        sync.RWMutex
	conns     map[tuple]*Conn
	listeners map[netip.AddrPort]*Listener
	ports     map[uint16]int // listeners and connections of a local port
	links     []*Link
	closed    bool
}

// tuple names a connection.
type tuple struct{ local, remote netip.AddrPort }

// An Observer follows the connections of a stack. Its methods are called with
// the connection locked; they must not wait and not call the connection's methods.
type Observer interface {
	// Opened is called when a connection has begun, by a peer's SYN or by Dial, before anything is sent.
	Opened(*Conn, *tcp.Core)

	// News is called after anything about the connection may have changed.
	News(*Conn, *tcp.Core)

	// Expired is called when a Read, or a Write, of a connection that is no replica has found its
	// deadline expired by its timer; at is up to where the user had read, or written.
	Expired(c *Conn, core *tcp.Core, write bool, at int64)
}

// Stats counts what is dropped, and why.
type Stats struct {
	Received        atomic.Uint64 // packets
	Malformed       atomic.Uint64 // packets that are no packets, or ask for what is not done for anybody
	BadChecksum     atomic.Uint64
	Martians        atomic.Uint64 // packets from addresses that cannot be anybody's, or for us by broadcast
	Fragments       atomic.Uint64 // pieces of IP packets
	Reassembled     atomic.Uint64 // packets that were put together from them
	FragmentsBad    atomic.Uint64 // packets given up since their fragments overlapped or contradicted each other
	FragmentsLate   atomic.Uint64 // packets given up since a fragment was missing for too long
	FragmentsNoRoom atomic.Uint64 // packets given up for others, or since they came in too many fragments
	NoListener      atomic.Uint64 // segments for connections and ports that do not exist
	Early           atomic.Uint64 // segments, and errors, for connections whose turn at a takeover has not come
	Backlog         atomic.Uint64 // SYNs for a listener whose queue for Accept is full
	Cookies         atomic.Uint64 // SYNs that were answered with a cookie: there were too many half-open connections
	Conflicts       atomic.Uint64 // another station claimed one of our addresses
	BadICMP         atomic.Uint64 // ICMP errors that quote nothing that we have under way
	OutOfOrder      atomic.Uint64 // segments out of order that there was no memory for; they come again
	ResetsHeld      atomic.Uint64 // times that a RST was held back, in doubt whether another node has taken over
}

// New returns a stack without links, which is active.
func New(cfg Config) *Stack {
	if cfg.Key == [32]byte{} {
		rand.Read(cfg.Key[:])
	}
	if cfg.ReceiveBuffer == 0 {
		cfg.ReceiveBuffer = DefaultBuffer
	}
	if cfg.SendBuffer == 0 {
		cfg.SendBuffer = DefaultBuffer
	}
	if cfg.OutOfOrder == 0 {
		cfg.OutOfOrder = DefaultOutOfOrder
	}
	if cfg.Backlog == 0 {
		cfg.Backlog = DefaultBacklog
	}
	if cfg.TTL == 0 {
		cfg.TTL = 64
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Stack{
		cfg: cfg, clock: clock{epoch: time.Now()}, log: cfg.Logger,
		conns: map[tuple]*Conn{}, listeners: map[netip.AddrPort]*Listener{}, ports: map[uint16]int{},
		sure: func() bool { return true },
	}
	s.early = tcp.NewBudget(cfg.OutOfOrder, &s.Stats.OutOfOrder)
	s.active.Store(true)
	return s
}

// Observe sets the observer, and the function that says whether this node can
// be sure that it is the active one: without that certainty it sends no RST and answers
// no question for its address. Call it before the first link.
func (s *Stack) Observe(o Observer, sure func() bool) {
	s.observer, s.sure = o, sure
}

// Conns returns all connections, in no order.
func (s *Stack) Conns() []*Conn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	conns := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

func (s *Stack) conn(t tuple) *Conn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.conns[t]
}

// insert adds c to the table; false if its place is taken or the stack is closed.
func (s *Stack) insert(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := tuple{c.local, c.remote}
	if s.closed || s.conns[t] != nil {
		return false
	}
	s.conns[t] = c
	s.ports[c.local.Port()]++
	return true
}

// PortUsed says whether there is a listener or connection of a local port.
func (s *Stack) PortUsed(port uint16) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ports[port] > 0
}

// leavePort is called, with mu held, when a listener or connection of a local port is gone.
func (s *Stack) leavePort(port uint16) {
	if s.ports[port]--; s.ports[port] == 0 {
		delete(s.ports, port)
		if s.cfg.PortFree != nil {
			go s.cfg.PortFree(port)
		}
	}
}

func (s *Stack) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := (tuple{c.local, c.remote}); s.conns[t] == c {
		delete(s.conns, t)
		s.leavePort(c.local.Port())
	}
}

// listener returns who listens on addr; nil if nobody does.
func (s *Stack) listener(addr netip.AddrPort) *Listener {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if l := s.listeners[addr]; l != nil {
		return l
	}
	any4, any6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	if addr.Addr().Is4() {
		if l := s.listeners[netip.AddrPortFrom(any4, addr.Port())]; l != nil {
			return l
		}
	}
	return s.listeners[netip.AddrPortFrom(any6, addr.Port())]
}

// Activate makes the stack answer for its addresses, and announces them.
func (s *Stack) Activate() {
	s.active.Store(true)
	s.dials.release(false)
	s.expectCookies(time.Now()) // of the node before
	s.Announce()
}

// Deactivate silences the stack. Its connections, which another node
// goes on with, end here without a word to their peers, with err.
func (s *Stack) Deactivate(err error) {
	s.active.Store(false)
	for _, c := range s.Conns() {
		c.Lose(err)
	}
	s.dials.reset()
}

// Silence keeps the stack from answering, before it has ever been active or after; its connections
// stay.
func (s *Stack) Silence() { s.active.Store(false) }

// Active says whether the stack answers for its addresses.
func (s *Stack) Active() bool { return s.active.Load() }

// Close ends the stack: listeners, connections and links. If the stack is active, the
// peers are told by RST.
func (s *Stack) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	links, listeners := s.links, slices.Collect(maps.Values(s.listeners))
	s.mu.Unlock()

	s.dials.release(true)
	for _, l := range listeners {
		l.Close()
	}
	for _, c := range s.Conns() {
		c.Do(func(core *tcp.Core) {
			if core.Replica() {
				core.End(net.ErrClosed)
			} else {
				core.Abort(time.Now())
			}
		})
		// A RST that may not leave now never will.
		c.Do(func(core *tcp.Core) { core.End(net.ErrClosed) })
	}
	var err error
	for _, l := range links {
		if e := l.close(); e != nil && err == nil {
			err = fmt.Errorf("stack: closing a link: %w", e)
		}
	}
	return err
}

// coreConfig is the configuration of a core that uses link l towards remote.
func (s *Stack) coreConfig(l *Link, local, remote netip.AddrPort, now time.Time) tcp.Config {
	headers, defaultMSS := 40, 0
	if remote.Addr().Is6() {
		headers, defaultMSS = 60, tcp.DefaultMSS6
	}
	mtu := l.mtuFor(remote.Addr())
	cfg := tcp.Config{
		MSS:           mtu - headers,
		DefaultMSS:    defaultMSS,
		ReceiveBuffer: s.cfg.ReceiveBuffer,
		SendBuffer:    s.cfg.SendBuffer,
		ISS:           initialSequence(&s.cfg.Key, local, remote, now),
		TSOffset:      timestampOffset(&s.cfg.Key, local, remote),
		Epoch:         s.clock.began(),
		Early:         s.early,
		Congestion:    s.cfg.Congestion,
		ECN:           s.cfg.ECN,
	}
	if f := l.hw.Load().features; f.GSO > 0 {
		cfg.GSO = min(f.GSO, device.BufferSize) - headers - maxOptions - linkHeaderLen
	}
	return cfg
}

const (
	maxOptions    = 40
	linkHeaderLen = 14
)
