package ftcptest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/ftcp-project/ftcp"
)

// The first byte of a connection says what the server does. What follows is echoed.
const (
	echoes = 'e' // until the client closes
	aborts = 'a' // until the client sends last: then the server aborts
	times  = 't' // with a read deadline; where one expires the server says late
)

// The other bytes of a connection have the high bit clear, but for these.
const (
	last = 0xfe
	late = 0xff
)

// expiry is the read deadline of a server, and maxLate how many of them it has on a
// connection.
const (
	expiry  = 80 * time.Millisecond
	maxLate = 5
)

// answer serves one connection.
func answer(c *ftcp.Conn) {
	var mode [1]byte
	if _, err := io.ReadFull(c, mode[:]); err != nil {
		return
	}
	switch mode[0] {
	case echoes:
		io.Copy(c, c)
	case aborts:
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if b[n-1] == last {
				c.SetLinger(0)
				return
			}
			c.Write(b[:n])
		}
	case times:
		b := make([]byte, 4096)
		for missed := 0; ; {
			if missed < maxLate {
				c.SetReadDeadline(time.Now().Add(expiry))
			} else {
				c.SetReadDeadline(time.Time{})
			}
			n, err := c.Read(b)
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				missed++
				c.Write([]byte{late})
			case err != nil:
				return
			default:
				c.Write(b[:n])
			}
		}
	}
}

// mayReset says that a connection is going to be aborted by the server.
func (m *monitor) mayReset(client netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.conns[watch{m.service, client}]; w != nil {
		w.over = true
	}
}

// transfer opens a connection and has a random amount of data echoed, at a random pace.
func transfer(m *monitor, n *ftcp.Node, address string, r *rand.Rand) error {
	size := 1 + r.IntN(1<<uint(r.IntN(18)))
	e := &echoing{
		mode:  []byte{echoes, echoes, aborts, times}[r.IntN(4)],
		data:  random(r, size),
		piece: 1 + size/20 + r.IntN(1+size/4),
		pace:  time.Duration(r.IntN(200)) * time.Millisecond,
	}
	return e.run(m, n, address)
}

// uploadAll has data echoed as fast as it goes.
func uploadAll(m *monitor, n *ftcp.Node, address string, r *rand.Rand, size int) error {
	return (&echoing{mode: echoes, data: random(r, size), piece: size}).run(m, n, address)
}

func random(r *rand.Rand, size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(r.Uint32()) & 0x7f
	}
	return data
}

// echoing is what a client does on one connection.
type echoing struct {
	mode  byte
	data  []byte
	piece int // is written at a time,
	pace  time.Duration
}

func (e *echoing) run(m *monitor, n *ftcp.Node, address string) error {
	conn, err := n.DialContext(context.Background(), "tcp", address)
	for errors.Is(err, syscall.EHOSTUNREACH) { // nobody has answered for seconds, as may be
		conn, err = n.DialContext(context.Background(), "tcp", address)
	}
	if err != nil {
		return err
	}
	c, start := conn.(*ftcp.Conn), time.Now()
	c.SetDeadline(start.Add(5 * time.Minute))
	written := make(chan error, 1)
	go func() { written <- e.write(c) }()
	var got []byte
	if e.mode == aborts {
		got, err = e.untilAborted(m, c, written)
	} else {
		got, err = io.ReadAll(c)
		err = errors.Join(<-written, err)
	}
	if e.mode == times {
		got = bytes.ReplaceAll(got, []byte{late}, nil)
	}
	if err != nil {
		err = fmt.Errorf("%v, %c: after %v, with %d of %d bytes: %w",
			c.LocalAddr(), e.mode, time.Since(start), len(got), len(e.data), err)
	} else if !bytes.Equal(got, e.data) {
		err = fmt.Errorf("%v, %c: %d bytes, not the same as the %d sent",
			c.LocalAddr(), e.mode, len(got), len(e.data))
	}
	if e.mode == aborts {
		c.Close()
		return err
	}
	return errors.Join(err, c.Close())
}

// write sends the data, and the end of it unless the server is to be asked for that.
func (e *echoing) write(c *ftcp.Conn) error {
	if _, err := c.Write([]byte{e.mode}); err != nil {
		return err
	}
	for rest := e.data; len(rest) > 0; time.Sleep(e.pace) {
		n, err := c.Write(rest[:min(e.piece, len(rest))])
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	if e.mode == aborts {
		return nil
	}
	return c.CloseWrite()
}

// untilAborted reads the whole answer, and asks the server to abort.
func (e *echoing) untilAborted(m *monitor, c *ftcp.Conn, written <-chan error) ([]byte, error) {
	got := make([]byte, len(e.data))
	n, err := readFull(c, got)
	if err = errors.Join(<-written, err); err != nil {
		return got[:n], err
	}
	m.mayReset(c.LocalAddr().(*net.TCPAddr).AddrPort())
	if _, err := c.Write([]byte{last}); err != nil {
		return got, err
	}
	var more [1]byte
	if n, err := c.Read(more[:]); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		return got, fmt.Errorf("%d bytes, and not an abort: %w", n, err)
	}
	return got, nil
}

// transfers is a program that dials the peer again and again, and sends what it is asked
// for.
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
