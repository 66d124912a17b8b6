package device

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// A stream is segments of one connection, from one end of a cable to the other, both of which
// are packet devices.
func stream(t testing.TB, c cable, size, segmentSize, n int) (from, to *Packet, pkts []Outbound) {
	t.Helper()
	from, to = c.openPacket(t, service4), nil
	client, clientMAC := netip.MustParseAddr("10.0.0.7"), wire.MAC{0x02, 0xf7, 0xc9, 7, 7, 7}
	check(t, c.b.Do(func() (err error) {
		to, err = OpenPacket(PacketConfig{Interface: "eth0", Addr: client, MAC: clientMAC})
		return err
	}))
	t.Cleanup(func() { to.Close() })
	p := &peer{t: t, dev: from, local: netip.AddrPortFrom(service4, 80), remote: netip.AddrPortFrom(client, 9), mac: clientMAC}
	payload := make([]byte, size)
	rand.Read(payload)
	for range n {
		pkts = append(pkts, p.outbound(wire.TCP{Flags: wire.ACK}, payload, segmentSize))
	}
	return from, to, pkts
}

func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	t.Run("packet", func(t *testing.T) {
		from, to, out := stream(t, newCable(t), 30000, 1400, 8)
		noAllocations(t, from, to, out)
	})
	t.Run("local", func(t *testing.T) {
		ns := newNamespace(t)
		l := openLocal(t, ns)
		var out []Outbound
		for _, ip := range []string{"127.0.0.1", "::1"} {
			dst := netip.MustParseAddr(ip)
			port, _ := reserve(t, ns, l, netip.AddrPortFrom(dst, 0).String())
			h, _ := headers(netip.AddrPortFrom(dst, 9), netip.AddrPortFrom(dst, port), wire.TCP{Flags: wire.SYN}, nil, false)
			out = append(out, Outbound{Header: h})
		}
		noAllocations(t, l, l, out)
	})
}

func noAllocations(t *testing.T, from, to Device, out []Outbound) {
	in := buffers(len(out))
	defer time.AfterFunc(patience, func() { to.Close() }).Stop()
	allocs := testing.AllocsPerRun(100, func() {
		check(t, from.Write(out))
		for read := 0; read < len(out); {
			n, err := to.Read(in)
			check(t, err)
			read += n
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for %d packets written and read", allocs, len(out))
	}
}

// How fast packets go from one device to another, over a cable between two kernels.
func BenchmarkPacket(b *testing.B) {
	for _, bb := range []struct{ size, segmentSize, batch int }{
		{64000, 1400, 1}, {64000, 1400, 8}, {64000, 1400, 32},
		{1400, 0, 1}, {1400, 0, 32}, {1400, 0, 64}, {0, 0, 64},
	} {
		b.Run(fmt.Sprintf("size=%d/batch=%d", bb.size, bb.batch), func(b *testing.B) {
			from, to, out := stream(b, newCable(b), bb.size, bb.segmentSize, bb.batch)
			b.SetBytes(int64(bb.size))
			b.ReportAllocs()
			var received atomic.Int64
			done := make(chan struct{})
			go func() {
				defer close(done)
				in := buffers(64)
				for {
					n, err := to.Read(in)
					if err != nil {
						return
					}
					received.Add(int64(n))
				}
			}()
			sent := 0
			for b.Loop() {
				// One iteration is one packet.
				if sent++; sent%bb.batch == 0 {
					if err := from.Write(out); err != nil {
						b.Fatal(err)
					}
				}
			}
			elapsed := b.Elapsed()
			to.Close()
			<-done
			b.ReportMetric(float64(received.Load())/elapsed.Seconds(), "received/s")
			s := to.Stats()
			b.ReportMetric(float64(s.Overrun)/float64(sent), "lost/op")
		})
	}
}

// How long a packet takes there and back, each side waiting for the other.
func BenchmarkRoundTrip(b *testing.B) {
	from, to, out := stream(b, newCable(b), 1, 0, 1)
	// The other way round: what arrives at to goes back to from.
	h := append([]byte(nil), out[0].Header...)
	copy(h[0:6], group[:])
	copy(h[wire.EthernetLen+12:], service4.AsSlice())
	copy(h[wire.EthernetLen+16:], service4.AsSlice())
	back := []Outbound{{Header: h, Payload: out[0].Payload}}
	go func() {
		in := buffers(8)
		for {
			n, err := to.Read(in)
			if err != nil {
				return
			}
			for range n {
				to.Write(back)
			}
		}
	}()
	in := buffers(8)
	b.ReportAllocs()
	for b.Loop() {
		if err := from.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := from.Read(in); err != nil {
			b.Fatal(err)
		}
	}
}
