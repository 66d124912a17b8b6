package ftcptest_test

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// A standby joins, whose program does not read an upload. What is kept for it is bounded,
// and the client is not stalled for it.
func TestJoinedUploadThatIsNotRead(t *testing.T) {
	// Of each, what was there before is more than may be unread for the marks to be
	// frozen.
	for _, history := range []int{1 << 20, 24 << 20} {
		t.Run(fmt.Sprint(history), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				done := make(chan struct{})
				s := begin(t, &ftcptest.Cluster{
					Network:   &ftcptest.Network{Faults: ftcptest.Faults{Delay: 100 * time.Microsecond, Rate: 60 << 20}},
					Configure: func(n *ftcp.Node) { n.History = history },
					Serve: serve(func(machine int, c *ftcp.Conn) {
						if machine == 2 {
							<-done
							return
						}
						n, err := io.Copy(io.Discard, c)
						fmt.Fprintf(c, "%d %v", n, err)
					}),
				})
				defer close(done)
				s.Standby().Kill()
				s.within(time.Second, "alone", func() bool { return !s.Active().Node().Status().InSync })
				c := s.dial().(*ftcp.Conn)
				_, err := c.Write(make([]byte, history/4*3))
				s.must(err)
				s.must(s.Machine(1).Start())
				s.within(20*time.Second, "a standby in sync", func() bool { return s.Active().Node().Status().InSync })
				before := heap()
				begin, chunk, most := time.Now(), make([]byte, 1<<20), 0
				for range 96 {
					at := time.Now()
					_, err := c.Write(chunk)
					s.must(err)
					if d := time.Since(at); d > 7*time.Second {
						t.Errorf("a write took %v", d)
					}
					most = max(most, heap()-before)
				}
				s.must(c.CloseWrite())
				s.must(hear(c, fmt.Sprintf("%d <nil>", history/4*3+96<<20)))
				d := time.Since(begin)
				t.Logf("96 MiB took %v and up to %d MiB; %+v", d, most, s.Active().Node().Status())
				if most > 60+history>>20 || d > 20*time.Second {
					t.Errorf("96 MiB took %v and up to %d MiB", d, most)
				}
				if st := s.Active().Node().Status(); st.Released != 1 || st.Protected != 0 {
					t.Errorf("%+v", st)
				}
				s.must(c.Close())
			})
		})
	}
}
