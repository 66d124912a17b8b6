package stack

import (
	"errors"
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// Errors of Restore.
var (
	ErrExists  = errors.New("stack: the connection exists already")
	ErrNoRoute = errors.New("stack: no link has the connection's address")
)

// Restore makes a replica of a connection of another node: it is read and
// written by this node's server, and nobody speaks to its peer until TakeOver. Dialed is its
// number, if it was dialed there; then it is for a Dial here, and never for a listener.
// What attach returns is attached before anybody sees the connection: see [Conn.Attach].
func (s *Stack) Restore(local, remote netip.AddrPort, mac wire.MAC, snap tcp.Snapshot, dialed uint64, attach func(*Conn) any) (*Conn, error) {
	link := s.linkFor(local.Addr())
	if link == nil {
		return nil, ErrNoRoute
	}
	now := time.Now()
	core, err := tcp.Restore(s.coreConfig(link, local, remote, now), snap, now)
	if err != nil {
		return nil, err
	}
	c := newConn(s, link, tuple{local, remote}, core)
	c.peerMAC, c.dialed = mac, dialed
	c.waiting = true
	if attach != nil {
		c.Attach(attach(c))
	}
	if !s.insert(c) {
		return nil, ErrExists
	}
	return c, nil
}

// Answer tells a replica of the peer's SYN, and where it came from: see [tcp.Core.Answer].
func (c *Conn) Answer(mac wire.MAC, snap tcp.Snapshot) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if err := c.core.Answer(now, snap); err != nil {
		return err
	}
	c.peerMAC = mac
	c.flush(now)
	return nil
}

// Lose ends a connection that this node cannot go on with, without a word to its peer. A Dial that
// waits for it waits for another one.
func (c *Conn) Lose(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	if c.dialed > 0 && !c.core.Ended() {
		c.lost = true
		c.stack.dials.drop(c)
	}
	c.core.End(err)
	c.flush(time.Now())
}

func (s *Stack) linkFor(addr netip.Addr) *Link {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, l := range s.links {
		if l.cfg.Addr == addr || !l.cfg.Addr.IsValid() {
			return l
		}
	}
	return nil
}

// PeerMAC is where the peer's frames came from last; zero without Ethernet. It must
// be called from within View, Do or an Observer.
func (c *Conn) PeerMAC() wire.MAC { return c.peerMAC }

// TakeOver makes this node the one that speaks to the peer: see [tcp.Core.TakeOver]. The
// stack must be active. tsShift is what [Stack.AdvanceTimestamp] has returned. If recent
// is set, the peer may well have data outstanding, and is woken.
func (c *Conn) TakeOver(tsShift uint32, recent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.core.Replica() {
		return
	}
	now := time.Now()
	c.core.TakeOver(now, tsShift)
	c.takeOverDeadlines()
	c.offerReplica()
	if c.dialed > 0 {
		c.stack.dials.expire(c, DialWait)
	}
	c.flush(now)
	// A peer that still waits for our SYN would take the second for an answer, and give up.
	if recent && c.core.Established() && !c.core.Ended() {
		c.wake(wakeTooBig)
		c.wake(wakeUnreachable)
	}
}

// offerReplica gives a replica whose handshake is over to its listener, if there is one. One that was
// dialed waits for a Dial.
func (c *Conn) offerReplica() {
	if !c.waiting {
		return
	}
	if c.dialed > 0 {
		c.waiting = false
		c.stack.dials.offer(c)
		return
	}
	l := c.stack.listener(c.local)
	switch {
	case l == nil:
	case c.core.Established():
		c.waiting = false
		l.offer(c)
	case !c.core.Replica():
		// Taken over in the middle of its handshake.
		c.waiting = false
		if l.admit(true) == admitted {
			c.listener = l
		} else {
			c.core.End(nil)
		}
	}
}
