package ftcptest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

func TestUnplug(t *testing.T) {
	n := new(Network)
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(service, wire.Broadcast, "mine"))
		e[1].want(t, "mine")
		e[2].want(t, "mine")

		p[0].Unplug()
		send(t, p[0], frame(service, wire.Broadcast, "still mine"))
		e[1].want(t)
		// The switch has seen the link go down and forgotten the address.
		send(t, p[2], frame(mac(p[2]), service, "request"))
		e[0].want(t)
		e[1].want(t, "request")
		if got := n.Stats().Unplugged; got != 2 {
			t.Errorf("Unplugged = %d, want 2", got)
		}

		p[0].Plug()
		e[0].want(t) // what was lost is lost
		e[1].want(t)
		send(t, p[0], frame(service, wire.Broadcast, "back"))
		e[1].want(t, "back")
		send(t, p[2], frame(mac(p[2]), service, "request"))
		e[0].want(t, "request")
	})
}

func TestBreak(t *testing.T) {
	n := new(Network)
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		both := func() {
			send(t, p[0], frame(mac(p[0]), wire.Broadcast, "out"))
			send(t, p[1], frame(mac(p[1]), wire.Broadcast, "in"))
		}
		p[0].Break(true, false)
		both()
		e[0].want(t)
		e[1].want(t, "out")
		p[0].Break(false, true)
		both()
		e[0].want(t, "in")
		e[1].want(t)
		if got := n.Stats().Unplugged; got != 2 {
			t.Errorf("Unplugged = %d, want 2", got)
		}
		p[0].Break(false, false)
		both()
		e[0].want(t, "in")
		e[1].want(t, "out")
	})
}

func TestUnplugLeavesFramesUnderWay(t *testing.T) {
	n := &Network{Faults: Faults{Delay: time.Second}}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(service, wire.Broadcast, "last words"))
		send(t, p[1], frame(mac(p[1]), wire.Broadcast, "too late"))
		synctest.Wait()
		p[0].Unplug()
		time.Sleep(time.Second)
		e[1].want(t, "last words")
		e[0].want(t)
		// They must not bring back what the switch has forgotten.
		p[0].Plug()
		send(t, p[2], frame(mac(p[2]), service, "request"))
		time.Sleep(time.Second)
		e[1].want(t, "request")
	})
}

func TestClosedPortIsForgotten(t *testing.T) {
	bubble(t, new(Network), func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(service, wire.Broadcast, "mine"))
		e[1].want(t, "mine")
		e[2].want(t, "mine")
		send(t, p[0], frame(service, wire.Broadcast, "last words"))
		p[0].Close() // in the same instant: what was written still leaves
		e[1].want(t, "last words")
		e[2].want(t, "last words")
		send(t, p[2], frame(mac(p[2]), service, "request"))
		e[1].want(t, "request")
	})
}

func TestPause(t *testing.T) {
	bubble(t, new(Network), func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(mac(p[0]), wire.Broadcast, "hello"))
		e[1].want(t, "hello")
		p[0].Pause()
		send(t, p[1], frame(mac(p[1]), mac(p[0]), "1"))
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "A"))
		e[0].want(t)
		time.Sleep(time.Minute)
		send(t, p[1], frame(mac(p[1]), mac(p[0]), "2"))
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "B"))
		e[0].want(t)
		e[1].want(t)

		p[0].Resume()
		e[0].want(t, "1", "2")
		e[1].want(t, "A", "B")
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "C"))
		e[1].want(t, "C")
	})
}

// Pause and Resume within one instant keep the order.
func TestPauseKeepsOrder(t *testing.T) {
	bubble(t, new(Network), func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "1"))
		p[0].Pause()
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "2"))
		synctest.Wait()
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "3"))
		p[0].Resume()
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "4"))
		e[1].want(t, "1", "2", "3", "4")
	})
}

// A reader that does not read costs a bounded amount of memory.
func TestOverflow(t *testing.T) {
	const size = 1 << 20
	n := &Network{MTU: size}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		big := frame(mac(p[0]), wire.Broadcast, strings.Repeat("x", size-wire.EthernetLen))
		p[1].Pause()
		for range 40 {
			send(t, p[0], big)
			synctest.Wait()
		}
		if got := n.Stats().Overflowed; got != 40-queueLimit/size {
			t.Errorf("Overflowed = %d, want 8", got)
		}
		p[1].Resume()
		if got := len(e[1].take()); got != queueLimit/size {
			t.Errorf("heard %d frames, want 32", got)
		}
		// There is room again.
		e[2].take()
		send(t, p[0], big)
		if got := len(e[1].take()); got != 1 {
			t.Errorf("heard %d frames, want 1", got)
		}
	})
}

// So does a writer whose frames do not get away.
func TestWriteOverflow(t *testing.T) {
	const size = 1 << 20
	n := &Network{MTU: size, Faults: Faults{Delay: time.Second}}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		big := frame(mac(p[0]), mac(p[1]), strings.Repeat("x", size-wire.EthernetLen))
		for range 2 { // room comes back
			for range 40 {
				send(t, p[0], big)
			}
			time.Sleep(2 * time.Second)
			if got := len(e[1].take()); got != queueLimit/size {
				t.Errorf("heard %d frames, want 32", got)
			}
		}
		if got := n.Stats().QueueFull; got != 16 {
			t.Errorf("QueueFull = %d, want 16", got)
		}
	})
}

// Read fills in all that device.Inbound has, and as many as there are.
func TestReadBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		t.Cleanup(n.Close)
		a, b := n.Port("a"), n.Port("b")
		for _, text := range []string{"1", "2", "3"} {
			send(t, a, frame(mac(a), mac(b), text))
		}
		synctest.Wait()
		pkts := []device.Inbound{{Verified: true, SegmentSize: 9}, {}}
		for i := range pkts {
			pkts[i].Buf = make([]byte, device.BufferSize)
		}
		for _, want := range []int{2, 1} {
			got, err := b.Read(pkts)
			if got != want || err != nil {
				t.Fatalf("Read() = %d, %v, want %d", got, err, want)
			}
			if p := pkts[0]; p.N != wire.EthernetLen+1 || p.Verified || p.SegmentSize != 0 {
				t.Errorf("N = %d, Verified = %v, SegmentSize = %d", p.N, p.Verified, p.SegmentSize)
			}
		}
	})
}

// Write does not keep what it is given.
func TestWriteCopies(t *testing.T) {
	n := &Network{Faults: Faults{Delay: time.Second}}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		f := frame(mac(p[0]), mac(p[1]), "before")
		send(t, p[0], f)
		copy(f[wire.EthernetLen:], "after!")
		time.Sleep(time.Second)
		e[1].want(t, "before")
	})
}
