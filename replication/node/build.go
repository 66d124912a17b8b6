package node

import (
	"cmp"
	"net"

	"github.com/ftcp-project/ftcp/replication"
	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/local"
)

// build returns what the node is built of. The first call checks the configuration and
// makes it.
func (n *Node) build() (parts, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.failed != nil:
		return parts{}, n.failed
	case n.closed:
		return parts{}, net.ErrClosed
	case n.built.links != nil:
		return n.built, nil
	}
	if err := n.cfg.check(); err != nil {
		return parts{}, err
	}
	var err error
	n.built, err = n.cfg.build()
	return n.built, err
}

// build makes the stack, without links, and the group, which is not joined yet.
func (c *Config) build() (parts, error) {
	if !c.grouped() {
		return parts{links: local.New(c.Stack, c.Local)}, nil
	}
	keys, err := peerlink.DeriveKeys(c.Group.Group, c.Secret)
	if err != nil {
		return parts{}, err
	}
	group := c.Group
	if group.Peers, group.Bind, err = withPorts(group.Peers, group.Bind, c.Port); err != nil {
		return parts{}, err
	}
	group.Keys = keys
	group.ReceiveBuffer = int64(cmp.Or(c.Stack.ReceiveBuffer, stack.DefaultBuffer))
	group.SendBuffer = int64(cmp.Or(c.Stack.SendBuffer, stack.DefaultBuffer))
	config, places := c.Stack, c.Local
	config.Key = keys.ISN()
	places.Grouped = true
	if !c.OwnMAC {
		places.MAC = keys.MAC
	}
	links := local.New(config, places)
	return parts{links, replication.New(group, links.Stack)}, nil
}
