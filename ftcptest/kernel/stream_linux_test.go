package kernel_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// A stream is a client of an echoing server. It says something of random bytes and a random
// length, compares what comes back, and says something else, until it is ended.
type stream struct {
	t    *testing.T
	conn *net.TCPConn
	stop chan struct{}
	over chan struct{} // closed when it has stopped

	mu      sync.Mutex
	rounds  int           // that came back whole
	bytes   int64         // in them
	pause   time.Duration // the longest round
	err     error         // why it stopped early
	changed chan struct{} // closed, and made anew, when rounds changes
}

// pace is the time between two rounds. More would be more than what a standby that comes
// later should have to replay.
const pace = 2 * time.Millisecond

// stream connects to the service and starts.
func (l *lab) stream() *stream {
	l.t.Helper()
	s := &stream{
		t: l.t, conn: l.dial(),
		stop: make(chan struct{}), over: make(chan struct{}), changed: make(chan struct{}),
	}
	go s.run()
	return s
}

func (s *stream) run() {
	defer close(s.over)
	random := rand.New(rand.NewPCG(1, 2))
	source := rand.NewChaCha8([32]byte{2})
	sent, got := make([]byte, 4<<10), make([]byte, 4<<10)
	for tick := time.Tick(pace); ; {
		select {
		case <-s.stop:
			return
		case <-tick:
		}
		n := 1 + random.IntN(600)
		if random.IntN(8) == 0 {
			n = 1 + random.IntN(len(sent)) // several segments
		}
		source.Read(sent[:n])
		begin := time.Now()
		s.conn.SetDeadline(begin.Add(*patience))
		_, err := s.conn.Write(sent[:n])
		if err == nil {
			_, err = io.ReadFull(s.conn, got[:n])
		}
		if err == nil && !bytes.Equal(got[:n], sent[:n]) {
			err = fmt.Errorf("what came back is not what was sent, after %d bytes", s.bytes)
		}
		s.mu.Lock()
		s.err = err
		if err == nil {
			s.rounds++
			s.bytes += int64(n)
			s.pause = max(s.pause, time.Since(begin))
		}
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// goesOn waits until the stream has gone back and forth since now, and returns how long
// the longest round has taken since the last call.
func (s *stream) goesOn(when string) (pause time.Duration) {
	s.t.Helper()
	s.mu.Lock()
	until := s.rounds + 2 // the first may be under way
	for s.rounds < until && s.err == nil {
		changed := s.changed
		s.mu.Unlock()
		<-changed // a round has a deadline
		s.mu.Lock()
	}
	pause, err := s.pause, s.err
	s.pause = 0
	s.mu.Unlock()
	if err != nil {
		s.t.Fatalf("%s: the client saw an error: %v", when, err)
	}
	s.t.Logf("%s: the stream goes on; longest round %v", when, pause.Round(time.Millisecond))
	return pause
}

// end ends the stream: both sides close it, in order.
func (s *stream) end() {
	s.t.Helper()
	close(s.stop)
	<-s.over
	if s.err != nil {
		s.t.Fatalf("the client saw an error: %v", s.err)
	}
	s.conn.SetDeadline(time.Now().Add(*patience))
	check(s.t, s.conn.CloseWrite())
	if rest, err := io.ReadAll(s.conn); err != nil || len(rest) > 0 {
		s.t.Fatalf("at the end: %d bytes too many, %v", len(rest), err)
	}
	s.t.Logf("%d bytes in %d rounds, there and back", s.bytes, s.rounds)
}

// history is enough for a standby that comes late in any of these tests.
const history = 64 << 20

// startStream starts a pair, with a stream that is protected.
func (l *lab) startStream() *stream {
	l.t.Helper()
	l.start(0)
	l.servers[0].await("active")
	l.start(1)
	l.servers[0].awaitThat("in sync", inSync)
	s := l.stream()
	l.servers[0].awaitThat("protecting", protects(1))
	s.goesOn("protected")
	return s
}

// newLinkedLab builds a lab whose servers have a second interface, eth1, for the links
// between them.
func newLinkedLab(t *testing.T, config serverConfig) *lab {
	t.Helper()
	l := newLab(t, config)
	check(t, l.hosts[0].AddVeth("eth1", l.hosts[1].Namespace, "eth1"))
	l.config.Peers = []string{"192.168.9.11", "192.168.9.12"}
	for i, addr := range l.config.Peers {
		check(t, l.hosts[i].AddAddr("eth1", netip.MustParsePrefix(addr+"/24")))
	}
	return l
}

// awaitPair waits until one server protects n connections and the other is its standby.
func (l *lab) awaitPair(active, n int) {
	l.t.Helper()
	l.servers[active].awaitThat("protecting again", protects(n))
	l.servers[1-active].await("standby")
	// By then the active one has not changed its mind.
	l.servers[active].awaitThat("protecting still", protects(n))
}

// alone says that a server is active and has nobody that could take over.
func alone(r report) bool { return r.Role == "active" && !r.InSync && r.Standby == "" }

// awaitEither waits until one of the servers says something of itself, and returns which.
func (l *lab) awaitEither(what string, is func(report) bool) int {
	l.t.Helper()
	for timeout := time.After(*patience); ; {
		a, changedA := l.servers[0].report()
		b, changedB := l.servers[1].report()
		switch {
		case is(a):
			return 0
		case is(b):
			return 1
		}
		select {
		case <-changedA:
		case <-changedB:
		case <-timeout:
			l.t.Fatalf("neither was ever %s; last: %+v, %+v", what, a, b)
		}
	}
}

// reigns is how often the server has begun to serve.
func (s *server) reigns() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, role := range s.roles {
		if role == "active" {
			n++
		}
	}
	return n
}
