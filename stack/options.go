package stack

import (
	"net"
	"time"

	"github.com/ftcp-project/ftcp/stack/tcp"
)

// SetLinger is net.TCPConn's: with 0, Close sends a RST and discards what was not
// delivered. Other values leave the default, which is to deliver it in the background.
func (c *Conn) SetLinger(sec int) error {
	return c.set(func(*tcp.Core) { c.linger = sec })
}

// SetNoDelay turns Nagle's algorithm off (the default) or on.
func (c *Conn) SetNoDelay(on bool) error {
	return c.set(func(core *tcp.Core) { core.SetNoDelay(on) })
}

// SetKeepAlive probes a silent peer; idle 0 turns it off.
func (c *Conn) SetKeepAlive(idle, interval time.Duration, count int) error {
	return c.set(func(core *tcp.Core) { core.SetKeepAlive(time.Now(), idle, interval, count) })
}

// SetUserTimeout ends the connection when the peer acknowledges nothing of what there is
// to send for so long: see [tcp.Core.SetUserTimeout].
func (c *Conn) SetUserTimeout(d time.Duration) error {
	return c.set(func(core *tcp.Core) { core.SetUserTimeout(d) })
}

// SetTrafficClass sets the DS field of what is sent from now on: see Config.TrafficClass.
func (c *Conn) SetTrafficClass(class uint8) error {
	return c.set(func(*tcp.Core) { c.class = class })
}

// SetReadBuffer fixes the size of the receive buffer, in bytes.
func (c *Conn) SetReadBuffer(bytes int) error {
	return c.set(func(core *tcp.Core) { core.SetBuffers(bytes, 0) })
}

// SetWriteBuffer fixes the size of the send buffer, in bytes.
func (c *Conn) SetWriteBuffer(bytes int) error {
	return c.set(func(core *tcp.Core) { core.SetBuffers(0, bytes) })
}

func (c *Conn) set(f func(*tcp.Core)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	f(c.core)
	c.flush(time.Now())
	return nil
}
