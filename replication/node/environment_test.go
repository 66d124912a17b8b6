package node

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ftcp-project/ftcp/stack/tcp"
)

func TestFromEnvironment(t *testing.T) {
	for _, test := range []struct {
		name string
		env  map[string]string
		want Environment
		err  string
	}{
		{"nothing", nil, Environment{Secret: []byte{}}, ""},
		{"everything", map[string]string{
			"FTCP_GROUP": "orders", "FTCP_SECRET": "0123456789abcdef", "FTCP_PEERS": "10.0.0.11:7420, b ,,", "FTCP_BIND": ":7421",
			"FTCP_INTERFACE": "eth1", "FTCP_MODE": "mirror", "FTCP_HISTORY": "1024",
		}, Environment{
			Group: "orders", Secret: []byte("0123456789abcdef"), Peers: []string{"10.0.0.11:7420", "b"}, Bind: ":7421",
			Interface: "eth1", History: 1024,
		}, ""},
		{"no history", map[string]string{"FTCP_HISTORY": "-1"}, Environment{Secret: []byte{}, History: -1}, ""},
		{"mode", map[string]string{"FTCP_MODE": "Mirror"}, Environment{}, `FTCP_MODE is "Mirror"; the only mode is mirror`},
		{"congestion", map[string]string{"FTCP_CONGESTION": "BBR"}, Environment{}, `FTCP_CONGESTION is "BBR"; there are cubic, reno and bbr`},
		{"history", map[string]string{"FTCP_HISTORY": "1 MB"}, Environment{}, `FTCP_HISTORY is "1 MB"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := FromEnvironment(func(key string) string { return test.env[key] })
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error is %v; want %q in it", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(e, test.want) {
				t.Errorf("environment is %+v; want %+v", e, test.want)
			}
		})
	}
}

func TestCongestionFromEnvironment(t *testing.T) {
	for name, want := range map[string]func(int) tcp.Congestion{"cubic": tcp.NewCubic, "reno": tcp.NewReno, "bbr": tcp.NewBBR} {
		e, err := FromEnvironment(func(key string) string {
			if key == "FTCP_CONGESTION" {
				return name
			}
			return ""
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := e.Congestion(1460), want(1460); reflect.TypeOf(got) != reflect.TypeOf(want) {
			t.Errorf("%s is a %T; want a %T", name, got, want)
		}
	}
}
