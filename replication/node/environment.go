package node

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ftcp-project/ftcp/stack/tcp"
)

// Environment is what the variables say. Fields are those of ftcp.Node.
type Environment struct {
	Group      string                       // FTCP_GROUP
	Secret     []byte                       // FTCP_SECRET
	Peers      []string                     // FTCP_PEERS, separated by commas
	Bind       string                       // FTCP_BIND
	Interface  string                       // FTCP_INTERFACE
	History    int                          // FTCP_HISTORY
	Congestion func(mss int) tcp.Congestion // FTCP_CONGESTION: cubic, reno or bbr
}

// FromEnvironment reads the variables. FTCP_MODE, if set, has to be mirror.
func FromEnvironment(getenv func(string) string) (e Environment, err error) {
	e = Environment{
		Group:     getenv("FTCP_GROUP"),
		Secret:    []byte(getenv("FTCP_SECRET")),
		Bind:      getenv("FTCP_BIND"),
		Interface: getenv("FTCP_INTERFACE"),
	}
	for _, p := range strings.Split(getenv("FTCP_PEERS"), ",") {
		if p = strings.TrimSpace(p); p != "" {
			e.Peers = append(e.Peers, p)
		}
	}
	if m := getenv("FTCP_MODE"); m != "" && m != "mirror" {
		return Environment{}, fmt.Errorf("ftcp: FTCP_MODE is %q; the only mode is mirror", m)
	}
	if h := getenv("FTCP_HISTORY"); h != "" {
		if e.History, err = strconv.Atoi(h); err != nil {
			return Environment{}, fmt.Errorf("ftcp: FTCP_HISTORY is %q, not a number of bytes", h)
		}
	}
	switch c := getenv("FTCP_CONGESTION"); c {
	case "":
	case "cubic":
		e.Congestion = tcp.NewCubic
	case "reno":
		e.Congestion = tcp.NewReno
	case "bbr":
		e.Congestion = tcp.NewBBR
	default:
		return Environment{}, fmt.Errorf("ftcp: FTCP_CONGESTION is %q; there are cubic, reno and bbr", c)
	}
	return e, nil
}
