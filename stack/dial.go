package stack

import (
	"context"
	"encoding/binary"
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
//
// On a stack that another one speaks for, Dial waits for the replica of a connection from local's address to
// remote that the active node's program has dialed. It ends as that does. If the stack becomes
// active before there is one, Dial opens the connection itself.
func (s *Stack) Dial(ctx context.Context, link *Link, local, remote netip.AddrPort) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if link.nobody(remote.Addr()) {
		return nil, errno.NetUnreachable
	}
	if link.ethernet() {
		if _, err := link.hop(remote.Addr()); err != nil {
			return nil, err
		}
	}
	for {
		c, err := s.dialed(ctx, link, local, remote)
		if err != nil {
			return nil, err
		}
		if lost, err := c.handshake(ctx); err != nil {
			return nil, err
		} else if !lost {
			return c, nil
		}
	}
}

// nobody says that addr cannot be a peer's: RFC 9293 section 3.9.1.1. The error is what Linux has for it.
func (l *Link) nobody(addr netip.Addr) bool {
	if addr.IsMulticast() || addr.IsUnspecified() || addr == broadcast {
		return true
	}
	p := l.cfg.Prefix
	if !addr.Is4() || !p.IsValid() || p.Bits() >= 31 || !p.Contains(addr) {
		return false
	}
	all := uint32(1)<<(32-p.Bits()) - 1
	a := addr.As4()
	return binary.BigEndian.Uint32(a[:])&all == all // a broadcast in our network
}

// dialed returns the connection that is to be a Dial's, not yet established.
func (s *Stack) dialed(ctx context.Context, link *Link, local, remote netip.AddrPort) (*Conn, error) {
	key := dialKey{local.Addr(), remote}
	for {
		c, wait, err := s.dials.take(key, s.Active)
		if err == nil && c == nil && wait == nil {
			c, err = s.open(link, local, remote)
		}
		if err != nil || c != nil {
			return c, err
		}
		select {
		case c := <-wait:
			if c != nil {
				return c, nil
			}
		case <-ctx.Done():
			if c := s.dials.leave(key, wait); c != nil {
				c.giveUp()
			}
			return nil, ctx.Err()
		}
	}
}

// handshake waits until c is established. It returns true if this node has lost the connection meanwhile,
// and nobody has seen it yet: there will be another one.
func (c *Conn) handshake(ctx context.Context) (lost bool, err error) {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.writing.cond.Broadcast()
	})
	defer stop()

	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.core.Established() && !c.core.Ended() {
		if err := ctx.Err(); err != nil {
			c.giveUpLocked()
			return false, err
		}
		c.writing.wait()
	}
	switch {
	case c.lost:
		return true, nil
	case c.core.Established():
		return false, nil
	case c.core.Err() != nil:
		return false, c.core.Err()
	}
	return false, tcp.ErrReset
}

// ErrGivenUp is the error of a replica whose Dial was given up by this node's program. The active node's may
// go on with the connection.
var ErrGivenUp = errors.New("stack: the standby's program has given up the Dial")

// giveUp ends a connection whose Dial has been given up.
func (c *Conn) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveUpLocked()
}

func (c *Conn) giveUpLocked() {
	now := time.Now()
	if c.core.Replica() {
		c.core.End(ErrGivenUp)
	} else {
		c.core.Abort(now)
	}
	c.flush(now)
}

// Ports that are chosen for connections: RFC 6335 section 6 has 49152 and up, Linux, like us, more.
const firstPort, lastPort = 32768, 60999

// open makes the connection, puts it into the table and starts it. It returns neither a connection nor an error if
// the stack is not active any more.
func (s *Stack) open(link *Link, local, remote netip.AddrPort) (*Conn, error) {
	for range 100 {
		from := local
		if from.Port() == 0 {
			from = netip.AddrPortFrom(from.Addr(), uint16(firstPort+rand.IntN(lastPort-firstPort+1)))
		}
		now := time.Now()
		core := tcp.Connect(s.coreConfig(link, from, remote, now), now)
		c := newConn(s, link, tuple{from, remote}, core)
		c.dialed = s.dials.number()
		// A connection to itself is possible in TCP, and never what is meant.
		if from != remote && s.listenerExact(from) == nil {
			if placed, active := s.start(c, now); !active {
				return nil, nil
			} else if placed {
				return c, nil
			}
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

// start puts c into the table, if its place is not taken, and sends the SYN, if the stack is still active.
func (s *Stack) start(c *Conn, now time.Time) (placed, active bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.insert(c) {
		return false, true
	}
	if !s.Active() {
		s.remove(c) // Deactivate may have looked through the table before c was there
		return false, false
	}
	if s.observer != nil {
		s.observer.Opened(c, c.core)
	}
	c.flush(now)
	return true, true
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
