package ftcptest

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// segment returns a TCP segment as a stack gives it to a device that completes
// checksums, and cuts if size is not zero.
func segment(src, dst string, payload []byte, size int) device.Outbound {
	ip := wire.IP{
		Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst),
		Proto: wire.ProtoTCP, TTL: 64, ID: 65535, DF: true,
	}
	tcp := wire.TCP{
		SrcPort: 1, DstPort: 2, Seq: 0xffffff00, Ack: 7,
		Flags: wire.ACK | wire.PSH | wire.FIN | wire.CWR, Window: 100,
		Options: wire.Options{HasTimestamps: true, TSVal: 1, TSEcr: 2},
	}
	typ := wire.EtherTypeIPv4
	if ip.Src.Is6() {
		typ = wire.EtherTypeIPv6
	}
	length := tcp.Len() + len(payload)
	h := wire.Ethernet{Dst: wire.Broadcast, Src: wire.MAC{2, 0, 0, 0, 0, 1}, Type: typ}
	b := ip.Append(h.Append(nil), length)
	start := len(b)
	b = tcp.Append(b)
	wire.SetPartialChecksum(b[start:], wire.PseudoHeaderSum(ip.Src, ip.Dst, wire.ProtoTCP, length))
	third := len(payload) / 3
	return device.Outbound{
		Header:         b,
		Payload:        [][]byte{payload[:third], payload[third:]},
		ChecksumStart:  start,
		ChecksumOffset: wire.TCPChecksumOffset,
		SegmentSize:    size,
	}
}

func TestOffload(t *testing.T) {
	const mss = 1400
	payload := make([]byte, 60_001)
	for i := range payload {
		payload[i] = byte(i * i >> 8)
	}
	for _, test := range []struct {
		name, src, dst string
		length, size   int
		want           int // segments
	}{
		{"IPv4", "10.0.0.1", "10.0.0.2", len(payload), mss, 43},
		{"IPv6", "fd00::1", "fd00::2", len(payload), mss, 43},
		{"exact multiple", "10.0.0.1", "10.0.0.2", 2 * mss, mss, 2},
		{"one segment", "10.0.0.1", "10.0.0.2", mss, mss, 1},
		{"checksum only", "fd00::1", "fd00::2", 999, 0, 1},
		{"empty", "10.0.0.1", "10.0.0.2", 0, mss, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			payload := payload[:test.length]
			bubble(t, &Network{Offload: true}, func(t *testing.T, p []*Port, e []*ear) {
				out := segment(test.src, test.dst, payload, test.size)
				if err := p[0].Write([]device.Outbound{out}); err != nil {
					t.Fatal(err)
				}
				heard := e[1].take()
				if len(heard) != test.want {
					t.Fatalf("%d segments, want %d", len(heard), test.want)
				}
				var got []byte
				for i, a := range heard {
					ip, body, err := wire.ParseIP(a.data[wire.EthernetLen:])
					if err != nil {
						t.Fatalf("segment %d: %v", i, err)
					}
					if want := uint16(65535 + i); ip.Src.Is4() && ip.ID != want {
						t.Errorf("segment %d: ID %d, want %d", i, ip.ID, want)
					}
					if !wire.TCPChecksumOK(body, ip.Src, ip.Dst) {
						t.Errorf("segment %d: bad checksum", i)
					}
					var tcp wire.TCP
					data, err := tcp.Parse(body)
					if err != nil {
						t.Fatalf("segment %d: %v", i, err)
					}
					if want := 0xffffff00 + uint32(len(got)); tcp.Seq != want {
						t.Errorf("segment %d: seq %d, want %d", i, tcp.Seq, want)
					}
					flags := wire.ACK
					if i == 0 {
						flags |= wire.CWR
					}
					if i == len(heard)-1 {
						flags |= wire.PSH | wire.FIN
					} else if len(data) != test.size {
						t.Errorf("segment %d: %d bytes, want %d", i, len(data), test.size)
					}
					if tcp.Flags != flags {
						t.Errorf("segment %d: flags %v, want %v", i, tcp.Flags, flags)
					}
					got = append(got, data...)
				}
				if !bytes.Equal(got, payload) {
					t.Error("the payload has changed")
				}
			})
		})
	}
}

// What the stack gets wrong must not be put right on the way.
func TestOffloadKeepsWrongSum(t *testing.T) {
	bubble(t, &Network{Offload: true}, func(t *testing.T, p []*Port, e []*ear) {
		out := segment("10.0.0.1", "10.0.0.2", make([]byte, 3000), 1000)
		out.Header[out.ChecksumStart+out.ChecksumOffset]++
		if err := p[0].Write([]device.Outbound{out}); err != nil {
			t.Fatal(err)
		}
		for i, a := range e[1].take() {
			ip, body, err := wire.ParseIP(a.data[wire.EthernetLen:])
			if err != nil {
				t.Fatal(err)
			}
			if wire.TCPChecksumOK(body, ip.Src, ip.Dst) {
				t.Errorf("segment %d: the checksum is right", i)
			}
		}
	})
}

// Without Offload a packet goes as it is, or not at all.
func TestNoOffload(t *testing.T) {
	n := new(Network)
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		out := segment("10.0.0.1", "10.0.0.2", []byte("x"), 0)
		long := segment("10.0.0.1", "10.0.0.2", make([]byte, 3000), 1000)
		if err := p[0].Write([]device.Outbound{out, long}); err != nil {
			t.Fatal(err)
		}
		heard := e[1].take()
		if len(heard) != 1 || !bytes.Equal(heard[0].data, append(out.Header, 'x')) {
			t.Errorf("heard %v", heard)
		}
		if got := n.Stats().Unsendable; got != 1 {
			t.Errorf("Unsendable = %d, want 1", got)
		}
	})
}
