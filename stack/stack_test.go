package stack_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

var (
	serverAddr = netip.MustParseAddrPort("10.0.0.1:80")
	clientAddr = netip.MustParseAddrPort("10.0.0.2:0")
)

// bench is two stacks on one network.
type bench struct {
	t              *testing.T
	net            *ftcptest.Network
	server, client *stack.Stack
	link           *stack.Link // the client's
}

func newBench(t *testing.T, n *ftcptest.Network) *bench {
	b := &bench{t: t, net: n, server: stack.New(stack.Config{}), client: stack.New(stack.Config{})}
	if _, err := b.server.AddLink(n.Port("server"), stack.LinkConfig{Addr: serverAddr.Addr()}); err != nil {
		t.Fatal(err)
	}
	link, err := b.client.AddLink(n.Port("client"), stack.LinkConfig{Addr: clientAddr.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	b.link = link
	return b
}

func (b *bench) close() {
	b.client.Close()
	b.server.Close()
	b.net.Close()
}

func (b *bench) listen() *stack.Listener {
	l, err := b.server.Listen(serverAddr)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

func (b *bench) dial() *stack.Conn {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := b.client.Dial(ctx, b.link, clientAddr, serverAddr)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func testData(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

// Every fault of the network at once, and the stream arrives as it was sent, both ways.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults ftcptest.Faults
		gso    bool
	}{
		{name: "perfect"},
		{name: "offload", gso: true},
		{name: "delay", faults: ftcptest.Faults{Delay: 20 * time.Millisecond}},
		{name: "loss", faults: ftcptest.Faults{Delay: 5 * time.Millisecond, Loss: 0.02}},
		{name: "offload and loss", gso: true, faults: ftcptest.Faults{Delay: 5 * time.Millisecond, Loss: 0.02}},
		{name: "all", faults: ftcptest.Faults{
			Delay: 5 * time.Millisecond, Jitter: 3 * time.Millisecond, Loss: 0.02, Duplicate: 0.02, Reorder: 0.05, Corrupt: 0.02,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, &ftcptest.Network{Seed: 7, Faults: test.faults, Offload: test.gso})
				defer b.close()
				l := b.listen()
				go func() {
					c, err := l.Accept()
					if err != nil {
						return
					}
					io.Copy(c, c)
					c.Close()
				}()
				c := b.dial()
				data := testData(1 << 20)
				go func() {
					c.Write(data)
					c.CloseWrite()
				}()
				got, err := io.ReadAll(c)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, data) {
					t.Fatalf("%d bytes, %x; want %d, %x", len(got), sha256.Sum256(got), len(data), sha256.Sum256(data))
				}
				c.Close()
			})
		})
	}
}

// A port without a listener refuses.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &ftcptest.Network{})
		defer b.close()
		_, err := b.client.Dial(context.Background(), b.link, clientAddr, serverAddr)
		if !errors.Is(err, tcp.ErrRefused) {
			t.Fatalf("err = %v; want %v", err, tcp.ErrRefused)
		}
	})
}

// A host that is not there is a matter of three questions, or of the caller's context.
func TestNobodyThere(t *testing.T) {
	nobody := netip.MustParseAddrPort("10.0.0.9:80")
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &ftcptest.Network{})
		defer b.close()
		_, err := b.client.Dial(context.Background(), b.link, clientAddr, nobody)
		if !errors.Is(err, errno.HostUnreachable) {
			t.Errorf("err = %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, err = b.client.Dial(ctx, b.link, clientAddr, nobody)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
	})
}

// A segment with a wrong checksum is dropped and counted.
func TestBadChecksum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &ftcptest.Network{Faults: ftcptest.Faults{Corrupt: 1}})
		defer b.close()
		b.listen()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := b.client.Dial(ctx, b.link, clientAddr, serverAddr); err == nil {
			t.Fatal("connected over a network that corrupts everything")
		}
		if s := &b.server.Stats; s.BadChecksum.Load()+s.Malformed.Load() == 0 {
			t.Error("nothing was counted")
		}
	})
}
