package kernel_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// never is longer than anything should take.
const never = 30 * time.Second

// A lab is two machines with servers and one with clients, on one network.
type lab struct {
	t       *testing.T
	sw      *netns.Switch
	config  serverConfig // of all servers
	hosts   [2]*netns.Host
	servers [2]*server
	client  *netns.Host
}

// newLab builds the machines and starts no server.
func newLab(t *testing.T, config serverConfig) *lab {
	t.Helper()
	if err := netns.Supported(); err != nil {
		t.Skip(err)
	}
	sw, err := netns.NewSwitch()
	check(t, err)
	t.Cleanup(func() { sw.Close() })
	if config.Listen == "" {
		config.Listen = "10.0.0.5:7000"
	}
	l := &lab{t: t, sw: sw, config: config}
	addrs := []string{"10.0.0.11", "10.0.0.12"}
	for i, addr := range addrs {
		l.hosts[i] = newHost(t, sw, addr)
	}
	l.client = newHost(t, sw, "10.0.0.1")
	l.config.Peers = addrs
	return l
}

// newHost plugs in a machine whose addresses end alike in IPv4 and IPv6.
func newHost(t *testing.T, sw *netns.Switch, addr string) *netns.Host {
	t.Helper()
	host, err := sw.Host(netip.MustParsePrefix(addr + "/24"))
	check(t, err)
	last := addr[strings.LastIndexByte(addr, '.')+1:]
	check(t, host.AddAddr("eth0", netip.MustParsePrefix("fd00::"+last+"/64")))
	return host
}

// startPair builds a lab and starts both servers. The first is active, the second its standby.
func startPair(t *testing.T, config serverConfig) *lab {
	t.Helper()
	l := newLab(t, config)
	l.start(0)
	l.servers[0].await("active")
	l.start(1)
	l.servers[0].awaitThat("in sync", inSync)
	return l
}

// start starts a server.
func (l *lab) start(i int) {
	l.t.Helper()
	config := l.config
	config.Bind = l.config.Peers[i]
	l.servers[i] = startServer(l.t, l.hosts[i], config)
}

// dial connects to the service from the client's machine.
func (l *lab) dial() *net.TCPConn {
	l.t.Helper()
	var c net.Conn
	check(l.t, l.client.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", l.config.Listen, never)
		return err
	}))
	l.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(*patience))
	return c.(*net.TCPConn)
}

// A server is a process that serves.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{} // closed when it has

	mu      sync.Mutex
	last    report
	roles   []string      // all that it has had
	changed chan struct{} // closed, and made anew, when last changes
}

// startServer starts a server that is killed when the test ends.
func startServer(t *testing.T, host *netns.Host, config serverConfig) *server {
	t.Helper()
	text, err := json.Marshal(config)
	check(t, err)
	s := &server{t: t, cmd: exec.Command("/proc/self/exe"), ended: make(chan struct{}), changed: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), serverVar+"="+string(text))
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	check(t, err)
	check(t, host.Start(s.cmd))
	go func() {
		defer close(s.ended)
		var r report
		for dec := json.NewDecoder(out); dec.Decode(&r) == nil; {
			s.mu.Lock()
			if n := len(s.roles); n == 0 || s.roles[n-1] != r.Role {
				s.roles = append(s.roles, r.Role)
			}
			s.last = r
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
		}
		s.cmd.Wait()
	}()
	t.Cleanup(func() {
		s.kill()
		<-s.ended
		if t.Failed() {
			t.Logf("log of %s, last %+v:\n%s", config.Bind, s.last, &s.stderr)
		}
	})
	return s
}

func (s *server) report() (r report, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.changed
}

// await waits until the server has the role.
func (s *server) await(role string) {
	s.t.Helper()
	s.awaitThat("is "+role, func(r report) bool { return r.Role == role })
}

// awaitThat waits until the server says something of itself.
func (s *server) awaitThat(what string, is func(report) bool) {
	s.t.Helper()
	timeout := time.After(*patience)
	for {
		r, changed := s.report()
		if is(r) {
			return
		}
		select {
		case <-changed:
		case <-s.ended:
			s.t.Fatalf("the server ended before it was %s: %s", what, &s.stderr)
		case <-timeout:
			s.t.Fatalf("never %s; last: %+v", what, r)
		}
	}
}

func inSync(r report) bool { return r.Role == "active" && r.InSync }

// protects says that the server is active and the other one could go on with n connections.
func protects(n int) func(report) bool {
	return func(r report) bool { return inSync(r) && r.Protected == n }
}

// kill ends the server with SIGKILL, and returns without waiting for its end.
func (s *server) kill() { s.cmd.Process.Kill() }

// signal sends the server a signal.
func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	check(s.t, s.cmd.Process.Signal(sig))
}

// memory is the server's resident memory, in bytes.
func (s *server) memory() int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	var size, resident int64
	fmt.Sscan(string(text), &size, &resident)
	return resident * int64(os.Getpagesize())
}

// A report is what a server says of itself.
type report struct {
	ftcp.Status
	Received    int64  // bytes that its handlers have read
	BadChecksum uint64 // segments dropped
	Packets     uint64 // received
	Cookies     uint64 // SYNs answered with one
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serverVar makes the test binary a server: a serverConfig in JSON.
const serverVar = "FTCP_TEST_SERVER"

func TestMain(m *testing.M) {
	if text := os.Getenv(serverVar); text != "" {
		if err := runServer(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
