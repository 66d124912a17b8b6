package ftcptest

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// service is an address that moves between ports, as the one of a group does.
var service = wire.MAC{0x02, 0xf7, 0xc9, 0, 0, 1}

// frame returns a frame whose payload is text.
func frame(src, dst wire.MAC, text string) []byte {
	const localExperimental = 0x88b5
	h := wire.Ethernet{Dst: dst, Src: src, Type: localExperimental}
	return append(h.Append(nil), text...)
}

// send writes frames in one call.
func send(t testing.TB, p *Port, frames ...[]byte) {
	t.Helper()
	var pkts []device.Outbound
	for _, f := range frames {
		pkts = append(pkts, device.Outbound{Header: f[:wire.EthernetLen], Payload: [][]byte{f[wire.EthernetLen:]}})
	}
	if err := p.Write(pkts); err != nil {
		t.Errorf("port %s: Write: %v", p.Name(), err)
	}
}

// An arrival is a frame that an ear has heard.
type arrival struct {
	after time.Duration // since the ear was made
	data  []byte
}

func (a arrival) text() string { return string(a.data[wire.EthernetLen:]) }

// An ear reads a port until it is closed.
type ear struct {
	start time.Time
	mu    sync.Mutex
	heard []arrival
	err   error
}

func listen(p *Port) *ear {
	e := &ear{start: time.Now()}
	go func() {
		pkts := make([]device.Inbound, 3)
		for i := range pkts {
			pkts[i].Buf = make([]byte, device.BufferSize)
		}
		for {
			n, err := p.Read(pkts)
			e.mu.Lock()
			for _, pkt := range pkts[:n] {
				e.heard = append(e.heard, arrival{time.Since(e.start), slices.Clone(pkt.Buf[:pkt.N])})
			}
			e.err = err
			e.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return e
}

// take waits until the bubble is idle and returns what was heard since the last
// take.
func (e *ear) take() []arrival {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	heard := e.heard
	e.heard = nil
	return heard
}

// want checks the texts heard since the last take; none is silence.
func (e *ear) want(t testing.TB, texts ...string) {
	t.Helper()
	var got []string
	for _, a := range e.take() {
		got = append(got, a.text())
	}
	if !slices.Equal(got, texts) {
		t.Errorf("heard %q, want %q", got, texts)
	}
}

// bubble runs f in virtual time, with three ports and ears at n.
func bubble(t *testing.T, n *Network, f func(t *testing.T, ports []*Port, ears []*ear)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(n.Close)
		var ports []*Port
		var ears []*ear
		for _, name := range []string{"a", "b", "c"} {
			p := n.Port(name)
			ports = append(ports, p)
			ears = append(ears, listen(p))
		}
		f(t, ports, ears)
	})
}

func mac(p *Port) wire.MAC { return p.Features().MAC }

func TestLearning(t *testing.T) {
	bubble(t, new(Network), func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "who are you"))
		e[0].want(t)
		e[1].want(t, "who are you")
		e[2].want(t, "who are you") // the switch does not know b yet

		send(t, p[1], frame(mac(p[1]), mac(p[0]), "b"))
		e[0].want(t, "b")
		e[1].want(t)
		e[2].want(t)

		send(t, p[0], frame(mac(p[0]), mac(p[1]), "hello"))
		e[1].want(t, "hello")
		e[2].want(t)

		send(t, p[0], frame(mac(p[0]), wire.Broadcast, "all"))
		e[0].want(t)
		e[1].want(t, "all")
		e[2].want(t, "all")

		// To itself: a switch does not send back.
		send(t, p[0], frame(mac(p[0]), mac(p[0]), "echo"))
		for _, e := range e {
			e.want(t)
		}
	})
}

// A gratuitous ARP takes the service address along.
func TestAddressMoves(t *testing.T) {
	bubble(t, new(Network), func(t *testing.T, p []*Port, e []*ear) {
		for i := range 2 {
			send(t, p[i], frame(service, wire.Broadcast, "mine"))
			e[1-i].want(t, "mine")
			e[2].want(t, "mine")

			send(t, p[2], frame(mac(p[2]), service, "request"))
			e[i].want(t, "request")
			e[1-i].want(t)
		}
	})
}

func TestMulticastSourceIsNotLearned(t *testing.T) {
	bubble(t, new(Network), func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(wire.Broadcast, mac(p[1]), "odd"))
		e[1].want(t, "odd")
		e[2].want(t, "odd")
		send(t, p[1], frame(mac(p[1]), wire.Broadcast, "all"))
		e[0].want(t, "all")
		e[2].want(t, "all")
	})
}

func TestPartition(t *testing.T) {
	n := &Network{Faults: Faults{Delay: time.Second}}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(mac(p[0]), wire.Broadcast, "under way"))
		synctest.Wait()
		n.Partition([]*Port{p[0]})
		send(t, p[1], frame(mac(p[1]), wire.Broadcast, "b"))
		time.Sleep(time.Second)
		e[0].want(t)
		e[1].want(t)
		e[2].want(t, "b") // b and c are in no group, which is one too

		n.Partition([]*Port{p[0], p[1]}, []*Port{p[2]})
		send(t, p[0], frame(mac(p[0]), wire.Broadcast, "a"))
		time.Sleep(time.Second)
		e[1].want(t, "a")
		e[2].want(t)

		n.Heal()
		send(t, p[0], frame(mac(p[0]), wire.Broadcast, "healed"))
		time.Sleep(time.Second)
		e[1].want(t, "healed")
		e[2].want(t, "healed")
		if got := n.Stats().Partitioned; got != 2+1+1 {
			t.Errorf("Partitioned = %d, want 4", got)
		}
	})
}

// Both sides of a partition may have the service address.
func TestPartsLearnSeparately(t *testing.T) {
	n := new(Network)
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		n.Partition([]*Port{p[0]})
		send(t, p[1], frame(service, wire.Broadcast, "mine"))
		e[2].want(t, "mine")
		send(t, p[0], frame(service, wire.Broadcast, "no, mine"))
		send(t, p[2], frame(mac(p[2]), service, "request"))
		e[1].want(t, "request")
		e[0].want(t)
	})
}

// A healed switch does not trust what it learned before the partition.
func TestHealForgets(t *testing.T) {
	n := new(Network)
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(service, wire.Broadcast, "mine"))
		e[1].want(t, "mine")
		e[2].want(t, "mine")
		n.Partition([]*Port{p[0]})
		n.Heal()
		send(t, p[2], frame(mac(p[2]), service, "request"))
		e[0].want(t, "request")
		e[1].want(t, "request")
	})
}

func TestPartitionOfAnotherNetwork(t *testing.T) {
	var n, other Network
	defer n.Close()
	defer other.Close()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	n.Partition([]*Port{other.Port("x")})
}

func TestCloseUnblocksRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		a, b := n.Port("a"), n.Port("b")
		ea, eb := listen(a), listen(b)
		synctest.Wait()
		a.Close()
		a.Close()
		ea.take()
		if !errors.Is(ea.err, net.ErrClosed) {
			t.Errorf("Read of a closed port: %v", ea.err)
		}
		if err := a.Write(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write to a closed port: %v", err)
		}
		eb.take()
		if eb.err != nil {
			t.Errorf("Read of the other port: %v", eb.err)
		}
		b.Pause() // must not keep Read from returning
		n.Close()
		n.Close()
		eb.take()
		if !errors.Is(eb.err, net.ErrClosed) {
			t.Errorf("Read in a closed network: %v", eb.err)
		}
		if _, err := n.Port("late").Read(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read of a port made after Close: %v", err)
		}
		b.Resume()
	})
}

func TestCloseUnused(t *testing.T) {
	var n Network
	n.Close()
	n.Port("late").Resume()
}

func TestCloseWithFramesUnderWay(t *testing.T) {
	n := &Network{Faults: Faults{Delay: time.Hour}}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(mac(p[0]), wire.Broadcast, "late"))
		synctest.Wait()
		n.Close()
		time.Sleep(2 * time.Hour)
		e[1].want(t)
	})
}

func TestFeatures(t *testing.T) {
	var zero Network
	defer zero.Close()
	zero.Port("first")
	got := zero.Port("second").Features()
	if want := (device.Features{MTU: 1500, MAC: wire.MAC{2, 0, 0, 0, 0, 2}}); got != want {
		t.Errorf("Features() = %+v, want %+v", got, want)
	}
	n := Network{MTU: 9000, Offload: true}
	defer n.Close()
	got = n.Port("first").Features()
	if want := (device.Features{MTU: 9000, MAC: wire.MAC{2, 0, 0, 0, 0, 1}, GSO: 65535, Checksum: true}); got != want {
		t.Errorf("Features() = %+v, want %+v", got, want)
	}
}

func TestMTU(t *testing.T) {
	n := &Network{MTU: 100}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		fits := string(make([]byte, 100))
		send(t, p[0], frame(mac(p[0]), mac(p[1]), fits), frame(mac(p[0]), mac(p[1]), fits+"+"))
		e[1].want(t, fits)
		if err := p[0].Write([]device.Outbound{{Header: []byte("short")}}); err != nil {
			t.Error(err)
		}
		e[1].want(t)
		if got := n.Stats(); got.Sent != 3 || got.Unsendable != 2 {
			t.Errorf("%+v, want 3 sent and 2 unsendable", got)
		}
	})
}

// In real time, with all that can happen at once: for the race detector.
func TestConcurrentUse(t *testing.T) {
	n := &Network{
		Faults: Faults{Delay: time.Millisecond, Jitter: time.Millisecond, Duplicate: 0.1, Reorder: 0.1},
		Filter: func(Frame) Verdict { return Pass },
	}
	const count = 200
	var ports []*Port
	var ears []*ear
	for i := range 4 {
		p := n.Port(fmt.Sprint(i))
		ports = append(ports, p)
		ears = append(ears, listen(p))
	}
	var wg sync.WaitGroup
	for _, p := range ports {
		wg.Go(func() {
			for range count {
				send(t, p, frame(mac(p), wire.Broadcast, "x"))
			}
		})
		wg.Go(func() {
			for range 20 {
				p.Pause()
				n.Partition(ports[:2], ports[2:])
				p.SetFaults(Faults{})
				n.Stats()
				p.Unplug()
				p.Plug()
				n.Heal()
				p.Resume()
			}
		})
	}
	wg.Wait()
	last := ports[0]
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		send(t, last, frame(mac(last), wire.Broadcast, "end"))
		ears[1].mu.Lock()
		heard := ears[1].heard
		ears[1].mu.Unlock()
		if len(heard) > 0 && heard[len(heard)-1].text() == "end" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the last frame did not arrive")
		}
	}
	n.Close()
	s := n.Stats()
	if s.Sent < 4*count || s.Delivered == 0 {
		t.Errorf("%+v", s)
	}
}
