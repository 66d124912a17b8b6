package ftcptest

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// count sends numbered frames from a to b, all at the same instant, and returns
// what b hears within a minute.
func count(t *testing.T, n *Network, frames int) (heard []arrival) {
	t.Helper()
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		for i := range frames {
			send(t, p[0], frame(mac(p[0]), mac(p[1]), strconv.Itoa(i)))
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		heard = e[1].take()
	})
	return heard
}

func texts(as []arrival) (s []string) {
	for _, a := range as {
		s = append(s, a.text())
	}
	return s
}

func numbers(n int) (s []string) {
	for i := range n {
		s = append(s, strconv.Itoa(i))
	}
	return s
}

func TestZeroValueIsPerfect(t *testing.T) {
	heard := count(t, new(Network), 1000)
	if !slices.Equal(texts(heard), numbers(1000)) {
		t.Errorf("%d frames arrived, or out of order", len(heard))
	}
	for _, a := range heard {
		if a.after != 0 {
			t.Fatalf("a frame took %v", a.after)
		}
	}
}

func TestDelay(t *testing.T) {
	n := &Network{Faults: Faults{Delay: 20 * time.Millisecond}}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		p[1].SetFaults(Faults{Delay: 7 * time.Millisecond})
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "request"))
		time.Sleep(20*time.Millisecond - time.Nanosecond)
		e[1].want(t)
		time.Sleep(time.Nanosecond)
		e[1].want(t, "request")
		send(t, p[1], frame(mac(p[1]), mac(p[0]), "reply"))
		time.Sleep(time.Second)
		if got := e[0].take(); len(got) != 1 || got[0].after != 27*time.Millisecond {
			t.Errorf("got %v, want the reply after 27ms", got)
		}
	})
}

// A shorter delay does not let frames overtake those sent before.
func TestDelayChangeKeepsOrder(t *testing.T) {
	bubble(t, new(Network), func(t *testing.T, p []*Port, e []*ear) {
		p[0].SetFaults(Faults{Delay: time.Second})
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "slow"))
		synctest.Wait()
		p[0].SetFaults(Faults{})
		send(t, p[0], frame(mac(p[0]), mac(p[1]), "fast"))
		e[1].want(t)
		time.Sleep(time.Second)
		e[1].want(t, "slow", "fast")
	})
}

func TestJitterKeepsOrder(t *testing.T) {
	n := &Network{Faults: Faults{Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond}}
	var heard []arrival
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		for i := range 500 {
			send(t, p[0], frame(mac(p[0]), mac(p[1]), strconv.Itoa(i)))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		heard = e[1].take()
	})
	if !slices.Equal(texts(heard), numbers(500)) {
		t.Fatal("frames lost or out of order")
	}
	var low, high int
	for i, a := range heard {
		took := a.after - time.Duration(i)*time.Millisecond
		if took <= 10*time.Millisecond || took > 15*time.Millisecond {
			t.Errorf("frame %d took %v, want more than 10ms and at most 15ms", i, took)
		}
		if took < 12*time.Millisecond {
			low++
		}
		if took > 14*time.Millisecond {
			high++
		}
	}
	if low == 0 || high == 0 {
		t.Errorf("%d frames took less than 12ms and %d more than 14ms, want some", low, high)
	}
}

func TestLoss(t *testing.T) {
	n := &Network{Faults: Faults{Loss: 0.1}}
	heard := count(t, n, 2000)
	if s := n.Stats(); len(heard)+s.Lost != 2000 || s.Lost < 100 || s.Lost > 300 {
		t.Errorf("heard %d, lost %d of 2000, want about 200 lost", len(heard), s.Lost)
	}
	if heard := count(t, &Network{Faults: Faults{Loss: 1}}, 100); len(heard) != 0 {
		t.Errorf("heard %d frames through a dead cable", len(heard))
	}
}

func TestSeed(t *testing.T) {
	run := func(seed uint64) string {
		n := &Network{Seed: seed, Faults: Faults{
			Delay: 3 * time.Millisecond, Jitter: time.Millisecond,
			Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Corrupt: 0.1,
		}}
		heard := count(t, n, 300)
		return fmt.Sprint(heard, n.Stats())
	}
	zero, one, again := run(0), run(1), run(1)
	if one != again {
		t.Error("the same seed gives different faults")
	}
	if zero == one {
		t.Error("different seeds give the same faults")
	}
}

// What others send has no influence on a port's faults.
func TestSeedIsPerPort(t *testing.T) {
	run := func(others int) []string {
		var heard []arrival
		bubble(t, &Network{Faults: Faults{Loss: 0.5}}, func(t *testing.T, p []*Port, e []*ear) {
			for i := range 100 {
				for range others {
					send(t, p[2], frame(mac(p[2]), mac(p[0]), "noise"))
				}
				synctest.Wait()
				send(t, p[0], frame(mac(p[0]), mac(p[1]), strconv.Itoa(i)))
				synctest.Wait()
			}
			for _, a := range e[1].take() {
				if a.text() != "noise" {
					heard = append(heard, a)
				}
			}
		})
		return texts(heard)
	}
	if !slices.Equal(run(0), run(3)) {
		t.Error("another port's frames have changed the faults")
	}
}

func TestPortsHaveDifferentFaults(t *testing.T) {
	bubble(t, &Network{Faults: Faults{Loss: 0.5}}, func(t *testing.T, p []*Port, e []*ear) {
		for i := range 100 {
			send(t, p[0], frame(mac(p[0]), mac(p[2]), strconv.Itoa(i)))
			send(t, p[1], frame(mac(p[1]), mac(p[0]), strconv.Itoa(i)))
		}
		if slices.Equal(texts(e[2].take()), texts(e[0].take())) {
			t.Error("two ports lose the same frames")
		}
	})
}

func TestDuplicate(t *testing.T) {
	n := &Network{Faults: Faults{Duplicate: 0.2}}
	heard := count(t, n, 500)
	dup := n.Stats().Duplicated
	if len(heard) != 500+dup || dup < 50 || dup > 150 {
		t.Errorf("heard %d frames, %d duplicated, want about 100", len(heard), dup)
	}
	if got := slices.Compact(texts(heard)); !slices.Equal(got, numbers(500)) {
		t.Error("not the frames that were sent, in order")
	}
}

func TestReorder(t *testing.T) {
	n := &Network{Faults: Faults{Reorder: 0.1}}
	var heard []arrival
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		for i := range 500 {
			send(t, p[0], frame(mac(p[0]), mac(p[1]), strconv.Itoa(i)))
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(time.Second)
		heard = e[1].take()
	})
	if len(heard) != 500 {
		t.Fatalf("heard %d frames, want 500", len(heard))
	}
	late := 0
	for _, a := range heard {
		i, _ := strconv.Atoi(a.text())
		took := a.after - time.Duration(i)*100*time.Microsecond
		if took > time.Millisecond {
			t.Errorf("frame %d took %v, want at most 1ms", i, took)
		}
		if took > 0 {
			late++
		}
	}
	if got := n.Stats().Reordered; got != late || late < 25 || late > 100 {
		t.Errorf("Reordered = %d, %d frames late, want about 50", got, late)
	}
	if slices.Equal(texts(heard), numbers(500)) {
		t.Error("all in order")
	}
}

func TestRate(t *testing.T) {
	// 100 bytes a frame at 10,000 bytes per second: 10 ms.
	n := &Network{Faults: Faults{Rate: 10_000, Queue: 500, Delay: time.Second}}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		full := frame(mac(p[0]), mac(p[1]), string(make([]byte, 100-wire.EthernetLen)))
		burst := slices.Repeat([][]byte{full}, 8)
		send(t, p[0], burst...)
		time.Sleep(5 * time.Second)
		var got []time.Duration
		for _, a := range e[1].take() {
			got = append(got, a.after)
		}
		const ms = time.Millisecond
		if want := []time.Duration{1010 * ms, 1020 * ms, 1030 * ms, 1040 * ms, 1050 * ms}; !slices.Equal(got, want) {
			t.Errorf("arrived after %v, want %v", got, want)
		}
		if got := n.Stats().QueueFull; got != 3 {
			t.Errorf("QueueFull = %d, want 3", got)
		}
		// The queue has drained.
		send(t, p[0], burst...)
		time.Sleep(5 * time.Second)
		if got := len(e[1].take()); got != 5 {
			t.Errorf("%d frames of the second burst arrived, want 5", got)
		}
	})
}

// A queue smaller than a frame does not block the line.
func TestTinyQueue(t *testing.T) {
	heard := count(t, &Network{Faults: Faults{Rate: 1000, Queue: 1}}, 5)
	if !slices.Equal(texts(heard), numbers(1)) {
		t.Errorf("heard %q, want the first frame only", texts(heard))
	}
}

func TestCorrupt(t *testing.T) {
	n := &Network{Faults: Faults{Corrupt: 1}}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		for _, typ := range []wire.EtherType{wire.EtherTypeIPv4, wire.EtherTypeIPv6, wire.EtherTypeARP} {
			h := wire.Ethernet{Dst: wire.Broadcast, Src: mac(p[0]), Type: typ}
			sent := append(h.Append(nil), make([]byte, 50)...)
			for range 100 {
				send(t, p[0], sent)
			}
			atB, atC := e[1].take(), e[2].take()
			if len(atB) != 100 || len(atC) != 100 {
				t.Fatalf("%d and %d frames arrived, want 100", len(atB), len(atC))
			}
			want := 1
			if typ == wire.EtherTypeARP { // has no checksum
				want = 0
			}
			for i := range atB {
				if !bytes.Equal(atB[i].data[:wire.EthernetLen], sent[:wire.EthernetLen]) {
					t.Error("the Ethernet header is corrupt")
				}
				if got := differentBits(atB[i].data, sent); got != want {
					t.Errorf("type %#x: %d bits differ, want %d", typ, got, want)
				}
				if !bytes.Equal(atB[i].data, atC[i].data) {
					t.Error("one frame arrived in two forms")
				}
			}
		}
		if got := n.Stats().Corrupted; got != 200 {
			t.Errorf("Corrupted = %d, want 200", got)
		}
	})
}

func differentBits(a, b []byte) (n int) {
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}
