package stack_test

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// When many peers at one place do not answer any more, the server asks where that is: at the third timeout, and then not more
// than once a second for all of them. When it is told of another place, their segments go there.
func TestNeighborDoubted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost atomic.Bool
		var questions, astray, moved atomic.Int64
		newPlace := wire.MAC{2, 0, 0, 0, 0, 3}
		n := ftcptest.Network{Filter: func(f ftcptest.Frame) ftcptest.Verdict {
			eth, payload, _ := wire.ParseEthernet(f.Data)
			switch {
			case f.From == "client" && lost.Load():
				return ftcptest.Drop
			case f.From != "server":
			case eth.Type == wire.EtherTypeARP:
				if arp, err := wire.ParseARP(payload); err == nil && arp.Op == wire.ARPRequest && arp.TargetIP == clientAddr.Addr() {
					questions.Add(1)
				}
			case eth.Dst == newPlace:
				moved.Add(1)
			case lost.Load():
				astray.Add(1)
			}
			return ftcptest.Pass
		}}
		b := newBench(t, &n)
		defer b.close()
		l := b.listen()
		const conns = 50
		var served []*stack.Conn
		for range conns {
			b.dial()
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			served = append(served, c)
		}
		pass := func(d time.Duration, wantQuestions int64) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := questions.Swap(0); got != wantQuestions {
				t.Errorf("%d questions in %v; want %d", got, d, wantQuestions)
			}
		}
		lost.Store(true)
		for _, c := range served {
			c.Write([]byte("hello"))
		}
		pass(time.Second, 0)   // after 200 ms, and 400
		pass(9*time.Second, 3) // after 0.8 s, 1.6 and 3.2
		pass(9*time.Second, 1) // after 6.4 s
		if got := astray.Load(); got < 6*conns {
			t.Errorf("%d segments went to where the client was; want %d", got, 6*conns)
		}

		port := n.Port("moved")
		port.Write([]device.Outbound{{Header: wire.ARP{
			Op: wire.ARPReply, SenderMAC: newPlace, SenderIP: clientAddr.Addr(),
			TargetMAC: wire.MAC{2, 0, 0, 0, 0, 1}, TargetIP: serverAddr.Addr(),
		}.Append(wire.Ethernet{Dst: wire.MAC{2, 0, 0, 0, 0, 1}, Src: newPlace, Type: wire.EtherTypeARP}.Append(nil))}})
		astray.Store(0)
		pass(10*time.Second, 1)
		if got := moved.Load(); got != conns || astray.Load() != 0 {
			t.Errorf("%d segments went to where the client is, %d to where it was; want %d, 0", got, astray.Load(), conns)
		}
	})
}

// For one who has only sent a SYN nobody is asked: he may never have been there.
func TestNeighborNotDoubted(t *testing.T) {
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		a.listen()
		a.segment(netip.MustParseAddrPort("10.0.0.77:1024"), wire.TCP{Flags: wire.SYN, Window: 1000}, "")
		time.Sleep(2 * time.Minute)
		synacks := 0
		for _, f := range a.answers() {
			if f.arp {
				t.Error("a question where the peer is")
			} else if f.tcp.Flags == wire.SYN|wire.ACK {
				synacks++
			}
		}
		if synacks != 6 {
			t.Errorf("%d SYN-ACKs; want 6", synacks)
		}
	})
}
