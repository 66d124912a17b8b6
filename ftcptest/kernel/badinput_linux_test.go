package kernel_test

import (
	"net"
	"strings"
	"testing"

	"github.com/ftcp-project/ftcp"
)

// What Listen says about a configuration that cannot work.
func TestListenErrors(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo"})
	secret := []byte("a secret of enough bytes")
	for _, test := range []struct {
		name, address, want string
		node                *ftcp.Node
	}{
		{name: "address on no network", address: "192.0.2.1:7000", node: &ftcp.Node{Secret: secret, Bind: "10.0.0.11"},
			want: "192.0.2.1 is not on the network of any interface"},
		{name: "kernel's address", address: "10.0.0.11:7000", node: &ftcp.Node{Secret: secret, Bind: "10.0.0.11"},
			want: "the kernel of this machine owns 10.0.0.11"},
		{name: "no interface", address: "10.0.0.5:7000", node: &ftcp.Node{Interface: "eth7"},
			want: `interface "eth7"`},
		{name: "loopback as the interface", address: "10.0.0.5:7000", node: &ftcp.Node{Interface: "lo"},
			want: "lo is not an Ethernet interface"},
		{name: "no secret", address: "10.0.0.5:7000", node: &ftcp.Node{Bind: "10.0.0.11"},
			want: "secret"},
		{name: "peer without a port", address: "10.0.0.5:7000", node: &ftcp.Node{Secret: secret, Peers: []string{"fd00::1::2"}},
			want: "Peers"},
		{name: "bind address of nobody", address: "10.0.0.5:7000", node: &ftcp.Node{Secret: secret, Bind: "192.0.2.1"},
			want: "192.0.2.1:7420"},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer test.node.Close()
			err := l.hosts[0].Do(func() error {
				_, err := test.node.Listen("tcp", test.address)
				return err
			})
			op, ok := err.(*net.OpError)
			if !ok || op.Op != "listen" {
				t.Fatalf("%T %v, want a *net.OpError of listen", err, err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\nwant %s", err, test.want)
			}
			t.Log(err)
		})
	}
}

// A node with another secret does not get in, and says why.
func TestListenOtherSecret(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo"})
	l.start(0)
	l.servers[0].await("active")
	l.config.Secret = "a secret that nobody else has"
	l.start(1)
	l.servers[1].failsWith("another secret")
	l.servers[0].await("active")
}

// A second node that was not told of the first finds the service address taken.
func TestListenAddressTaken(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo"})
	l.start(0)
	l.servers[0].await("active")
	l.config.Peers = []string{"10.0.0.12"}
	l.servers[1] = startServer(t, l.hosts[1], serverConfig{Handler: "echo", Listen: l.config.Listen, Bind: "10.0.0.12"})
	l.servers[1].failsWith("another station answers for the service address")
	l.servers[0].await("active")
}

// failsWith waits until the server has ended, and looks for its reason.
func (s *server) failsWith(want string) {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-s.t.Context().Done():
	}
	text := s.stderr.String()
	if s.cmd.ProcessState.Success() || !strings.Contains(text, want) || strings.Contains(text, "panic") {
		s.t.Errorf("the server ended with %v and said:\n%s\nwant %q", s.cmd.ProcessState, text, want)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	s.t.Log(lines[len(lines)-1])
}
