package node

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/ftcp-project/ftcp/replication"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/local"
)

// Config is what a node is told. The Group's Keys and the Local's Grouped and MAC are the
// node's to set, as are the Stack's Key and PortFree.
type Config struct {
	Stack stack.Config
	Local local.Config
	Group replication.Config

	// Secret is the group's. A node with peers, or with an address for them, needs it.
	Secret []byte

	// Port is the port of links whose addresses have none.
	Port string

	// Mode has to be zero.
	Mode int

	// OwnMAC leaves service addresses with the devices' own Ethernet addresses.
	OwnMAC bool

	// From is the address that is dialed from. Zero: see [local.Links.Source].
	From netip.Addr
}

// grouped says that the node is, or can become, one of several.
func (c *Config) grouped() bool { return len(c.Group.Peers) > 0 || c.Group.Bind != "" }

// Limits beyond which a value can only be a mistake.
const (
	maxGroup     = 255
	maxHeartbeat = time.Minute
	maxMisses    = 1000
	maxHistory   = 1 << 30
)

// check says what is wrong with the configuration, but for the addresses of links.
func (c *Config) check() error {
	g := &c.Group
	switch {
	case !utf8.ValidString(g.Group) || len(g.Group) > maxGroup:
		return fmt.Errorf("ftcp: Node.Group must be text of at most %d bytes", maxGroup)
	case c.Mode != 0:
		return fmt.Errorf("ftcp: Node.Mode %d does not exist", c.Mode)
	case g.Heartbeat < 0 || g.Misses < 0 || g.MaxLag < 0 || g.ClaimAfter < 0:
		return errors.New("ftcp: Node.Heartbeat, Misses, MaxLag and ClaimAfter must not be negative")
	case g.Heartbeat > maxHeartbeat || g.Misses > maxMisses:
		return fmt.Errorf("ftcp: Node.Heartbeat must be at most %v, and Misses %d", maxHeartbeat, maxMisses)
	case g.History > maxHistory:
		return errors.New("ftcp: Node.History must be at most 1 GiB")
	case !c.grouped() && len(c.Secret) > 0:
		return errors.New("ftcp: a Node with a Secret needs Peers or Bind")
	}
	return local.Check(c.Stack, c.From)
}
