package stack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

var errRemoved = errors.New("interface removed")

// slot is where adapters are plugged in, one after the other.
type slot struct {
	t    *testing.T
	net  *ftcptest.Network
	name string

	mu       sync.Mutex
	errs     []error // of the next calls of reopen
	calls    int
	adapters []*adapter
}

func (s *slot) plug() *adapter {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &adapter{Port: s.net.Port(s.name)}
	s.adapters = append(s.adapters, a)
	return a
}

// last is the adapter that was plugged in last, and all are those that ever were.
func (s *slot) last() *adapter {
	all := s.all()
	return all[len(all)-1]
}

func (s *slot) all() []*adapter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.adapters)
}

// expect has the next calls fail, and forgets the calls so far; called is how many there
// were since.
func (s *slot) expect(errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs, s.calls = errs, 0
}

func (s *slot) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// reopen fails with errs, one after the other, and then plugs in another adapter.
func (s *slot) reopen() (device.Device, error) {
	s.mu.Lock()
	s.calls++
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		s.mu.Unlock()
		return nil, err
	}
	s.mu.Unlock()
	return s.plug(), nil
}

// An interface that is removed comes back: connections go on, the address is announced,
// and the operator is told what he needs to know, once.
func TestReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var frames seen
		n := &ftcptest.Network{Filter: frames.filter}
		var log told
		b := &bench{t: t, net: n, server: newToldStack(&log), client: stack.New(stack.Config{})}
		defer b.close()
		place := &slot{t: t, net: n, name: "server"}
		first := place.plug()
		if _, err := b.server.AddLink(first, stack.LinkConfig{Addr: serverAddr.Addr(), MAC: groupMAC, Reopen: place.reopen}); err != nil {
			t.Fatal(err)
		}
		var err error
		if b.link, err = b.client.AddLink(n.Port("client"), stack.LinkConfig{Addr: clientAddr.Addr()}); err != nil {
			t.Fatal(err)
		}
		l := b.listen()
		c := b.dial()
		served, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(served, served)
		echo := func(text string) {
			t.Helper()
			c.Write([]byte(text))
			got := make([]byte, len(text))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
				t.Fatalf("%q, %v", got, err)
			}
		}
		echo("before")
		time.Sleep(10 * time.Second)

		for round := range 2 {
			now := place.last()
			var errs []error
			for range 30 {
				errs = append(errs, errors.New("no such interface"))
			}
			place.expect(append(errs, errors.New("interface is not ready"), errors.New("no such interface"))...)
			frames.take("")
			log.expect(t)
			now.tear(errRemoved)
			synctest.Wait()
			if b.server.Health().Carrier {
				t.Error("carrier without an interface")
			}
			if now.closed.Load() == 0 {
				t.Error("the device that failed is still open")
			}
			log.expect(t, "ERROR ftcp: the network device failed; it is opened again when its interface is back addr=10.0.0.1 err=interface removed")
			c.Write([]byte("lost at first"))
			time.Sleep(32*reopenInterval + reopenInterval/2)
			if place.called() != 32 || b.server.Health().Carrier {
				t.Errorf("opened %d times, carrier %v", place.called(), b.server.Health().Carrier)
			}
			log.expect(t, "WARN ftcp: the network device cannot be opened again yet addr=10.0.0.1 err=no such interface",
				"WARN ftcp: the network device cannot be opened again yet addr=10.0.0.1 err=interface is not ready")
			frames.take("")
			time.Sleep(reopenInterval / 2)
			synctest.Wait()
			if place.called() != 33 || !b.server.Health().Carrier {
				t.Errorf("opened %d times, carrier %v", place.called(), b.server.Health().Carrier)
			}
			log.expect(t, "INFO ftcp: the interface is back addr=10.0.0.1 mac="+groupMAC.String()+" mtu=1500")
			sent := slices.DeleteFunc(frames.take("server"), func(line string) bool { return strings.Contains(line, "Probe") }) // log looks
			if len(sent) != 2 || !strings.Contains(sent[0], groupMAC.String()+" ARP, Announcement 10.0.0.1") {
				t.Errorf("sent %q", sent)
			}
			got := make([]byte, len("lost at first"))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != "lost at first" {
				t.Fatalf("%q, %v", got, err)
			}
			echo(fmt.Sprint("after ", round))
			if a := place.last(); a.closed.Load() != 0 {
				t.Error("the device that is back was closed")
			}
		}
		synctest.Wait()
		b.server.Close()
		for i, a := range place.all() {
			if a.closed.Load() == 0 {
				t.Errorf("device %d is still open", i)
			}
		}
	})
}

const reopenInterval = 200 * time.Millisecond

// A device that fails again at once is not told of again and again, but one that has
// worked meanwhile is.
func TestReopenFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &ftcptest.Network{}
		var log told
		s := newToldStack(&log)
		place := &slot{t: t, net: n, name: "server"}
		if _, err := s.AddLink(place.plug(), stack.LinkConfig{Addr: serverAddr.Addr(), Reopen: place.reopen}); err != nil {
			t.Fatal(err)
		}
		tear := func(err error) {
			synctest.Wait()
			place.last().tear(err)
			time.Sleep(reopenInterval)
			synctest.Wait()
		}
		const failed, back = "ERROR ftcp: the network device failed", "INFO ftcp: the interface is back"
		for range 10 {
			tear(errRemoved)
		}
		log.expect(t, failed, back)
		tear(errors.New("another cause"))
		log.expect(t, failed)
		time.Sleep(10 * time.Second)
		tear(errRemoved)
		log.expect(t, failed, back)
		n.Port("other").Write([]device.Outbound{{Header: wire.Ethernet{Dst: wire.Broadcast, Src: wire.MAC{2, 7}}.Append(nil)}})
		synctest.Wait()
		tear(errRemoved)
		log.expect(t, failed, back)
		for i := range 100 {
			tear(fmt.Errorf("cause %d", i))
		}
		if len(log.lines) > 20 {
			t.Errorf("%d lines", len(log.lines))
		}
		s.Close()
		n.Close()
	})
}

// Without Reopen a device that has failed stays failed, and the stack can still be
// closed.
func TestReopenNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &ftcptest.Network{}
		var log told
		s := newToldStack(&log)
		a := &adapter{Port: n.Port("server")}
		if _, err := s.AddLink(a, stack.LinkConfig{Addr: serverAddr.Addr()}); err != nil {
			t.Fatal(err)
		}
		a.tear(errRemoved)
		time.Sleep(time.Minute)
		log.expect(t, "ERROR ftcp: the network device failed, for good addr=10.0.0.1 err=interface removed")
		if s.Health().Carrier {
			t.Error("carrier")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		n.Close()
	})
}

// A node that is not active, or not sure to be the only one that is, does not draw the
// clients to itself when its interface is back. As soon as it is sure, it does.
func TestReopenUnsure(t *testing.T) {
	for _, tt := range []struct {
		active bool
		sure   time.Duration // when it is, after the interface is back
		want   int           // frames
	}{
		{true, 0, 10},
		{false, 0, 0},
		{true, 50 * time.Millisecond, 6},
		{true, time.Hour, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var frames seen
			n := &ftcptest.Network{Filter: frames.filter}
			var log told
			s := newToldStack(&log)
			var sure atomic.Pointer[time.Time]
			sure.Store(new(time.Time))
			s.Observe(nil, func() bool { return !time.Now().Before(*sure.Load()) })
			if !tt.active {
				s.Silence()
			}
			place := &slot{t: t, net: n, name: "server"}
			if _, err := s.AddLink(place.plug(), stack.LinkConfig{Addr: serverAddr.Addr(), Reopen: place.reopen}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			then := time.Now().Add(reopenInterval + tt.sure)
			sure.Store(&then)
			place.all()[0].tear(errRemoved)
			synctest.Wait()
			frames.take("")
			time.Sleep(10 * time.Second)
			sent := frames.take("server")
			sent = slices.DeleteFunc(sent, func(line string) bool {
				return !strings.Contains(line, "Announcement") && !strings.Contains(line, "Reply")
			})
			if len(sent) != tt.want {
				t.Errorf("%+v: sent %q", tt, sent)
			}
			s.Close()
			n.Close()
		})
	}
}

// A device that does not do what connections rely on is not taken.
func TestReopenLesser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &ftcptest.Network{Offload: true}
		lesser := &ftcptest.Network{}
		var log told
		s := newToldStack(&log)
		first := &adapter{Port: n.Port("server")}
		without := newBare()
		weak := &adapter{Port: lesser.Port("server")}
		lessers := []device.Device{without, weak}
		cfg := stack.LinkConfig{Addr: serverAddr.Addr(), Reopen: func() (device.Device, error) {
			if len(lessers) == 0 {
				return n.Port("server"), nil
			}
			d := lessers[0]
			lessers = lessers[1:]
			return d, nil
		}}
		if _, err := s.AddLink(first, cfg); err != nil {
			t.Fatal(err)
		}
		first.tear(errRemoved)
		time.Sleep(2*reopenInterval + 1)
		if s.Health().Carrier {
			t.Error("a lesser device was taken")
		}
		select {
		case <-without.closed:
		default:
			t.Error("a device that was not taken is still open")
		}
		if weak.closed.Load() == 0 {
			t.Error("a device that was not taken is still open")
		}
		time.Sleep(reopenInterval)
		if !s.Health().Carrier {
			t.Error("a good device was not taken")
		}
		log.expect(t, "ERROR", "WARN ftcp: the network device cannot be opened again yet addr=10.0.0.1 err=stack: one of",
			"WARN ftcp: the network device cannot be opened again yet addr=10.0.0.1 err=stack: the new device cuts", "INFO")
		s.Close()
		n.Close()
		lesser.Close()
	})
}

// Without a MAC of the group, the address moves to the new device's, and peers learn of
// it.
func TestReopenOwnMAC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &ftcptest.Network{}
		b := &bench{t: t, net: n, server: stack.New(stack.Config{}), client: stack.New(stack.Config{})}
		defer b.close()
		place := &slot{t: t, net: n, name: "server"}
		var err error
		if _, err = b.server.AddLink(place.plug(), stack.LinkConfig{Addr: serverAddr.Addr(), Reopen: place.reopen}); err != nil {
			t.Fatal(err)
		}
		if b.link, err = b.client.AddLink(n.Port("client"), stack.LinkConfig{Addr: clientAddr.Addr()}); err != nil {
			t.Fatal(err)
		}
		b.listen()
		b.dial()
		place.all()[0].tear(errRemoved)
		time.Sleep(time.Second)
		if old, now := place.all()[0].Features().MAC, place.last().Features().MAC; old == now {
			t.Fatalf("the MAC is still %v", now)
		}
		b.dial()
	})
}

// The stack can be closed at any time, also while Reopen does not return. A device that
// is there too late is closed.
func TestReopenClose(t *testing.T) {
	for _, tt := range []struct {
		name        string
		close, took time.Duration // when the stack is closed, and how long Reopen takes
		opened      int
	}{
		{"before the first attempt", reopenInterval / 2, 0, 0},
		{"during it", reopenInterval + 1, time.Hour, 1},
		{"when it returns", 2 * reopenInterval, reopenInterval, 1},
		{"after it", 2 * reopenInterval, 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &ftcptest.Network{}
			var log told
			s := newToldStack(&log)
			place := &slot{t: t, net: n, name: "server"}
			first := place.plug()
			if _, err := s.AddLink(first, stack.LinkConfig{Addr: serverAddr.Addr(), Reopen: func() (device.Device, error) {
				time.Sleep(tt.took)
				return place.reopen()
			}}); err != nil {
				t.Fatal(err)
			}
			first.tear(errRemoved)
			time.Sleep(tt.close)
			start := time.Now()
			s.Close()
			if waited := time.Since(start); waited != 0 {
				t.Errorf("%s: Close waited %v", tt.name, waited)
			}
			time.Sleep(2 * time.Hour)
			if len(place.all()) != 1+tt.opened {
				t.Errorf("%s: %d devices were opened", tt.name, len(place.all())-1)
			}
			for _, a := range place.all() {
				if a.closed.Load() == 0 {
					t.Errorf("%s: a device is still open", tt.name)
				}
			}
			n.Close()
		})
	}
}

// Segments are sent, and the link closed, while devices come and go: for the race
// detector.
func TestReopenConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &ftcptest.Network{}
		var log told
		b := &bench{t: t, net: n, server: newToldStack(&log), client: stack.New(stack.Config{})}
		place := &slot{t: t, net: n, name: "server"}
		link, err := b.server.AddLink(place.plug(), stack.LinkConfig{Addr: serverAddr.Addr(), MAC: groupMAC, Reopen: place.reopen})
		if err != nil {
			t.Fatal(err)
		}
		if b.link, err = b.client.AddLink(n.Port("client"), stack.LinkConfig{Addr: clientAddr.Addr()}); err != nil {
			t.Fatal(err)
		}
		l := b.listen()
		var work sync.WaitGroup
		ctx, cancel := context.WithCancel(context.Background())
		for range 4 {
			c := b.dial()
			served, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			work.Go(func() { io.Copy(served, served) })
			work.Go(func() { io.Copy(io.Discard, c) })
			work.Go(func() {
				for ctx.Err() == nil {
					c.Write(make([]byte, 1000))
					b.server.Health()
					link.SendPresence(wire.Broadcast, nil)
					time.Sleep(7 * time.Millisecond)
				}
				c.Close()
			})
		}
		for range 20 {
			time.Sleep(reopenInterval + 13*time.Millisecond)
			place.last().tear(errRemoved)
		}
		time.Sleep(reopenInterval)
		cancel()
		b.close()
		work.Wait()
		for _, a := range place.all() {
			if a.closed.Load() == 0 {
				t.Error("a device is still open")
			}
		}
	})
}
