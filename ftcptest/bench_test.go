package ftcptest

import (
	"testing"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// BenchmarkNetwork measures full frames through a perfect network in real time,
// written in batches of 64.
func BenchmarkNetwork(b *testing.B) {
	var n Network
	defer n.Close()
	from, to := n.Port("a"), n.Port("b")
	f := frame(mac(from), mac(to), string(make([]byte, 1500)))
	out := make([]device.Outbound, 64)
	for i := range out {
		out[i].Header = f
	}
	in := make([]device.Inbound, 64)
	for i := range in {
		in[i].Buf = make([]byte, device.BufferSize)
	}
	send(b, to, frame(mac(to), wire.Broadcast, "here I am"))
	b.SetBytes(int64(len(out) * len(f)))
	b.ReportAllocs()
	for b.Loop() {
		if err := from.Write(out); err != nil {
			b.Fatal(err)
		}
		for got := 0; got < len(out); {
			k, err := to.Read(in)
			if err != nil {
				b.Fatal(err)
			}
			got += k
		}
	}
}
