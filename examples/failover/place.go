package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/ftcp-project/ftcp"
)

// service is the address that clients use. It belongs to no machine's kernel.
const service = "10.0.0.5:7000"

// A place is where the demonstration happens: two machines with servers, and one
// from which the client dials.
type place struct {
	what     string // in words
	machines [2]machine
	dial     func(context.Context) (net.Conn, error)
	close    func()
}

// A machine runs the server, or nothing.
type machine interface {
	start() error
	kill() // the server, at once, as SIGKILL does
	status() ftcp.Status
	String() string
}

// other returns the machine that is not m.
func (p *place) other(m machine) machine {
	if m == p.machines[0] {
		return p.machines[1]
	}
	return p.machines[0]
}

// dead is the role of a machine without a server.
const dead = "dead"

// await waits until a machine is what is says.
func await(ctx context.Context, m machine, is func(ftcp.Status) bool) error {
	deadline := time.After(patience)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		s := m.status()
		if is(s) {
			return nil
		}
		if s.Role == dead {
			return fmt.Errorf("the server on %v has ended", m)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("after %v, %v still is: %+v", patience, m, s)
		}
	}
}

// settled says that a machine has found its role.
func settled(s ftcp.Status) bool { return active(s) || s.Role == "standby" }

func active(s ftcp.Status) bool { return s.Role == "active" }

// protecting says that a machine is active and that the other could go on with all that it does.
func protecting(s ftcp.Status) bool { return active(s) && s.InSync && s.Protected == s.Conns }
