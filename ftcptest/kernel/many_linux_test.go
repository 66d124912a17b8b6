package kernel_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Many connections at once all outlive their node.
func TestFailoverMany(t *testing.T) {
	count := 10000
	if raceEnabled {
		count = 1000
	}
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	if room := int(min(limit.Cur, 1<<20)) - 200; room < count {
		t.Logf("%d connections, because of RLIMIT_NOFILE", room)
		count = room
	}
	l := startPair(t, serverConfig{Handler: "echo"})
	empty := l.servers[1].memory()

	begin := time.Now()
	conns := make([]net.Conn, count)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	check(t, each(count, func(i int) (err error) {
		return l.client.Do(func() error {
			conns[i], err = net.DialTimeout("tcp", l.config.Listen, *patience)
			return err
		})
	}))
	check(t, each(count, func(i int) error { return echoOnce(conns[i], i) }))
	t.Logf("%d connections opened, with an echo each, in %v", count, time.Since(begin).Round(time.Millisecond))
	l.servers[0].awaitThat("protecting", protects(count))
	t.Logf("memory of the active node %d MiB, of the standby %d MiB, which without connections was %d MiB",
		l.servers[0].memory()>>20, l.servers[1].memory()>>20, empty>>20)

	begin = time.Now()
	l.servers[0].kill()
	l.servers[1].await("active")
	t.Logf("from the kill to the takeover %v", time.Since(begin).Round(time.Millisecond))
	check(t, each(count, func(i int) error { return echoOnce(conns[i], count+i) }))
	t.Logf("from the kill to the last of %d echoes %v", count, time.Since(begin).Round(time.Millisecond))
}

// each calls f for each of the numbers below n, some at a time.
func each(n int, f func(i int) error) error {
	var (
		wg    sync.WaitGroup
		next  = make(chan int)
		fails = make(chan error, n)
	)
	for range 64 {
		wg.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					fails <- fmt.Errorf("number %d: %w", i, err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	select {
	case err := <-fails:
		return fmt.Errorf("%d of %d failed; %w", len(fails)+1, n, err)
	default:
		return nil
	}
}

// echoOnce sends a number and waits to hear it.
func echoOnce(c net.Conn, i int) error {
	c.SetDeadline(time.Now().Add(*patience))
	text := fmt.Sprintf("%08d", i)
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if string(b) != text {
		return fmt.Errorf("the echo of %s is %s", text, b)
	}
	return nil
}
