package peerlink

import (
	"fmt"
	"net"
	"testing"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// BenchmarkLink is a stream of frames, over connections as the host makes them and as
// links are set up.
func BenchmarkLink(b *testing.B) {
	for _, transport := range []struct {
		name string
		pair func(testing.TB) (client, server net.Conn)
	}{{"plain", tcpPair}, {"tuned", tunedPair}} {
		for _, n := range []int{100, 4 << 10, 256 << 10} {
			b.Run(fmt.Sprintf("%s/%d", transport.name, n), func(b *testing.B) { stream(b, transport.pair, n) })
		}
	}
}

func stream(b *testing.B, pair func(testing.TB) (client, server net.Conn), n int) {
	client, server := openPair(b, pair)
	sent, payload := inputFrame(1, n)
	b.SetBytes(int64(n))
	b.ReportAllocs()
	b.ResetTimer()
	wait := async(func() (int, error) {
		for i := range b.N {
			if err := client.Send(sent, payload); err != nil {
				return i, err
			}
		}
		return 0, nil
	})
	var f replpb.Frame
	for range b.N {
		if _, err := server.Receive(&f); err != nil {
			b.Fatal(err)
		}
	}
	if i, err := wait(); err != nil {
		b.Fatalf("frame %d: %v", i, err)
	}
}

// BenchmarkRoundTrip is a frame and its answer.
func BenchmarkRoundTrip(b *testing.B) {
	for _, transport := range []struct {
		name string
		pair func(testing.TB) (client, server net.Conn)
	}{{"plain", tcpPair}, {"tuned", tunedPair}} {
		b.Run(transport.name, func(b *testing.B) {
			client, server := openPair(b, transport.pair)
			sent, payload := inputFrame(1, 100)
			wait := async(func() (int, error) {
				var f replpb.Frame
				for i := range b.N {
					payload, err := server.Receive(&f)
					if err != nil {
						return i, err
					}
					if err := server.Send(&f, payload); err != nil {
						return i, err
					}
				}
				return 0, nil
			})
			b.ResetTimer()
			var f replpb.Frame
			for range b.N {
				if err := client.Send(sent, payload); err != nil {
					b.Fatal(err)
				}
				if _, err := client.Receive(&f); err != nil {
					b.Fatal(err)
				}
			}
			if i, err := wait(); err != nil {
				b.Fatalf("frame %d: %v", i, err)
			}
		})
	}
}
