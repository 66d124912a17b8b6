package replication

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/ftcp-project/ftcp/replication/arbiter"
	"github.com/ftcp-project/ftcp/replication/mirror"
	"github.com/ftcp-project/ftcp/replication/peerlink"
)

// Config configures a Group.
type Config struct {
	Group     string             // name
	Keys      *peerlink.Keys     // of the group
	Bind      string             // address on which other nodes reach this one
	Peers     []string           // the other nodes; this one may be among them
	Transport peerlink.Transport // nil: the kernel's TCP

	// Heartbeat is the time between two signs of life, and Misses how many of them may be
	// missed. Zero: DefaultHeartbeat and DefaultMisses.
	Heartbeat time.Duration
	Misses    int

	// MaxLag is how long a connection may wait for the standby's handler before it goes on
	// unprotected. Zero: DefaultMaxLag.
	MaxLag time.Duration

	// History is how many bytes of its input a connection keeps for a standby that
	// comes later. Zero: DefaultHistory; negative: none.
	History int

	// Arbiter keeps the record of who serves. Nil: the pair's rule decides.
	Arbiter arbiter.Arbiter

	// ClaimAfter is how long a node that knows of an earlier reign, and neither hears of it nor
	// has proof that it is over, waits before it serves anew. Zero: DefaultClaimAfter, and with an
	// Arbiter for ever.
	ClaimAfter time.Duration

	// ReceiveBuffer and SendBuffer are compared with the other node's.
	ReceiveBuffer, SendBuffer int64

	// NoWake leaves out the ICMP messages that make peers re-send at once after a takeover.
	NoWake bool

	Logger *slog.Logger // nil: slog.Default
}

// Defaults: a machine that stops is noticed in less than 200 ms, so that the
// peers' first retransmissions find the new node.
const (
	DefaultHeartbeat  = 50 * time.Millisecond
	DefaultMisses     = 3
	DefaultMaxLag     = 5 * time.Second
	DefaultHistory    = 256 << 10
	DefaultClaimAfter = 10 * time.Second
)

func (c *Config) setDefaults() {
	if c.Transport == nil {
		c.Transport = peerlink.TCP{}
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = DefaultHeartbeat
	}
	if c.Misses == 0 {
		c.Misses = DefaultMisses
	}
	if c.MaxLag == 0 {
		c.MaxLag = DefaultMaxLag
	}
	if c.History == 0 {
		c.History = DefaultHistory
	}
	if c.ClaimAfter == 0 && c.Arbiter == nil {
		c.ClaimAfter = DefaultClaimAfter
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// silence is how long the other side may be silent before that means something.
func (c *Config) silence() time.Duration { return c.Heartbeat * time.Duration(c.Misses) }

// slot names this node's place in its group: the address on which it is reached, if that is one.
// Empty: there is no name that no other node has.
func (c *Config) slot() string {
	if a, err := netip.ParseAddrPort(c.Bind); err == nil && !a.Addr().IsUnspecified() {
		return a.String()
	}
	return ""
}

// Errors of connections that this node has lost to another one, see package mirror.
var (
	ErrFenced      = mirror.ErrFenced
	ErrUnprotected = mirror.ErrUnprotected
)

// ErrNoStandby is the error of a handover when no standby is in sync.
var ErrNoStandby = errors.New("replication: no standby is in sync")

// ErrNotTaken is the error of a handover whose standby was lost before it had taken over.
var ErrNotTaken = errors.New("replication: the standby was lost before it had taken over; this node serves on")
