package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// kernels returns a place where machines are network namespaces and servers are processes. The
// client is the kernel's TCP, which knows nothing of ftcp.
func kernels(ctx context.Context, cfg config) (p *place, err error) {
	sw, err := netns.NewSwitch()
	if err != nil {
		return nil, err
	}
	p = &place{
		what:  "two server processes and a client of the kernel's TCP, each in a network namespace of its own",
		close: func() { sw.Close() },
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	addrs := [...]string{"10.0.0.11", "10.0.0.12"}
	for i, addr := range addrs {
		host, err := sw.Host(netip.PrefixFrom(netip.MustParseAddr(addr), 24))
		if err != nil {
			return nil, err
		}
		p.machines[i] = &process{host: host, name: string(rune('a' + i)), addr: addr, peer: addrs[1-i], config: cfg}
	}
	for _, m := range p.machines { // the first one becomes active
		if err := m.start(); err != nil {
			return nil, err
		}
		if err := await(ctx, m, settled); err != nil {
			return nil, err
		}
	}
	client, err := sw.Host(netip.MustParsePrefix("10.0.0.1/24"))
	if err != nil {
		return nil, err
	}
	p.dial = func(ctx context.Context) (c net.Conn, err error) {
		var d net.Dialer
		err = client.Do(func() error {
			c, err = d.DialContext(ctx, "tcp", service)
			return err
		})
		return c, err
	}
	return p, nil
}

// A process is a machine whose server is a process.
type process struct {
	host             *netns.Host
	name, addr, peer string
	config           config

	ended chan struct{} // closed when cmd has; of start

	mu   sync.Mutex
	cmd  *exec.Cmd
	last ftcp.Status
}

// start runs this program again, as a server.
func (p *process) start() error {
	if p.ended != nil {
		<-p.ended // and its sockets are closed
	}
	cmd := exec.Command("/proc/self/exe", serverArg, p.name, p.addr, p.peer,
		strconv.Itoa(p.config.history), strconv.FormatBool(p.config.verbose))
	cmd.Env = append(os.Environ(), "FTCP_SECRET="+p.config.secret)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.host.Start(cmd); err != nil {
		return err
	}
	p.mu.Lock()
	p.cmd, p.last = cmd, ftcp.Status{}
	p.mu.Unlock()
	p.ended = make(chan struct{})
	go p.follow(json.NewDecoder(out), cmd, p.ended)
	return nil
}

// follow takes note of what a server says of itself, until it ends.
func (p *process) follow(says *json.Decoder, cmd *exec.Cmd, ended chan struct{}) {
	defer close(ended)
	var s ftcp.Status
	for says.Decode(&s) == nil {
		p.say(s)
	}
	p.say(ftcp.Status{Role: dead})
	cmd.Wait()
}

func (p *process) say(s ftcp.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = s
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd.Process.Kill()
}

func (p *process) status() ftcp.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *process) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%s (%s, process %d)", p.name, p.addr, p.cmd.Process.Pid)
}
