package ftcp

import (
	"reflect"
	"testing"

	"github.com/ftcp-project/ftcp/stack/tcp"
)

// Every variable reaches the field of its name.
func TestNodeFromEnvironment(t *testing.T) {
	env := map[string]string{
		"FTCP_GROUP": "orders", "FTCP_SECRET": "0123456789abcdef", "FTCP_PEERS": "10.0.0.11:7420, b ,,", "FTCP_BIND": ":7421",
		"FTCP_INTERFACE": "eth1", "FTCP_MODE": "mirror", "FTCP_HISTORY": "1024", "FTCP_CONGESTION": "reno",
	}
	n, err := fromEnvironment(func(key string) string { return env[key] })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.Congestion(1460), tcp.NewReno(1460); reflect.TypeOf(got) != reflect.TypeOf(want) {
		t.Errorf("congestion control is a %T; want a %T", got, want)
	}
	n.Congestion = nil
	want := &Node{
		Group: "orders", Secret: []byte("0123456789abcdef"), Peers: []string{"10.0.0.11:7420", "b"}, Bind: ":7421",
		Interface: "eth1", History: 1024,
	}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("node is %+v; want %+v", n, want)
	}
}

// A variable that makes no sense makes no node.
func TestNoNodeFromEnvironment(t *testing.T) {
	n, err := fromEnvironment(func(key string) string { return map[string]string{"FTCP_MODE": "Mirror"}[key] })
	if n != nil || err == nil {
		t.Errorf("node is %+v, error is %v", n, err)
	}
}
