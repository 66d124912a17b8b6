package ftcptest_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// discard is a server that reads all, in small pieces: those of io.Copy would be most of
// the memory.
func discard(_ int, c *ftcp.Conn) {
	for b := make([]byte, 1024); ; {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// upload sends n bytes on each of many connections.
func upload(s *scenario, conns []net.Conn, n int) {
	s.t.Helper()
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() {
			if _, err := c.Write(make([]byte, n)); err != nil {
				s.t.Error(err)
			}
		})
	}
	all.Wait()
	time.Sleep(time.Second)
}

// dialSilent opens many connections on which nothing is said yet.
func dialSilent(s *scenario, n int) (conns []net.Conn) {
	s.t.Helper()
	node := s.Client()
	for range n {
		c, err := node.DialContext(context.Background(), "tcp", s.Address)
		s.must(err)
		conns = append(conns, c)
	}
	return conns
}

// The histories of idle connections are bounded in total, on both nodes, and what was
// given up for that is named when a standby comes later.
func TestMemoryOfHistories(t *testing.T) {
	play(t, &ftcptest.Cluster{Serve: serve(discard)}, func(s *scenario) {
		conns := dialSilent(s, 400)
		before := heap()
		upload(s, conns, 250<<10)
		heap() // what is in pools goes with the second collection
		// Both nodes are in this process: 64 MiB each, and a block that is not full for
		// each replica.
		grown := heap() - before
		t.Logf("400 histories take %d MiB", grown)
		if grown > 2*64+90 {
			t.Errorf("400 histories take %d MiB", grown)
		}
		if st := s.Active().Node().Status(); st.Protected != 400 {
			t.Errorf("%+v", st)
		}
		restartStandby(s)
		time.Sleep(10 * time.Second)
		st := s.Active().Node().Status()
		if st.Protected < 100 || st.Protected == 400 || len(st.Unprotected) != 1 {
			t.Errorf("with a standby that came later: %+v", st)
		}
		s.allowResets()
		for _, c := range conns {
			c.Close()
		}
	})
}

// Connections that are over cost a standby whose program does not accept next to nothing.
func TestMemoryOfEndedReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		done := make(chan struct{})
		s := begin(t, &ftcptest.Cluster{Serve: func(l net.Listener) {
			if n.Add(1) == 2 {
				<-done // it does not accept
				return
			}
			serve(func(_ int, c *ftcp.Conn) { io.CopyN(io.Discard, c, 50_000) })(l)
		}})
		defer close(done)
		s.allowResets()
		node := s.Client()
		before := heap()
		for range 20 {
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					c, err := node.DialContext(context.Background(), "tcp", s.Address)
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					if _, err := c.Write(make([]byte, 50_000)); err != nil {
						t.Error(err)
					}
					c.SetReadDeadline(time.Now().Add(time.Minute))
					if _, err := c.Read(b1[:]); err != io.EOF {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		time.Sleep(3 * time.Minute) // those in TIME-WAIT are gone
		grown := heap() - before
		t.Logf("2,000 connections that are over take %d MiB; %+v", grown, s.Standby().Node().Status())
		if grown > 24 {
			t.Errorf("2,000 connections that are over take %d MiB", grown)
		}
		if st := s.Standby().Node().Status(); st.Conns != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// Strangers that say nothing on the port of the links cost a node little, and do not keep
// its standby away.
func TestMemoryOfSilentLinks(t *testing.T) {
	play(t, &ftcptest.Cluster{}, func(s *scenario) {
		stranger := &ftcp.Node{Device: s.Network.Port("stranger"), LocalAddr: netip.MustParseAddr("10.254.7.7"), Logger: s.Logger}
		defer stranger.Close()
		a, b := s.Active(), s.Standby()
		address := "10.254.0.1:7420"
		if a == s.Machine(1) {
			address = "10.254.0.2:7420"
		}
		before, opened := heap(), 0
		var silent []net.Conn
		for range 3000 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if c, err := stranger.DialContext(ctx, "tcp", address); err == nil {
				opened++
				silent = append(silent, c)
			}
			cancel()
		}
		grown := heap() - before
		t.Logf("%d silent connections take %d MiB, both ends", opened, grown)
		if opened < 1000 || grown > 48 {
			t.Errorf("%d silent connections take %d MiB", opened, grown)
		}
		c := s.dial()
		s.must(ask(c, "hello"))
		b.Kill()
		s.must(b.Start())
		protected(s, 1)
		s.must(c.Close())
		for _, c := range silent {
			c.Close()
		}
	})
}
