package replication

import (
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// While the link stands still, connections that come and go leave nothing behind, and the others keep
// their turn.
func TestMissedConnections(t *testing.T) {
	s := &session{wake: make(chan struct{}, 1), feeds: map[*stack.Conn]*feed{}, byID: map[uint64]*feed{}}
	now := time.Now()
	open := func() (*stack.Conn, *tcp.Core) {
		c, core := new(stack.Conn), tcp.Accept(tcp.Config{MSS: 1460, ReceiveBuffer: 65535}, now, &wire.TCP{Flags: wire.SYN})
		s.opened(c, core)
		return c, core
	}
	var stay []*stack.Conn
	for i := range 100_000 {
		c, core := open()
		if i%10_000 == 0 {
			stay = append(stay, c)
			continue
		}
		core.End(tcp.ErrReset)
		s.news(c, core)
		if n := len(s.ready); n > 2*maxRecords+len(stay) {
			t.Fatalf("%d feeds wait, of %d connections", n, len(stay))
		}
	}
	if len(s.feeds) != len(stay) || len(s.byID) != len(stay) {
		t.Errorf("%d and %d feeds of %d connections", len(s.feeds), len(s.byID), len(stay))
	}
	void := 0
	for _, f := range s.ready {
		if f.ended {
			void++
		} else if f.conn != stay[0] {
			t.Fatal("not in the order in which they came")
		} else {
			stay = stay[1:]
		}
	}
	if len(stay) > 0 || void != s.void {
		t.Errorf("%d connections are missing; %d feeds are void, counted %d", len(stay), void, s.void)
	}
}
