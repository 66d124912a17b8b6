package main

import (
	"log/slog"
	"os"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// memory returns a place within this process, which needs no privileges.
func memory(cfg config) (*place, error) {
	c := &ftcptest.Cluster{
		Address:   service,
		Serve:     serve,
		Configure: func(n *ftcp.Node) { n.History = cfg.history },
	}
	if cfg.verbose {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	return &place{
		what:     "two servers and a client with TCP stacks of ftcp's own, in the memory of this process",
		machines: [2]machine{&member{c.Machine(0)}, &member{c.Machine(1)}},
		dial:     c.Dial,
		close:    c.Close,
	}, nil
}

// A member is a machine of a cluster in memory.
type member struct{ m *ftcptest.Machine }

func (m *member) start() error   { return m.m.Start() }
func (m *member) kill()          { m.m.Kill() }
func (m *member) String() string { return m.m.Name }

func (m *member) status() ftcp.Status {
	if n := m.m.Node(); n != nil {
		return n.Status()
	}
	return ftcp.Status{Role: dead}
}
