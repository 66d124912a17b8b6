package peerlink

import (
	"context"
	"net"
	"runtime"
	"sync"
	"testing"
)

// Before it is known, a peer costs next to nothing.
func TestSilentPeersCostLittle(t *testing.T) {
	const peers, most = 200, 16 << 10
	hello := clientHello(t)
	for name, said := range map[string][]byte{
		"nothing":               nil,
		"half of a ClientHello": hello[:len(hello)/2],
	} {
		t.Run(name, func(t *testing.T) {
			keys := testKeys(t, "web", testSecret)
			ctx, cancel := context.WithCancel(t.Context())
			var conns []net.Conn
			var wg, waiting sync.WaitGroup
			before := memory()
			for range peers {
				c, s := tcpPair(t)
				conns = append(conns, c, s)
				if _, err := c.Write(said); err != nil {
					t.Fatal(err)
				}
				waiting.Add(1)
				wg.Go(func() { Server(ctx, &waitConn{s, len(said), waiting.Done}, keys) })
			}
			waiting.Wait()
			each := int(memory()-before) / peers
			t.Logf("%d bytes each, both ends together", each)
			if each > most {
				t.Errorf("more than %d", most)
			}
			runtime.KeepAlive(conns)
			cancel()
			wg.Wait()
		})
	}
}

// A waitConn says when it begins to wait for what comes after so many bytes.
type waitConn struct {
	net.Conn
	left int
	wait func()
}

func (c *waitConn) Read(b []byte) (int, error) {
	if c.left == 0 {
		c.wait()
	}
	n, err := c.Conn.Read(b)
	c.left -= n
	return n, err
}

// memory is what the program uses, when all that is no longer used has been given back.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// clientHello is what a client sends first.
func clientHello(t *testing.T) []byte {
	c, s := pipePair(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wait := async(func() (*Link, error) { return Client(ctx, c, testKeys(t, "web", testSecret)) })
	b := make([]byte, 4<<10)
	n, err := s.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	wait()
	return b[:n]
}
