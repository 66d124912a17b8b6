package peerlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// A testDoor is a Door that serves a listener in memory, and what has come of it.
type testDoor struct {
	Door
	t       *testing.T
	keys    *Keys
	l       *memoryListener
	open    atomic.Int64 // connections that it has not closed
	served  chan struct{}
	welcome chan *replpb.Hello

	mu      sync.Mutex
	refused []error
}

func newTestDoor(t *testing.T) *testDoor {
	d := &testDoor{
		t: t, keys: testKeys(t, "web", testSecret),
		l:       &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})},
		served:  make(chan struct{}),
		welcome: make(chan *replpb.Hello, 100),
	}
	d.Refused = func(from net.Addr, err error) {
		d.mu.Lock() // also says whether Door holds its own
		defer d.mu.Unlock()
		d.TurnedAway()
		d.refused = append(d.refused, err)
	}
	go func() {
		defer close(d.served)
		d.Serve(d.l, d.keys, func() *replpb.Hello { return testHello("b") }, func(l *Link, theirs *replpb.Hello) {
			d.welcome <- theirs
			l.Close()
		})
	}()
	t.Cleanup(func() { d.l.Close(); <-d.served })
	return d
}

// come is a connection from host, which knocks.
func (d *testDoor) come(host string) net.Conn {
	c, s := pipePair(d.t)
	addr := &net.TCPAddr{IP: net.ParseIP(host), Port: 4000}
	d.open.Add(1)
	d.l.conns <- &doorConn{Conn: s, from: addr, open: &d.open}
	return c
}

// join is what a node of the group does to come in.
func (d *testDoor) join(host string) error {
	l, err := Client(d.t.Context(), d.come(host), d.keys)
	if err != nil {
		return err
	}
	defer l.Close()
	_, err = l.Hello(d.t.Context(), testHello("a"))
	return err
}

func (d *testDoor) errors() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refused
}

// A doorConn counts itself as long as it is open.
type doorConn struct {
	net.Conn
	from net.Addr
	open *atomic.Int64
	once sync.Once
}

func (c *doorConn) RemoteAddr() net.Addr { return c.from }

func (c *doorConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// A memoryListener accepts what is sent to it.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	fail   atomic.Int64 // how many times Accept is to fail
}

func (l *memoryListener) Accept() (net.Conn, error) {
	if l.fail.Load() > 0 {
		l.fail.Add(-1)
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	select {
	case c := <-l.conns:
		if c == nil {
			return l.Accept()
		}
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Err: net.ErrClosed}
	}
}

func (l *memoryListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7000} }

func TestDoor(t *testing.T) {
	var d Door
	l, err := TCP{}.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	keys := testKeys(t, "web", testSecret)
	go d.Serve(l, keys, func() *replpb.Hello { return testHello("b") }, func(l *Link, theirs *replpb.Hello) {
		defer l.Close()
		var f replpb.Frame
		payload, err := l.Receive(&f)
		if err != nil || theirs.Member.Slot != "a" {
			t.Errorf("received %v, %v", theirs, err)
		}
		l.Send(&f, payload)
		l.Drain()
	})
	for range 20 { // more than may be strangers
		c, err := TCP{}.Dial(t.Context(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		link, err := Client(t.Context(), c, keys)
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		if _, err := link.Hello(t.Context(), testHello("a")); err != nil {
			t.Fatal(err)
		}
		if err := link.Send(inputFrame(1, 10)); err != nil {
			t.Fatal(err)
		}
		if payload, err := link.Receive(new(replpb.Frame)); err != nil || len(payload) != 10 {
			t.Fatalf("received %d bytes, %v", len(payload), err)
		}
	}
	if n := d.TurnedAway(); n != 0 {
		t.Errorf("%d turned away", n)
	}
}

// Neither one address nor many can keep a node out, or make the door hold many
// connections.
func TestDoorFlood(t *testing.T) {
	for _, tt := range []struct {
		name string
		from func(i int) string
		most int64
	}{
		{"one address", func(int) string { return "10.0.0.9" }, 4},
		{"four addresses", func(i int) string { return fmt.Sprintf("10.0.0.%d", 10+i%4) }, 16},
		{"many addresses", func(i int) string { return fmt.Sprintf("2001:db8::%x", 0x10+i) }, 16},
		{"the node's address", func(i int) string { return "10.0.0.2" }, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newTestDoor(t)
				const flood = 200
				for i := range flood {
					d.come(tt.from(i))
					synctest.Wait()
					if n := d.open.Load(); n > tt.most {
						t.Fatalf("%d connections are open, more than %d", n, tt.most)
					}
					if i%50 != 49 {
						continue
					}
					if err := d.join("10.0.0.2"); err != nil {
						t.Fatalf("after %d others: %v", i+1, err)
					}
				}
				// A node takes one's place, if there is none, and leaves it free.
				if got, least := int64(d.TurnedAway()), flood-tt.most; got < least || got > least+4 {
					t.Errorf("%d were turned away, want %d", got, least)
				}
				time.Sleep(defaultTimeout)
				synctest.Wait()
				if n := d.open.Load(); n != 0 {
					t.Errorf("%d connections are open after the timeout", n)
				}
			})
		})
	}
}

// A node that is about to say hello is no stranger: nobody takes its place.
func TestDoorKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDoor(t)
		const known = 2 * maxStrangers
		var links []*Link
		for range known {
			l, err := Client(t.Context(), d.come("10.0.0.2"), d.keys)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // until the door knows too
			links = append(links, l)
		}
		for range 100 {
			d.come("10.0.0.2")
		}
		for _, l := range links {
			if _, err := l.Hello(t.Context(), testHello("a")); err != nil {
				t.Fatal(err)
			}
			defer l.Close() // not now: it takes its time
		}
		synctest.Wait()
		if n := len(d.welcome); n != known {
			t.Errorf("%d of %d are welcome", n, known)
		}
	})
}

// The timeout is for the handshake and the hello together.
func TestDoorTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDoor(t)
		c := d.come("10.0.0.2")
		time.Sleep(defaultTimeout - time.Millisecond)
		synctest.Wait()
		l, err := Client(t.Context(), c, d.keys)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
		if _, err := l.Hello(t.Context(), testHello("a")); err == nil {
			t.Error("there is no timeout")
		}
		time.Sleep(time.Second)
		errs := d.errors()
		if len(errs) != 1 || !errors.Is(errs[0], context.DeadlineExceeded) || d.open.Load() != 0 {
			t.Errorf("refused %v, %d open", errs, d.open.Load())
		}
	})
}

func TestDoorRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDoor(t)
		for i, want := range []string{"did not accept our key", `belongs to the group "mail"`, "does not speak TLS", "EOF"} {
			host := fmt.Sprintf("10.0.0.%d", 10+i)
			for range 3 { // of which one is reported
				c := d.come(host)
				switch i {
				case 0:
					Client(t.Context(), c, testKeys(t, "mail", testSecret))
				case 1:
					l, err := Client(t.Context(), c, d.keys)
					if err != nil {
						t.Fatal(err)
					}
					hello := testHello("a")
					hello.Group = "mail"
					l.Hello(t.Context(), hello)
					l.Close()
				case 2:
					go c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
					time.Sleep(defaultTimeout)
				case 3:
					c.Close()
				}
				synctest.Wait()
			}
			errs := d.errors()
			if len(errs) != i+1 {
				t.Fatalf("refused %v", errs)
			}
			wantError(t, host, errs[i], want, host)
			if Incompatible(errs[i]) != (i < 2) {
				t.Errorf("%v: incompatible is %v", errs[i], i >= 2)
			}
		}
		if n := len(d.welcome); n != 0 {
			t.Errorf("%d are welcome", n)
		}
	})
}

// What keeps Accept from accepting may pass.
func TestDoorCannotAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDoor(t)
		start := time.Now()
		d.l.fail.Store(10)
		d.l.conns <- nil
		if err := d.join("10.0.0.2"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 9*minPause || took > 10*maxPause {
			t.Errorf("ten errors took %v", took)
		}
		errs := d.errors()
		if len(errs) != 1 || !errors.Is(errs[0], syscall.EMFILE) {
			t.Fatalf("reported %v", errs)
		}
		wantError(t, "accept", errs[0], "ulimit -n")
	})
}

// Serve ends with its listener, and so do those who are not in yet.
func TestDoorCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDoor(t)
		for i := range 8 {
			d.come(fmt.Sprintf("10.0.0.%d", i))
		}
		synctest.Wait()
		start := time.Now()
		d.l.Close()
		<-d.served
		synctest.Wait()
		if took := time.Since(start); took != 0 || d.open.Load() != 0 {
			t.Errorf("took %v, %d open", took, d.open.Load())
		}
		if errs := d.errors(); errs != nil {
			t.Errorf("reported %v", errs)
		}
	})
}
