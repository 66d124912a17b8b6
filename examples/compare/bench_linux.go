package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// The addresses of every bench: the client's, the one that is served, and those of the
// servers' kernels.
var (
	clientPrefix = netip.MustParsePrefix("10.0.0.1/24")
	gVisorClient = netip.MustParseAddr("10.0.0.2") // if it is not the kernel that is the client
	service      = netip.MustParseAddrPort("10.0.0.10:7000")
	servers      = []netip.Prefix{netip.MustParsePrefix("10.0.0.11/24"), netip.MustParsePrefix("10.0.0.12/24")}
)

const ethernet = "eth0"

// A bench is a network on which one stack is measured.
type bench struct {
	stack  string
	client *netns.Namespace
	nodes  []*netns.Namespace
	sw     *netns.Switch
	cable  *netns.Cable
}

// newBench builds a bench. If far is not nil, it is the way between the client and the server.
func newBench(stack string, far *link, seed uint64) (_ *bench, err error) {
	b := &bench{stack: stack}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	switch stack {
	case "kernel", "gvisor", "ftcp":
	case "standby":
		return b, b.star()
	default:
		return nil, errors.New("no such stack")
	}
	if b.client, err = netns.New(); err != nil {
		return nil, err
	}
	node, err := netns.New()
	if err != nil {
		return nil, err
	}
	b.nodes = []*netns.Namespace{node}
	if far == nil {
		err = b.client.AddVeth(ethernet, node, ethernet)
	} else {
		b.cable, err = b.client.AddCable(ethernet, node, ethernet, seed, far.faults(), far.faults())
	}
	if err != nil {
		return nil, err
	}
	if err = b.client.AddAddr(ethernet, clientPrefix); err != nil {
		return nil, err
	}
	address := servers[0]
	if stack == "kernel" {
		address = netip.PrefixFrom(service.Addr(), address.Bits())
	}
	return b, node.AddAddr(ethernet, address)
}

// star joins a client and two nodes by a switch.
func (b *bench) star() (err error) {
	if b.sw, err = netns.NewSwitch(); err != nil {
		return err
	}
	c, err := b.sw.Host(clientPrefix)
	if err != nil {
		return err
	}
	b.client = c.Namespace
	for _, p := range servers {
		h, err := b.sw.Host(p)
		if err != nil {
			return err
		}
		b.nodes = append(b.nodes, h.Namespace)
	}
	return nil
}

func (b *bench) close() {
	if b.cable != nil {
		b.cable.Close()
	}
	if b.sw != nil {
		b.sw.Close()
		return
	}
	for _, ns := range append(b.nodes, b.client) {
		if ns != nil {
			ns.Close()
		}
	}
}

// A run is one measurement.
type run struct {
	client    string // its stack; empty: kernel
	direction string
	length    time.Duration
	streams   int
	dispatch  string
	profile   string // a file name, or empty

	serverCongestion, clientCongestion string // empty: the stack's default
	stop                               bool   // when the time is over, rather than when all has arrived
}

// A result is what came of a run.
type result struct {
	Bytes   int64
	Elapsed time.Duration

	servers, client time.Duration // processor time, user and system
}

func (r result) gbits() float64 { return float64(r.Bytes) * 8 / 1e9 / r.Elapsed.Seconds() }
func (r result) mbits() float64 { return 1000 * r.gbits() }

// patience is how much longer than it should a run may take.
const patience = 20 * time.Second

// measure starts the servers and a client, and stops them again.
func (b *bench) measure(r run) (res result, err error) {
	var running []*process
	defer func() {
		// The last first: a standby whose active node leaves would take over.
		for i := len(running) - 1; i >= 0; i-- {
			err = errors.Join(err, running[i].stop())
			res.servers += running[i].cpu()
		}
	}()
	for i, node := range b.nodes {
		args := []string{"server", "-stack", b.stack, "-gvisor", r.dispatch, "-congestion", r.serverCongestion}
		if b.stack == "standby" {
			args = append(args, "-node", servers[i].Addr().String())
			args = append(args, "-peer", servers[1-i].Addr().String())
		}
		if i == 0 && r.profile != "" {
			args = append(args, "-cpuprofile", r.profile)
		}
		p, err := start(node, args...)
		if err != nil {
			return res, err
		}
		running = append(running, p)
		if err := p.expect("listening"); err != nil {
			return res, err
		}
	}
	if len(running) > 1 {
		if err := running[0].expect("in sync"); err != nil {
			return res, err
		}
	}

	c, err := start(b.client, "client", "-stack", cmp.Or(r.client, "kernel"), "-direction", r.direction, "-time", r.length.String(), "-streams", fmt.Sprint(r.streams),
		"-congestion", r.clientCongestion, fmt.Sprintf("-stop=%t", r.stop))
	if err != nil {
		return res, err
	}
	line, err := c.line(r.length + patience)
	if e := c.stop(); err == nil {
		err = e
	}
	if err != nil {
		return res, fmt.Errorf("client: %w", err)
	}
	res.client = c.cpu()
	return res, json.Unmarshal([]byte(line), &res)
}

// A process is this program in another role.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string
}

func start(ns *netns.Namespace, args ...string) (*process, error) {
	p := &process{cmd: exec.Command("/proc/self/exe", args...), lines: make(chan string, 16)}
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := ns.Start(p.cmd); err != nil {
		return nil, err
	}
	p.stdin = stdin
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p, nil
}

// line returns the next line that the process prints.
func (p *process) line(wait time.Duration) (string, error) {
	select {
	case s, ok := <-p.lines:
		if !ok {
			return "", errors.New("ended early")
		}
		return s, nil
	case <-time.After(wait):
		return "", errors.New("says nothing")
	}
}

func (p *process) expect(want string) error {
	got, err := p.line(patience)
	if err == nil && got != want {
		err = fmt.Errorf("says %q", got)
	}
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// stop ends the process, which ends by itself when its standard input does.
func (p *process) stop() error {
	p.stdin.Close()
	late := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	for range p.lines {
	}
	return p.cmd.Wait()
}

// cpu is the processor time of a process that has been stopped.
func (p *process) cpu() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}
