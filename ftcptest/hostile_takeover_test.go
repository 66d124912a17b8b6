package ftcptest_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// forge makes another segment of a frame that carries one.
func forge(f ftcptest.Frame, payload []byte, change func(seg *wire.TCP)) []byte {
	eth, _, _ := wire.ParseEthernet(f.Data)
	ip, seg, _, _ := parseTCP(f)
	forged := *seg
	change(&forged)
	n := forged.Len() + len(payload)
	b := ip.Append(eth.Append(nil), n)
	start := len(b)
	b = append(forged.Append(b), payload...)
	wire.SetTCPChecksum(b[start:], wire.PseudoHeaderSum(ip.Src, ip.Dst, wire.ProtoTCP, n))
	return b
}

// hostilities are segments that a client, or somebody in its name, may send at any time.
// None of them may end a connection that is in order: their numbers are not the right
// ones, or they say nothing.
var hostilities = map[string]func(r *rand.Rand, seg *wire.TCP) (payload []byte){
	ownLoss: func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Flags, seg.Ack = wire.ACK, seg.Ack+1+r.Uint32N(2*uint32(len(again)))
		return nil
	},
	"old acks": func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Flags, seg.Ack = wire.ACK, seg.Ack-1-r.Uint32N(1<<20)
		return nil
	},
	"SYNs": func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Flags, seg.Seq, seg.Ack = wire.SYN, r.Uint32(), 0
		return nil
	},
	"SYNs in the window": func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Flags, seg.Seq = wire.SYN|wire.ACK, seg.Seq+r.Uint32N(1000)
		return nil
	},
	"RSTs": func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Flags, seg.Seq = wire.RST, seg.Seq+100+r.Uint32N(10000)
		return nil
	},
	"FINs beyond the window": func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Flags, seg.Seq = wire.FIN|wire.ACK, seg.Seq+1<<24+r.Uint32N(1000)
		return nil
	},
	"data beyond the window": func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Seq += 1<<24 + r.Uint32N(1000)
		return make([]byte, 1000)
	},
	"old data": func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Flags, seg.Seq = wire.ACK|wire.PSH, seg.Seq-1000
		return make([]byte, 500)
	},
	"closed windows": func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Flags, seg.Window, seg.Ack = wire.ACK, 0, seg.Ack-1
		return nil
	},
	"everything at once": func(r *rand.Rand, seg *wire.TCP) []byte {
		seg.Flags, seg.Seq, seg.Ack, seg.Window = wire.SYN|wire.FIN|wire.RST|wire.URG|wire.PSH, r.Uint32(), r.Uint32(), uint16(r.Uint32())
		return make([]byte, r.IntN(1400))
	},
}

// Clients send what makes no sense, in the name of each of many connections, from before
// the active node dies until all have changed over. The survivor goes on with all of
// them.
func TestHostileTakeover(t *testing.T) {
	for name, hostility := range hostilities {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, &ftcptest.Cluster{Serve: serve(func(machine int, c *ftcp.Conn) {
				for b := make([]byte, len(again)); ; {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					if machine == 0 && n == len(again) {
						time.Sleep(50 * time.Millisecond) // the standby has an answer that nobody has verified
					}
					c.Write(b[:n])
				}
			})}, func(s *scenario) {
				s.allowResets() // of SYNs for what is not there
				a := s.Active()
				attacker := s.Network.Port("attacker")
				r := rand.New(rand.NewPCG(1, 2))
				var mu sync.Mutex
				last := map[uint16]ftcptest.Frame{} // of each connection
				var armed atomic.Bool
				attack := func() {
					mu.Lock()
					defer mu.Unlock()
					for _, f := range last {
						var payload []byte
						_ = forge(f, nil, func(seg *wire.TCP) {
							copied := *seg
							_, _, sent, _ := parseTCP(f)
							copied.Seq += uint32(len(sent))
							payload = hostility(r, &copied)
							attacker.Write([]device.Outbound{{Header: forge(f, payload, func(out *wire.TCP) { *out = copied })}})
						})
					}
				}
				s.decide(func(f ftcptest.Frame) ftcptest.Verdict {
					if _, seg, _, ok := parseTCP(f); ok && f.From == "client 1" && seg.Flags&wire.SYN == 0 && !armed.Load() {
						mu.Lock()
						last[seg.SrcPort] = f
						mu.Unlock()
					}
					return ftcptest.Pass
				})
				conns := dialMany(s, 200)
				for _, c := range conns {
					_, err := io.WriteString(c, again)
					s.must(err)
				}
				time.Sleep(10 * time.Millisecond)
				armed.Store(true)
				attack()
				a.Kill()
				for range 60 { // the takeover is not over before 25 ms
					attack()
					time.Sleep(500 * time.Microsecond)
				}
				s.within(2*time.Second, "a takeover", func() bool { return s.Active() != nil && s.Active() != a })
				if st := s.Active().Node().Status(); st.Conns < len(conns) {
					t.Errorf("%+v", st)
				}
				s.must(ask2echo(s))
				if name == ownLoss {
					return
				}
				for _, c := range conns {
					s.must(hear(c, again))
				}
				askAll(s, conns)
			})
		})
	}
}

// ownLoss costs the client that does it what it has acknowledged without having it, and
// nobody else.
const ownLoss = "acks of what was not sent"

// again is a request that is longer than the others.
var again = strings.Repeat("and again ", 50)

// askAll asks on all connections at once, and closes them.
func askAll(s *scenario, conns []net.Conn) {
	s.t.Helper()
	errs := make(chan error)
	for i, c := range conns {
		go func() {
			err := ask(c, fmt.Sprint("still there, ", i))
			c.Close()
			errs <- err
		}()
	}
	failed := 0
	for range conns {
		if err := <-errs; err != nil {
			if failed++; failed < 4 {
				s.t.Error(err)
			}
		}
	}
	if failed > 0 {
		s.t.Errorf("%d of %d connections were lost", failed, len(conns))
	}
}
