package ftcptest_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

var b1 [1]byte // for reads that have to find nothing

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc >> 20)
}

type count struct{ n *atomic.Int64 }

func (c count) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

// dialMany opens so many connections, each with one exchange.
func dialMany(s *scenario, n int) []net.Conn {
	s.t.Helper()
	node := s.Client()
	conns := make([]net.Conn, n)
	var all sync.WaitGroup
	for i := range conns {
		all.Go(func() {
			c, err := node.DialContext(context.Background(), "tcp", s.Address)
			if err != nil {
				s.t.Error(err)
				return
			}
			c.SetDeadline(time.Now().Add(10 * time.Minute))
			conns[i] = c
			if err := ask(c, "hello"); err != nil {
				s.t.Error(err)
			}
		})
	}
	all.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
	return conns
}

// dialManySized is dialMany with a server that answers five bytes with size.
func dialManySized(s *scenario, n, size int) []net.Conn {
	s.t.Helper()
	node := s.Client()
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := node.DialContext(context.Background(), "tcp", s.Address)
		s.must(err)
		conns[i] = c
		io.WriteString(c, "hello")
		_, err = io.ReadFull(c, make([]byte, size))
		s.must(err)
	}
	return conns
}
