package kernel_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftcp-project/ftcp/replication"
)

// How long a client waits when the active process is killed. Nothing is asserted: go test -v shows the figures.
func TestFailoverLatency(t *testing.T) {
	for _, test := range []struct {
		name, handler string
		run           func(*testing.T, *net.TCPConn, func()) pause
	}{
		{"upload", "digest", pauseOfUpload},
		{"echo", "echo", pauseOfEcho},
	} {
		for _, noWake := range []bool{false, true} {
			name := test.name
			if noWake {
				name += " without waking"
			}
			t.Run(name, func(t *testing.T) {
				l := startPair(t, serverConfig{Handler: test.handler, NoWake: noWake, Misses: replication.DefaultMisses})
				c := l.dial()
				l.servers[0].awaitThat("protecting", protects(1))
				p := test.run(t, c, l.servers[0].kill)
				l.servers[1].await("active")
				t.Logf("no progress for %v, until %v after the kill", p.length.Round(time.Millisecond), p.end.Round(time.Millisecond))
			})
		}
	}
}

// A pause is the longest time without progress in the first second after a kill.
type pause struct {
	length time.Duration
	end    time.Duration // after the kill
}

// note takes note of progress, for the first time since before.
func (p *pause) note(killed, before time.Time) {
	if length := time.Since(before); length > p.length {
		p.length, p.end = length, time.Since(killed)
	}
}

// pauseOfUpload uploads and kills. Progress is bytes that are acknowledged.
func pauseOfUpload(t *testing.T, c *net.TCPConn, kill func()) (p pause) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 64<<10)
		for ctx.Err() == nil {
			if _, err := c.Write(b); err != nil {
				t.Errorf("the client saw an error: %v", err)
				return
			}
		}
	}()
	defer func() {
		cancel()
		<-done
	}()
	for acknowledged(t, c) < 8<<20 {
		time.Sleep(time.Millisecond)
	}
	kill()
	killed := time.Now()
	last, before := killed, acknowledged(t, c)
	for time.Since(killed) < time.Second {
		time.Sleep(100 * time.Microsecond)
		if now := acknowledged(t, c); now != before {
			p.note(killed, last)
			before, last = now, time.Now()
		}
	}
	return p
}

// acknowledged is how many bytes of c's output the peer has acknowledged.
func acknowledged(t *testing.T, c *net.TCPConn) (n uint64) {
	raw, err := c.SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) {
		var info *unix.TCPInfo
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = info.Bytes_acked
		}
	}))
	check(t, err)
	return n
}

// pauseOfEcho sends a little and waits for the echo, again and again, and kills. Progress is an echo.
func pauseOfEcho(t *testing.T, c *net.TCPConn, kill func()) (p pause) {
	b := make([]byte, 64)
	pingPong := func() {
		_, err := c.Write(b)
		check(t, err)
		_, err = io.ReadFull(c, b)
		check(t, err)
	}
	for range 100 {
		pingPong()
	}
	kill()
	killed := time.Now()
	for time.Since(killed) < time.Second {
		before := time.Now()
		pingPong()
		p.note(killed, before)
	}
	return p
}
