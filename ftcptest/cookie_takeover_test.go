package ftcptest_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// A handshake begins with a SYN cookie of a node that dies then. It is completed on the
// other node, which has never heard of it, and has a younger clock: the timestamps do not
// go back, which the monitor sees.
func TestCookieAcrossTakeover(t *testing.T) {
	for _, uptime := range []time.Duration{0, 100 * time.Second} {
		t.Run(fmt.Sprint(uptime), func(t *testing.T) {
			c := &ftcptest.Cluster{
				Network:   &ftcptest.Network{Faults: ftcptest.Faults{Delay: time.Millisecond}},
				Configure: func(n *ftcp.Node) { n.Backlog = 8 },
			}
			play(t, c, func(s *scenario) {
				time.Sleep(uptime)
				restartStandby(s) // with a clock that begins now
				a, b := s.Active(), s.Standby()
				flooder := s.Network.Port("flooder")
				var flooded, cookie atomic.Bool
				client := s.Client()
				s.decide(func(f ftcptest.Frame) ftcptest.Verdict {
					ip, seg, _, ok := parseTCP(f)
					switch {
					case !ok:
					case f.From == "client 1" && !flooded.Load():
						for i := range 20 {
							flooder.Write([]device.Outbound{{Header: synFrom(f, byte(i))}})
						}
						flooded.Store(true)
						return ftcptest.Drop // it will try again
					case f.From == a.Name && ip.Dst == client.LocalAddr && seg.Flags&wire.SYN != 0:
						cookie.Store(a.Node().Status().Conns == b.Node().Status().Conns && b.Node().Status().Conns == 8)
						a.Kill()
					}
					return ftcptest.Pass
				})
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				s.allowResets() // of the flood, which goes on at the new node
				c, err := client.DialContext(ctx, "tcp", s.Address)
				s.must(err)
				c.SetDeadline(time.Now().Add(time.Minute))
				s.must(ask(c, "hello"))
				if !cookie.Load() || s.Active() != b {
					t.Errorf("cookie %v\n%s", cookie.Load(), s.roles())
				}
				s.must(ask(c, "again"))
				s.must(c.Close())
			})
		})
	}
}

// synFrom makes of a SYN that of another client, who will not answer.
func synFrom(f ftcptest.Frame, i byte) []byte {
	eth, _, _ := wire.ParseEthernet(f.Data)
	ip, seg, _, _ := parseTCP(f)
	ip.Src = netip.AddrFrom4([4]byte{10, 0, 9, i})
	b := ip.Append(eth.Append(nil), seg.Len())
	start := len(b)
	b = seg.Append(b)
	wire.SetTCPChecksum(b[start:], wire.PseudoHeaderSum(ip.Src, ip.Dst, wire.ProtoTCP, seg.Len()))
	return b
}
