package stack_test

import (
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/wire"
)

// heap is the memory in use, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold survives the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What SYNs from a hundred thousand addresses cost: as many half-open connections as the backlog has, little
// memory for each, and all of it is given back.
func TestFloodMemory(t *testing.T) {
	const (
		sources = 100_000
		most    = 4 << 10 // bytes a half-open connection
	)
	hostile(t, stack.Config{}, func(t *testing.T, a *attacker) {
		l := a.listen()
		client := a.dial()
		served, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		a.answers()
		syn := wire.TCP{Flags: wire.SYN, Window: 65535, Options: wire.Options{
			MSS: 1460, SACKPermitted: true, HasTimestamps: true, HasWindowScale: true, WindowScale: 7,
		}}
		flood := func(flags ...wire.Flags) {
			for i := range sources {
				src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1 + byte(i>>16), byte(i >> 8), byte(i)}), uint16(1024+i%60000))
				for j, f := range flags {
					syn.Seq, syn.Flags = uint32(j), f
					a.segment(src, syn, "")
				}
				if i%1000 == 0 {
					a.answers()
				}
			}
			a.answers()
		}
		before := heap()
		flood(wire.SYN, wire.RST) // one after the other, in no time
		if n := len(a.server.Conns()); n != 1 {
			t.Errorf("%d connections are left; want 1", n)
		}
		if more := heap() - before; more > 2<<20 {
			t.Errorf("connections that are gone take %d bytes", more)
		}
		flood(wire.SYN)
		if n := len(a.server.Conns()); n != stack.DefaultBacklog+1 {
			t.Fatalf("%d connections; want %d", n, stack.DefaultBacklog+1)
		}
		full := heap() - before
		t.Logf("%d half-open connections take %d KiB, %d bytes each", stack.DefaultBacklog, full>>10, full/stack.DefaultBacklog)
		if full > stack.DefaultBacklog*most {
			t.Errorf("half-open connections take %d bytes each", full/stack.DefaultBacklog)
		}
		flood(wire.ACK) // of no cookie
		if more := heap() - before - full; more > 1<<20 {
			t.Errorf("ACKs take %d bytes", more)
		}
		exchange(t, client, served)
		fresh := a.dial()
		if served, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		exchange(t, fresh, served)

		answers := 0
		for range 20 {
			time.Sleep(10 * time.Second)
			answers += len(a.answers())
		}
		if n := answers / stack.DefaultBacklog; n < 3 || n > 5 {
			t.Errorf("each SYN-ACK was repeated %d times", n)
		}
		synctest.Wait()
		if n := len(a.server.Conns()); n != 2 {
			t.Errorf("%d connections are left; want 2", n)
		}
		left := heap() - before
		t.Logf("%d KiB are left afterwards", left>>10)
		if left > 4<<20 {
			t.Errorf("%d bytes are left", left)
		}
	})
}
