package ftcptest_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run only this random schedule")
	seedsFlag = flag.Uint64("seeds", 100, "how many random schedules to run")
)

// TestSchedules plays random schedules of everything that can go wrong while clients
// transfer data. A process is killed only when another node has been in sync with it, so that
// no client may notice.
func TestSchedules(t *testing.T) {
	first, last := uint64(1), *seedsFlag
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	const workers = 4
	for w := range uint64(workers) {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			t.Parallel()
			for seed := first + w; seed <= last && !t.Failed(); seed += workers {
				synctest.Test(t, func(t *testing.T) { schedule(t, seed) })
				if t.Failed() {
					t.Logf("again: go test -run TestSchedules -seed %d", seed)
				}
			}
		})
	}
}

// chaos is what happens to a cluster.
type chaos struct {
	*scenario
	*rand.Rand
}

func schedule(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	ms := func(limit int) time.Duration { return time.Duration(r.IntN(limit*1000+1)) * time.Microsecond }
	c := &ftcptest.Cluster{
		Machines: 2 + r.IntN(2),
		Network:  &ftcptest.Network{Seed: seed, Offload: r.IntN(2) == 0},
		// All input is kept, so that every connection can be protected again.
		Configure: func(n *ftcp.Node) { n.History = 64 << 20 },
	}
	if r.IntN(3) > 0 {
		p := func() float64 { return float64(r.IntN(3)) * 0.01 }
		c.Network.Faults = ftcptest.Faults{
			Delay: ms(2), Jitter: ms(1), Loss: p(), Duplicate: p(), Reorder: p(), Corrupt: p(),
		}
	}
	if r.IntN(4) == 0 {
		c.Address = "[fd00::1]:80"
	}
	var dials *peer
	if c.Address == "" && r.IntN(2) == 0 {
		c.Run = transfers
	}
	x := &chaos{begin(t, c), r}
	if c.Run != nil {
		dials = newPeer(x.scenario, asks(rand.New(rand.NewPCG(seed, 2))))
	}
	for i := range c.Machines {
		x.Machine(i).Links.SetFaults(ftcptest.Faults{Delay: ms(1)})
	}
	x.note("seed %d: %d machines, %+v", seed, c.Machines, c.Network.Faults)

	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 1 + r.IntN(4) {
		node, r := c.Client(), rand.New(rand.NewPCG(seed, r.Uint64()))
		clients.Go(func() {
			for !closed(done) && !t.Failed() {
				if err := transfer(node, c.Address, r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 + r.IntN(6) {
		time.Sleep(ms(1000))
		if t.Failed() {
			break
		}
		x.step()
	}
	close(done)
	clients.Wait()
	if dials != nil {
		dials.sound(x.scenario, dials.accepted.Load())
		x.note("%d connections were dialed", dials.accepted.Load())
	}
	x.note("the end")
	for i := range c.Machines {
		x.revive(x.Machine(i))
	}
	x.inPair()
	node := c.Client()
	x.must(transfer(node, c.Address, rand.New(rand.NewPCG(seed, 1))))
}

// transfers is a program that dials the peer again and again, and sends what it is asked for.
func transfers(n *ftcp.Node) {
	for {
		c, err := n.DialContext(context.Background(), "tcp", peerAddress)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		var seed uint64
		var size int64
		if _, err := fmt.Fscanf(c, "%d %d\n", &seed, &size); err == nil {
			random := rand.NewChaCha8([32]byte{0: byte(seed)})
			io.CopyN(c, random, size)
			io.Copy(io.Discard, c)
		}
		c.Close()
	}
}

// asks is the peer of transfers: it asks for some data, looks at it, and closes.
func asks(r *rand.Rand) func(net.Conn) error {
	var mu sync.Mutex
	return func(c net.Conn) error {
		defer c.Close()
		mu.Lock()
		seed, size := byte(r.Uint32()), r.Int64N(1<<r.IntN(18))
		mu.Unlock()
		if _, err := fmt.Fprintf(c, "%d %d\n", seed, size); err != nil {
			return err
		}
		got := make([]byte, size, size+1)
		if n, err := io.ReadFull(c, got); err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", n, size, err)
		}
		want := make([]byte, size)
		rand.NewChaCha8([32]byte{0: seed}).Read(want)
		if !bytes.Equal(got, want) {
			return errors.New("other data")
		}
		c.SetReadDeadline(time.Now().Add(time.Duration(seed) * time.Millisecond))
		c.Read(got[:1]) // a pause, but not when the test is over
		return nil
	}
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (x *chaos) note(format string, args ...any) {
	fmt.Fprintf(x.log, "%s ---- %s\n", time.Now().Format("15:04:05.000000"), fmt.Sprintf(format, args...))
}

func (x *chaos) upTo(d time.Duration) time.Duration { return time.Duration(x.Int64N(int64(d))) }

// step lets something go wrong, and be mended after a while.
func (x *chaos) step() {
	x.safe()
	active, standby := x.Active(), x.Standby()
	m := active
	if x.IntN(3) == 0 {
		m = x.Machine(x.IntN(x.Machines))
	}
	switch x.IntN(8) {
	case 0, 1:
		x.note("kill %s", m.Name)
		m.Kill()
		if x.IntN(2) == 0 {
			time.Sleep(x.upTo(2 * time.Second))
		}
		x.revive(m)
	case 2:
		x.note("unplug %s", m.Name)
		m.Unplug()
		time.Sleep(x.upTo(3 * time.Second))
		if x.IntN(3) == 0 && x.settledWithout(m) {
			x.note("kill %s, which is unplugged", m.Name)
			m.Kill()
		}
		x.revive(m)
	case 3:
		x.note("pause %s", m.Name)
		m.Pause()
		time.Sleep(x.upTo(3 * time.Second))
		x.note("resume %s", m.Name)
		m.Resume()
	case 4:
		x.note("pause %s and %s", active.Name, standby.Name)
		active.Pause()
		time.Sleep(x.upTo(300 * time.Millisecond))
		standby.Pause()
		time.Sleep(x.upTo(300 * time.Millisecond))
		first, second := active, standby
		if x.IntN(2) == 0 {
			first, second = second, first
		}
		x.note("resume %s, then %s", first.Name, second.Name)
		first.Resume()
		time.Sleep(x.upTo(100 * time.Millisecond)) // longer, and nobody could know which one serves
		second.Resume()
	case 5:
		x.note("unplug the links of %s", m.Name)
		m.Links.Unplug()
		time.Sleep(x.upTo(2 * time.Second))
		x.note("plug the links of %s", m.Name)
		m.Links.Plug()
	case 6:
		x.note("unplug the service port of %s", m.Name)
		m.Service.Unplug()
		time.Sleep(x.upTo(2 * time.Second))
		x.note("plug the service port of %s", m.Name)
		m.Service.Plug()
	case 7:
		x.note("handover")
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := active.Node().Handover(ctx); err != nil {
			x.t.Errorf("handover: %v", err)
		}
	}
}

// revive puts a machine's cables back and starts its process, if it has none.
func (x *chaos) revive(m *ftcptest.Machine) {
	m.Plug()
	if m.Node() == nil {
		x.note("start %s", m.Name)
		if err := m.Start(); err != nil {
			x.t.Error(err)
		}
	}
}

// safe waits until the loss of any one node would do no harm.
func (x *chaos) safe() {
	x.t.Helper()
	x.within(time.Minute, "a standby that knows all connections", func() bool {
		active, standby := x.Active(), x.Standby()
		if active == nil || standby == nil {
			return false
		}
		st := active.Node().Status()
		return st.InSync && standby.Node().Status().InSync && st.Protected == st.Conns
	})
}

// settledWithout says that another node than m's serves, by now.
func (x *chaos) settledWithout(m *ftcptest.Machine) bool {
	a := x.Active()
	return a != nil && a != m
}

// transfer opens a connection and has an amount of random data echoed.
func transfer(n *ftcp.Node, address string, r *rand.Rand) (err error) {
	conn, err := n.DialContext(context.Background(), "tcp", address)
	for errors.Is(err, syscall.EHOSTUNREACH) { // nobody has answered for seconds, as may be
		conn, err = n.DialContext(context.Background(), "tcp", address)
	}
	if err != nil {
		return err
	}
	c := conn.(*ftcp.Conn)
	start := time.Now()
	c.SetDeadline(start.Add(5 * time.Minute))
	size := 1 + r.IntN(1<<uint(r.IntN(18)))
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	piece := 1 + size/20 + r.IntN(1+size/4)
	pace := time.Duration(r.IntN(200)) * time.Millisecond
	written := make(chan error, 1)
	go func() {
		for rest := data; len(rest) > 0; time.Sleep(pace) {
			n, err := c.Write(rest[:min(piece, len(rest))])
			if err != nil {
				written <- err
				return
			}
			rest = rest[n:]
		}
		written <- c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	err = errors.Join(<-written, err)
	if err != nil {
		err = fmt.Errorf("after %v, with %d of %d bytes: %w", time.Since(start), len(got), size, err)
	} else if !bytes.Equal(got, data) {
		err = fmt.Errorf("%v: %d bytes, not the same as the %d sent", c.LocalAddr(), len(got), size)
	}
	return errors.Join(err, c.Close())
}
