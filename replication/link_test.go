package replication

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// tcpPair returns the two ends of a connection over the loopback interface.
func tcpPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func pipePair(t testing.TB) (client, server net.Conn) {
	client, server = net.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

type result[T any] struct {
	v   T
	err error
}

// async calls f in a goroutine and returns a function that waits for what f returns.
func async[T any](f func() (T, error)) func() (T, error) {
	c := make(chan result[T], 1)
	go func() {
		v, err := f()
		c <- result[T]{v, err}
	}()
	return func() (T, error) {
		r := <-c
		return r.v, r.err
	}
}

// linkPair returns the two ends of a link on which no hello was exchanged.
func linkPair(t testing.TB, pair func(testing.TB) (client, server net.Conn)) (client, server *link) {
	t.Helper()
	keys := testKeys(t, "web", testSecret)
	c, s := pair(t)
	wait := async(func() (*link, error) { return newLink(t.Context(), s, keys, true) })
	client, err := newLink(t.Context(), c, keys, false)
	if err != nil {
		t.Fatal(err)
	}
	server, err = wait()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.close(); server.close() })
	return client, server
}

// openPair is linkPair after the hello.
func openPair(t testing.TB, pair func(testing.TB) (client, server net.Conn)) (client, server *link) {
	t.Helper()
	client, server = linkPair(t, pair)
	wait := async(func() (*replpb.Hello, error) { return server.hello(t.Context(), testHello("b")) })
	theirs, err := client.hello(t.Context(), testHello("a"))
	if err != nil || theirs.Node != "b" {
		t.Fatalf("client: hello of %v, %v", theirs, err)
	}
	theirs, err = wait()
	if err != nil || theirs.Node != "a" {
		t.Fatalf("server: hello of %v, %v", theirs, err)
	}
	return client, server
}

func testHello(node string) *replpb.Hello {
	return &replpb.Hello{Version: Version, Group: "web", Node: node, Role: replpb.Role_ROLE_STARTING}
}

// inputFrame is a frame with n bytes of a connection's input.
func inputFrame(lsn uint64, n int) *replpb.Frame {
	return &replpb.Frame{Epoch: 1, Lsn: lsn, Records: []*replpb.Record{
		{Conn: 7, Delta: &replpb.Delta{InputAt: 1, Input: bytes.Repeat([]byte{byte(lsn)}, n)}},
	}}
}

func wantError(t *testing.T, who string, err error, text ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %q", who, text)
		return
	}
	for _, s := range text {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %v, want %q", who, err, s)
		}
	}
	if n := strings.Count(err.Error(), "replication: "); n > 1 {
		t.Errorf("%s: %v", who, err)
	}
}

func TestLink(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){"tcp": tcpPair, "pipe": pipePair} {
		t.Run(name, func(t *testing.T) {
			client, server := openPair(t, pair)
			// The largest frame that fits has 4 MiB with what stands around its input.
			sizes := []int{0, 1, 100, 16 << 10, 256 << 10, 0, maxFrame - 64, 3}
			for _, dir := range []struct{ from, to *link }{{client, server}, {server, client}} {
				wait := async(func() (int, error) {
					for i, n := range sizes {
						if err := dir.from.send(inputFrame(uint64(i), n)); err != nil {
							return i, err
						}
					}
					return 0, nil
				})
				var f replpb.Frame
				for i, n := range sizes {
					if err := dir.to.receive(&f); err != nil {
						t.Fatal(err)
					}
					if want := inputFrame(uint64(i), n); !proto.Equal(&f, want) {
						t.Fatalf("frame %d of %d bytes changed on the way", i, n)
					}
				}
				if i, err := wait(); err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
			}
		})
	}
}

func TestLinkEmptyFrame(t *testing.T) {
	client, server := openPair(t, tcpPair)
	if err := client.send(&replpb.Frame{}); err != nil {
		t.Fatal(err)
	}
	f := inputFrame(1, 1)
	if err := server.receive(f); err != nil || !proto.Equal(f, &replpb.Frame{}) {
		t.Fatalf("received %v, %v", f, err)
	}
}

func TestSendTooLarge(t *testing.T) {
	client, server := openPair(t, tcpPair)
	wantError(t, "send", client.send(inputFrame(1, maxFrame)), "more than 4194304")
	if err := client.send(inputFrame(2, 1)); err != nil {
		t.Fatal(err)
	}
	var f replpb.Frame
	if err := server.receive(&f); err != nil || f.Lsn != 2 {
		t.Fatalf("received %v, %v", f.Lsn, err)
	}
}

func TestOtherSecret(t *testing.T) {
	for name, other := range map[string]*Keys{
		"secret": testKeys(t, "web", testSecret+"x"),
		"group":  testKeys(t, "mail", testSecret),
	} {
		t.Run(name, func(t *testing.T) {
			c, s := tcpPair(t)
			wait := async(func() (*link, error) { return newLink(t.Context(), s, other, true) })
			_, err := newLink(t.Context(), c, testKeys(t, "web", testSecret), false)
			wantError(t, "client", err, "replication: the peer at "+s.LocalAddr().String()+" has another secret")
			_, err = wait()
			wantError(t, "server", err, "replication: the peer at "+c.LocalAddr().String()+" did not accept our key", "secret")
			wantClosed(t, c, s)
		})
	}
}

// A client that accepts any server learns only after its own handshake that the
// server refuses it, even if it cannot send any more by then.
func TestOtherSecretRefusedByServer(t *testing.T) {
	for _, reset := range []bool{false, true} {
		c, s := tcpPair(t)
		wait := async(func() (*link, error) { return newLink(t.Context(), s, testKeys(t, "web", testSecret), true) })

		careless := testKeys(t, "web", testSecret+"x").clientTLS()
		careless.VerifyConnection = nil
		raw := newRecordConn(c)
		l := newTestLink(tls.Client(raw, careless), raw)
		if err := l.conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		_, err := wait()
		wantError(t, "server", err, "has another secret")
		if reset {
			raw.Conn = brokenConn{c}
		}
		_, err = l.hello(t.Context(), testHello("a"))
		wantError(t, "client", err, "did not accept our key")
		if closedByPeer(err) {
			t.Errorf("%v passes for the death of the peer", err)
		}
	}
}

// A brokenConn cannot write any more.
type brokenConn struct{ net.Conn }

func (brokenConn) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestHelloCannotBeSent(t *testing.T) {
	client, server := linkPair(t, tcpPair)
	client.raw.Conn = brokenConn{client.raw.Conn}
	server.raw.Close()
	_, err := client.hello(t.Context(), testHello("a"))
	wantError(t, "client", err, "replication: send to "+client.remoteAddr().String())
	if !closedByPeer(err) {
		t.Errorf("%v does not pass for the death of the peer", err)
	}
}

// newTestLink is what newLink makes of a client after the handshake.
func newTestLink(c *tls.Conn, raw *recordConn) *link {
	l := &link{conn: c, raw: raw}
	l.in = newFrameReader(c)
	return l
}

// wantClosed checks that newLink has closed what it was given.
func wantClosed(t *testing.T, conns ...net.Conn) {
	t.Helper()
	for _, c := range conns {
		if err := c.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("connection of %v is not closed: %v", c.LocalAddr(), err)
		}
	}
}

// Who has the group's certificate, which is no secret, but not its key.
func TestStolenCertificate(t *testing.T) {
	c, s := tcpPair(t)
	keys := testKeys(t, "web", testSecret)
	thief := testKeys(t, "web", testSecret+"x")
	thief.link.Certificate = keys.link.Certificate
	thief.pin = keys.pin
	wait := async(func() (*link, error) { return newLink(t.Context(), s, thief, true) })
	if _, err := newLink(t.Context(), c, keys, false); err == nil {
		t.Error("client accepted")
	}
	if _, err := wait(); err == nil {
		t.Error("server accepted")
	}
}

func TestPeerWithoutCertificate(t *testing.T) {
	c, s := tcpPair(t)
	wait := async(func() (*link, error) { return newLink(t.Context(), s, testKeys(t, "web", testSecret), true) })
	anonymous := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	if err := anonymous.Handshake(); err != nil {
		t.Fatal(err)
	}
	_, err := wait()
	wantError(t, "server", err, "replication: handshake with "+c.LocalAddr().String(), "certificate")
	wantClosed(t, s)
}

func TestPeerWithOlderTLS(t *testing.T) {
	c, s := tcpPair(t)
	keys := testKeys(t, "web", testSecret)
	wait := async(func() (*link, error) { return newLink(t.Context(), s, keys, true) })
	old := keys.clientTLS()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if err := tls.Client(c, old).Handshake(); err == nil {
		t.Error("TLS 1.2 accepted")
	}
	_, err := wait()
	wantError(t, "server", err, "replication: handshake with", "version")
}

func TestPeerWithoutTLS(t *testing.T) {
	for _, said := range []string{"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "\x00\x00\x00\x00\x00\x00\x00", "\x16\x03\x01\xff\xff garbage"} {
		for _, server := range []bool{false, true} {
			t.Run(fmt.Sprintf("%q to server=%v", said, server), func(t *testing.T) {
				c, s := tcpPair(t)
				if _, err := c.Write([]byte(said)); err != nil {
					t.Fatal(err)
				}
				_, err := newLink(t.Context(), s, testKeys(t, "web", testSecret), server)
				wantError(t, "link", err, "replication: ", c.LocalAddr().String(), "tls: ")
				wantClosed(t, s)
			})
		}
	}
}

func TestPeerClosesInHandshake(t *testing.T) {
	for _, said := range []string{"", "\x16", "\x16\x03\x01\x00\x10abc"} {
		c, s := tcpPair(t)
		c.Write([]byte(said))
		c.Close()
		_, err := newLink(t.Context(), s, testKeys(t, "web", testSecret), true)
		wantError(t, "server", err, "replication: handshake with", "EOF")
	}
}

func TestSilentPeer(t *testing.T) {
	for _, server := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, s := pipePair(t)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := newLink(ctx, s, testKeys(t, "web", testSecret), server)
			if !errors.Is(err, context.DeadlineExceeded) || closedByPeer(err) {
				t.Errorf("server=%v: %v", server, err)
			}
			if d := time.Since(start); d != time.Second {
				t.Errorf("server=%v: gave up after %v", server, d)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("server=%v: not closed: %v", server, err)
			}
		})
	}
}

func TestSilentPeerAfterHandshake(t *testing.T) {
	for _, server := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l, other := linkPair(t, pipePair)
			if server {
				l, other = other, l
			}
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := l.hello(ctx, testHello("a"))
			wantError(t, "hello", err, "sent no hello")
			if !errors.Is(err, context.DeadlineExceeded) || closedByPeer(err) {
				t.Errorf("server=%v: %v", server, err)
			}
			if d := time.Since(start); d != time.Second {
				t.Errorf("server=%v: gave up after %v", server, d)
			}
			other.raw.Close()
		})
	}
}

// The context bounds the hello and not the life of the link.
func TestContextEndsAfterHello(t *testing.T) {
	client, server := linkPair(t, tcpPair)
	ctx, cancel := context.WithCancel(t.Context())
	wait := async(func() (*replpb.Hello, error) { return server.hello(ctx, testHello("b")) })
	if _, err := client.hello(ctx, testHello("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := wait(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := client.send(inputFrame(1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := server.receive(new(replpb.Frame)); err != nil {
		t.Fatal(err)
	}
}

func TestHelloRefused(t *testing.T) {
	for _, tt := range []struct {
		name           string
		change         func(*replpb.Hello)
		client, server string
	}{
		{"version", func(h *replpb.Hello) { h.Version++ },
			"speaks version 3 of the protocol, this node version 2", "speaks version 2 of the protocol, this node version 3"},
		{"group", func(h *replpb.Hello) { h.Group = "mail" },
			`belongs to the group "mail", this node to "web"`, `belongs to the group "web", this node to "mail"`},
		{"mode", func(h *replpb.Hello) { h.Mode = 1 },
			"in mode Resume, this node in Mirror", "in mode Mirror, this node in Resume"},
		{"unknown mode", func(h *replpb.Hello) { h.Mode = 9 },
			"in mode 9, this node in Mirror", "in mode Mirror, this node in 9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := linkPair(t, tcpPair)
			other := testHello("b")
			tt.change(other)
			wait := async(func() (*replpb.Hello, error) { return server.hello(t.Context(), other) })
			_, err := client.hello(t.Context(), testHello("a"))
			wantError(t, "client", err, "replication: the peer at "+client.remoteAddr().String(), tt.client)
			_, err = wait()
			wantError(t, "server", err, "replication: the peer at "+server.remoteAddr().String(), tt.server)
		})
	}
}

func TestHelloMissing(t *testing.T) {
	client, server := linkPair(t, tcpPair)
	wait := async(func() (*replpb.Hello, error) { return server.hello(t.Context(), testHello("b")) })
	if err := client.send(inputFrame(1, 1)); err != nil {
		t.Fatal(err)
	}
	_, err := wait()
	wantError(t, "server", err, "did not begin with a hello")
}

func TestHelloTooLarge(t *testing.T) {
	client, server := linkPair(t, tcpPair)
	wait := async(func() (*replpb.Hello, error) { return server.hello(t.Context(), testHello("b")) })
	if err := client.send(&replpb.Frame{Hello: testHello(strings.Repeat("a", maxHello))}); err != nil {
		t.Fatal(err)
	}
	_, err := wait()
	wantError(t, "server", err, "more than 4096")
	if server.in.buf != nil {
		t.Errorf("allocated %d bytes", cap(server.in.buf))
	}
}

func TestBadFrames(t *testing.T) {
	for _, tt := range []struct {
		name string
		sent []byte
		want string
	}{
		{"too large by one", []byte{0, 0x40, 0, 1}, "frame of 4194305 bytes, more than 4194304"},
		{"too large", []byte{0xff, 0xff, 0xff, 0xff}, "frame of 4294967295 bytes, more than 4194304"},
		{"malformed", []byte{0, 0, 0, 1, 0xff}, "malformed frame"},
		{"malformed inside", []byte{0, 0, 0, 2, 0x0a, 0x05}, "malformed frame"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := openPair(t, tcpPair)
			before := cap(server.in.buf)
			if _, err := client.conn.Write(tt.sent); err != nil {
				t.Fatal(err)
			}
			err := server.receive(new(replpb.Frame))
			wantError(t, "server", err, "replication: receive from "+server.remoteAddr().String(), tt.want)
			if closedByPeer(err) {
				t.Errorf("%v passes for the death of the peer", err)
			}
			if cap(server.in.buf) != before {
				t.Errorf("allocated %d bytes", cap(server.in.buf))
			}
		})
	}
}

// What a process that is killed leaves behind: its kernel closes the connection.
func TestPeerDies(t *testing.T) {
	frame, err := appendFrame(nil, inputFrame(1, 100))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		die  func(l *link)
		want error
	}{
		{"between frames", func(l *link) {}, io.EOF},
		{"in the length", func(l *link) { l.conn.Write(frame[:2]) }, io.ErrUnexpectedEOF},
		{"after the length", func(l *link) { l.conn.Write(frame[:4]) }, io.ErrUnexpectedEOF},
		{"in the frame", func(l *link) { l.conn.Write(frame[:20]) }, io.ErrUnexpectedEOF},
		{"in the header of a record", func(l *link) { l.raw.Write([]byte{23, 3}) }, io.ErrUnexpectedEOF},
		{"in a record", func(l *link) { l.raw.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3}) }, io.ErrUnexpectedEOF},
		{"with unread input", func(l *link) { l.raw.Conn.(*net.TCPConn).SetLinger(0) }, syscall.ECONNRESET},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := openPair(t, tcpPair)
			tt.die(client)
			client.raw.Close()
			err := server.receive(new(replpb.Frame))
			if tt.want == syscall.ECONNRESET && errors.Is(err, tt.want) {
				err = tt.want
			}
			if err != tt.want {
				t.Errorf("received %v, want %v", err, tt.want)
			}
			if !closedByPeer(err) {
				t.Errorf("%v does not pass for the death of the peer", err)
			}
		})
	}
}

// A process that closes its link is no dead process, even in the middle of a frame.
func TestPeerCloses(t *testing.T) {
	frame, err := appendFrame(nil, inputFrame(1, 100))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 2, 4, 20, len(frame)} {
		client, server := openPair(t, tcpPair)
		if _, err := client.conn.Write(frame[:n]); err != nil {
			t.Fatal(err)
		}
		client.close()
		var f replpb.Frame
		if n == len(frame) {
			if err := server.receive(&f); err != nil {
				t.Fatal(err)
			}
		}
		err := server.receive(&f)
		wantError(t, "server", err, "replication: the peer at "+server.remoteAddr().String()+" closed the link")
		if !errors.Is(err, errPeerClosed) || closedByPeer(err) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestClosedByPeer(t *testing.T) {
	for _, err := range []error{nil, net.ErrClosed, io.ErrClosedPipe, os.ErrDeadlineExceeded, context.Canceled,
		syscall.ETIMEDOUT, syscall.EHOSTUNREACH, errPeerClosed, errNotAccepted, errOtherSecret} {
		if closedByPeer(err) {
			t.Errorf("%v", err)
		}
	}
	reset := &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	if !closedByPeer(fmt.Errorf("receive: %w", reset)) {
		t.Errorf("%v", reset)
	}
}

func TestCloseWithStalledPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := openPair(t, pipePair)
		start := time.Now()
		client.close()
		if d := time.Since(start); d > closeGrace {
			t.Errorf("close took %v", d)
		}
	})
}

func TestCloseUnblocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := openPair(t, pipePair)
		sent := async(func() (int, error) { return 0, client.send(inputFrame(1, 1)) })
		received := async(func() (int, error) { return 0, client.receive(new(replpb.Frame)) })
		synctest.Wait() // until both are blocked
		start := time.Now()
		client.close()
		for _, wait := range []func() (int, error){sent, received} {
			if _, err := wait(); err == nil || closedByPeer(err) {
				t.Errorf("unblocked by %v", err)
			}
		}
		if d := time.Since(start); d > closeGrace {
			t.Errorf("close took %v", d)
		}
	})
}

// hold returns what client would have written to the network for n frames.
func hold(t *testing.T, client *link, n int) []byte {
	t.Helper()
	held := &holdConn{Conn: client.raw.Conn}
	client.raw.Conn = held
	defer func() { client.raw.Conn = held.Conn }()
	for i := range n {
		if err := client.send(inputFrame(uint64(i+1), 50)); err != nil {
			t.Fatal(err)
		}
	}
	return held.buf
}

// A burst that arrived at once is seen as such, up to its last frame.
func TestBuffered(t *testing.T) {
	client, server := openPair(t, tcpPair)
	const burst = 20
	b := hold(t, client, burst)
	if server.buffered() != 0 {
		t.Error("bytes before there are any")
	}
	if _, err := client.raw.Conn.Write(b); err != nil {
		t.Fatal(err)
	}
	var f replpb.Frame
	for i := range burst {
		if err := server.receive(&f); err != nil {
			t.Fatal(err)
		}
		if more := server.buffered() > 0; more != (i < burst-1) {
			t.Fatalf("after frame %d of %d: %d bytes buffered", i+1, burst, server.buffered())
		}
	}
}

// A part of a record is nothing that receive could return without waiting.
func TestBufferedPart(t *testing.T) {
	for _, missing := range []int{1, 60, 75, 76} {
		client, server := openPair(t, pipePair)
		b := hold(t, client, 2)
		part := len(b)/2 - missing // of the second record
		wait := async(func() (int, error) { return client.raw.Conn.Write(b[:len(b)/2+part]) })
		if err := server.receive(new(replpb.Frame)); err != nil {
			t.Fatal(err)
		}
		if _, err := wait(); err != nil {
			t.Fatal(err)
		}
		if n := server.raw.r.Buffered(); n != part {
			t.Fatalf("%d bytes arrived, want %d", n, part)
		}
		if n := server.buffered(); n != 0 {
			t.Errorf("%d bytes buffered, of which the last %d are missing", n, missing)
		}
	}
}

// A holdConn keeps what is written to it.
type holdConn struct {
	net.Conn
	buf []byte
}

func (c *holdConn) Write(b []byte) (int, error) {
	c.buf = append(c.buf, b...)
	return len(b), nil
}

func FuzzReceive(f *testing.F) {
	frame, err := appendFrame(nil, inputFrame(1, 100))
	if err != nil {
		f.Fatal(err)
	}
	hello, err := appendFrame(nil, &replpb.Frame{Hello: testHello("a")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame)
	f.Add(append(bytes.Clone(hello), frame...))
	f.Add(frame[:len(frame)-1])
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0, 0x40, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0a})
	f.Add([]byte{0, 0, 0, 2, 0x0a, 0x05})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		fr := newFrameReader(bytes.NewReader(b))
		fr.max = limit
		var m replpb.Frame
		for rest := b; ; {
			err := fr.read(&m)
			if cap(fr.buf) > limit {
				t.Fatalf("buffer of %d bytes", cap(fr.buf))
			}
			whole := len(rest) >= 4 && uint64(len(rest)-4) >= uint64(binary.BigEndian.Uint32(rest))
			if err != nil {
				if err == io.EOF && len(rest) > 0 {
					t.Fatalf("io.EOF %d bytes before the end", len(rest))
				}
				if closedByPeer(err) && whole {
					t.Fatalf("%v for a whole frame", err)
				}
				return
			}
			if !whole {
				t.Fatalf("frame of %d bytes read from %d", len(fr.buf), len(rest))
			}
			rest = rest[4+len(fr.buf):]

			// What was understood can be sent on and means the same.
			again, err := appendFrame(nil, &m)
			if err != nil {
				continue // larger than what it was made from
			}
			var n replpb.Frame
			if err := proto.Unmarshal(again[4:], &n); err != nil || !proto.Equal(&m, &n) {
				t.Fatalf("%v became %v, %v", &m, &n, err)
			}
		}
	})
}

func BenchmarkLink(b *testing.B) {
	for _, n := range []int{100, 4 << 10, 256 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			client, server := openPair(b, tcpPair)
			sent := inputFrame(1, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			b.ResetTimer()
			wait := async(func() (int, error) {
				for i := range b.N {
					if err := client.send(sent); err != nil {
						return i, err
					}
				}
				return 0, nil
			})
			var f replpb.Frame
			for range b.N {
				if err := server.receive(&f); err != nil {
					b.Fatal(err)
				}
			}
			if i, err := wait(); err != nil {
				b.Fatalf("frame %d: %v", i, err)
			}
		})
	}
}
