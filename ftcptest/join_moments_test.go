package ftcptest_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// joinMoments is when, after the first word that the connection is protected, the active
// node dies.
var joinMoments = []time.Duration{
	0, 300 * time.Microsecond, 3 * time.Millisecond, 30 * time.Millisecond, 300 * time.Millisecond,
}

// A joining is a standby that joins while a client transfers, and what makes that hard.
type joining struct {
	name    string
	history int
	links   ftcptest.Faults // of the links
	slow    time.Duration   // for which the late handler does nothing at first
}

var joinings = []joining{
	{"fast link", 64 << 20, ftcptest.Faults{}, 0},
	{"slow link", 512 << 20, ftcptest.Faults{Delay: time.Millisecond, Rate: 6 << 20}, 0},
	{"slow link and handler", 512 << 20, ftcptest.Faults{Delay: time.Millisecond, Rate: 6 << 20}, 500 * time.Millisecond},
	{"distant", 512 << 20, ftcptest.Faults{Delay: 10 * time.Millisecond}, 100 * time.Millisecond},
}

// eachJoining plays a transfer with a standby that joins 50 ms after it has begun, and
// with the death of the active node at each moment after the first word of protection.
func eachJoining(t *testing.T, handle func(c *ftcp.Conn), talk func(c *ftcp.Conn) error) {
	for _, j := range joinings {
		for _, moment := range joinMoments {
			t.Run(fmt.Sprint(j.name, " ", moment), func(t *testing.T) {
				t.Parallel()
				c := &ftcptest.Cluster{
					Network:   &ftcptest.Network{Faults: ftcptest.Faults{Delay: 100 * time.Microsecond, Rate: 12 << 20}},
					Configure: func(n *ftcp.Node) { n.History = j.history },
					Serve: serve(func(machine int, c *ftcp.Conn) {
						if machine == 2 {
							time.Sleep(j.slow)
						}
						handle(c)
					}),
				}
				play(t, c, func(s *scenario) { killWhenProtected(s, j, moment, talk) })
			})
		}
	}
}

func killWhenProtected(s *scenario, j joining, moment time.Duration, talk func(c *ftcp.Conn) error) {
	s.t.Helper()
	a, b := s.Active(), s.Standby()
	b.Kill()
	s.within(time.Second, "an active node that is alone", func() bool { return !a.Node().Status().InSync })
	for i := range 2 {
		s.Machine(i).Links.SetFaults(j.links)
	}
	c := s.dial().(*ftcp.Conn)
	talked := make(chan error, 1)
	go func() { talked <- talk(c) }()
	time.Sleep(50 * time.Millisecond)
	s.must(b.Start())
	s.within(30*time.Second, "protection", func() bool { return a.Node().Status().Protected == 1 })
	time.Sleep(moment)
	if st := a.Node().Status(); st.Conns == 1 && st.Protected != 1 {
		s.t.Errorf("it is protected no more: %+v", st)
	}
	a.Kill()
	s.must(<-talked)
}

const joinTransfer = 8 << 20

// What a client uploads while a standby joins is there whenever the active node dies
// after the first word of protection.
func TestJoinUploadMoments(t *testing.T) {
	eachJoining(t, func(c *ftcp.Conn) {
		n, err := io.Copy(io.Discard, c)
		fmt.Fprintf(c, "%d %v\n", n, err)
	}, func(c *ftcp.Conn) error {
		if _, err := io.CopyN(c, pattern{}, joinTransfer); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
		if err := c.CloseWrite(); err != nil {
			return err
		}
		if err := hear(c, fmt.Sprintf("%d <nil>\n", joinTransfer)); err != nil {
			return err
		}
		return c.Close()
	})
}

// The same with a download.
func TestJoinDownloadMoments(t *testing.T) {
	eachJoining(t, func(c *ftcp.Conn) {
		io.ReadFull(c, make([]byte, 5))
		io.CopyN(c, &numbered{}, joinTransfer)
	}, func(c *ftcp.Conn) error {
		if _, err := io.WriteString(c, "hello"); err != nil {
			return err
		}
		want, got := &numbered{}, make([]byte, 64<<10)
		for at := 0; ; {
			n, err := c.Read(got)
			for i := range n {
				if got[i] != want.next() {
					return fmt.Errorf("another byte at %d", at+i)
				}
			}
			if at += n; err == io.EOF && at == joinTransfer {
				return c.Close()
			}
			if err != nil {
				return fmt.Errorf("after %d bytes: %w", at, err)
			}
		}
	})
}

// pattern is a reader of zeros.
type pattern struct{}

func (pattern) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// numbered is a reader of bytes that do not repeat soon.
type numbered struct{ at uint32 }

func (r *numbered) next() byte {
	r.at++
	return byte(r.at*2654435761>>24) ^ byte(r.at>>16)
}

func (r *numbered) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = r.next()
	}
	return len(b), nil
}
