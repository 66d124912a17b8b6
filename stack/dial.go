package stack

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

// Dial opens a connection from local, by way of link, to remote. If local's
// port is zero, a free one is chosen. Besides those of a Conn, errors are ctx's and those of
// package errno.
func (s *Stack) Dial(ctx context.Context, link *Link, local, remote netip.AddrPort) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !s.Active() {
		return nil, ErrNotActive
	}
	if p := link.cfg.Prefix; link.ethernet() && p.IsValid() && !p.Contains(remote.Addr()) && !link.cfg.Gateway.IsValid() {
		return nil, errno.NetUnreachable
	}
	c, err := s.open(link, local, remote)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.writing.cond.Broadcast()
	})
	defer stop()

	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush(time.Now())
	for !c.core.Established() && !c.core.Ended() {
		if err := ctx.Err(); err != nil {
			c.core.Abort(time.Now())
			c.flush(time.Now())
			return nil, err
		}
		c.writing.wait()
	}
	if c.core.Ended() {
		if err := c.core.Err(); err != nil {
			return nil, err
		}
		return nil, tcp.ErrReset
	}
	return c, nil
}

// ErrNotActive is the error of Dial on a stack that another one speaks for.
var ErrNotActive = errors.New("stack: another node is the active one")

// Ports that are chosen for connections: RFC 6335 section 6 has 49152 and up, Linux, like us, more.
const firstPort, lastPort = 32768, 60999

// open makes the connection and puts it into the table.
func (s *Stack) open(link *Link, local, remote netip.AddrPort) (*Conn, error) {
	for range 100 {
		from := local
		if from.Port() == 0 {
			from = netip.AddrPortFrom(from.Addr(), uint16(firstPort+rand.IntN(lastPort-firstPort+1)))
		}
		now := time.Now()
		core := tcp.Connect(s.coreConfig(link, from, remote, now), now)
		c := newConn(s, link, tuple{from, remote}, core)
		// A connection to itself is possible in TCP, and never what is meant.
		if from != remote && s.listenerExact(from) == nil && s.insert(c) {
			return c, nil
		}
		if s.isClosed() {
			return nil, net.ErrClosed
		}
		if local.Port() != 0 {
			return nil, errno.AddrInUse
		}
	}
	return nil, errno.AddrNotAvail
}

func (s *Stack) listenerExact(addr netip.AddrPort) *Listener {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.listeners[addr]
}

func (s *Stack) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}
