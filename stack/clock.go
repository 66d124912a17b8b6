package stack

import (
	"sync"
	"time"
)

// clock is where the timestamps of a stack's connections come from: RFC 7323. A node that
// takes over goes on above what the one before can have sent, with new connections too:
// the peer of one in TIME-WAIT takes a SYN with a lower timestamp for an old one (RFC
// 6191).
type clock struct {
	mu    sync.Mutex
	epoch time.Time // when it was zero
}

func (c *clock) began() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

func (c *clock) timestamp() uint32 { return uint32(time.Since(c.began()) / time.Millisecond) }

// Timestamp is the clock of TCP timestamps, in milliseconds, before any connection's
// offset.
func (s *Stack) Timestamp() uint32 { return s.clock.timestamp() }

// AdvanceTimestamp moves the clock of TCP timestamps forward to to, if that is ahead, for
// all connections that are made from here on. It returns by how much; those that are here
// already are moved by [Conn.TakeOver].
func (s *Stack) AdvanceTimestamp(to uint32) (shift uint32) {
	c := &s.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	now := uint32(time.Since(c.epoch) / time.Millisecond)
	if int32(to-now) <= 0 {
		return 0
	}
	shift = to - now
	c.epoch = c.epoch.Add(-time.Duration(shift) * time.Millisecond)
	return shift
}
