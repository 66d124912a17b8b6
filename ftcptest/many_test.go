package ftcptest_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
)

// All of many connections survive.
func TestManyConnections(t *testing.T) {
	const clients, each = 10, 300
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		conns := make([][]net.Conn, clients)
		var all sync.WaitGroup
		for i := range conns {
			node := s.Client()
			all.Go(func() {
				for range each {
					c, err := node.DialContext(context.Background(), "tcp", s.Address)
					if err != nil {
						t.Error(err)
						return
					}
					conns[i] = append(conns[i], c)
					if err := ask(c, "hello"); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		if st := s.Active().Node().Status(); st.Conns != clients*each || st.Protected != st.Conns {
			t.Fatalf("%+v", st)
		}
		s.Active().Kill()
		killed := time.Now()
		for i := range conns {
			all.Go(func() {
				for j, c := range conns[i] {
					if err := ask(c, fmt.Sprint("still there, ", j)); err != nil {
						t.Error(err)
						return
					}
					c.Close()
				}
			})
		}
		all.Wait()
		t.Logf("all have been answered after %v", time.Since(killed))
	})
}
