package peerlink

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

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

// tunedPair is tcpPair with the transport of links.
func tunedPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	ln, err := TCP{}.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = TCP{}.Dial(t.Context(), ln.Addr().String())
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
func linkPair(t testing.TB, pair func(testing.TB) (client, server net.Conn)) (client, server *Link) {
	t.Helper()
	keys := testKeys(t, "web", testSecret)
	c, s := pair(t)
	wait := async(func() (*Link, error) { return Server(t.Context(), s, keys) })
	client, err := Client(t.Context(), c, keys)
	if err != nil {
		t.Fatal(err)
	}
	server, err = wait()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// openPair is linkPair after the hello.
func openPair(t testing.TB, pair func(testing.TB) (client, server net.Conn)) (client, server *Link) {
	t.Helper()
	client, server = linkPair(t, pair)
	wait := async(func() (*replpb.Hello, error) { return server.Hello(t.Context(), testHello("b")) })
	theirs, err := client.Hello(t.Context(), testHello("a"))
	if err != nil || theirs.Member.GetSlot() != "b" {
		t.Fatalf("client: hello of %v, %v", theirs, err)
	}
	theirs, err = wait()
	if err != nil || theirs.Member.GetSlot() != "a" {
		t.Fatalf("server: hello of %v, %v", theirs, err)
	}
	return client, server
}

func testHello(slot string) *replpb.Hello {
	return &replpb.Hello{
		Version: Version, Oldest: Oldest, Group: "web",
		Member: &replpb.Member{Slot: slot, Incarnation: 1}, Role: replpb.Role_ROLE_STARTING,
	}
}

// inputFrame is a frame with n bytes of a connection's input, and those.
func inputFrame(lsn uint64, n int) (*replpb.Frame, []byte) {
	return logFrame(lsn, n), bytes.Repeat([]byte{byte(lsn)}, n)
}

// logFrame is a frame with a record for each of the inputs of these lengths.
func logFrame(lsn uint64, inputs ...int) *replpb.Frame {
	log := &replpb.Log{Lsn: lsn}
	for i, n := range inputs {
		log.Records = append(log.Records, &replpb.Record{
			Conn: uint64(i + 7), Step: &replpb.Record_Delta{Delta: &replpb.Delta{InputAt: 1, InputLen: uint32(n)}},
		})
	}
	return &replpb.Frame{Body: &replpb.Frame_Log{Log: log}}
}

func helloFrame(h *replpb.Hello) *replpb.Frame {
	return &replpb.Frame{Body: &replpb.Frame_Hello{Hello: h}}
}

// frameBytes is a whole frame as it is sent, whatever its size.
func frameBytes(t testing.TB, f *replpb.Frame, payload []byte) []byte {
	t.Helper()
	b, err := appendHeader(nil, f, len(payload), limits{1 << 30, 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	return append(b, payload...)
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
	if n := strings.Count(err.Error(), "peerlink: "); n > 1 {
		t.Errorf("%s: %v", who, err)
	}
}

// A brokenConn cannot write any more.
type brokenConn struct{ net.Conn }

func (brokenConn) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// wantClosed checks that Client or Server has closed what it was given.
func wantClosed(t *testing.T, conns ...net.Conn) {
	t.Helper()
	for _, c := range conns {
		if err := c.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("connection of %v is not closed: %v", c.LocalAddr(), err)
		}
	}
}

// hold returns what client would have written to the network for n frames.
func hold(t *testing.T, client *Link, n int) []byte {
	t.Helper()
	held := &holdConn{Conn: client.raw.Conn}
	client.raw.Conn = held
	defer func() { client.raw.Conn = held.Conn }()
	for i := range n {
		if err := client.Send(inputFrame(uint64(i+1), 50)); err != nil {
			t.Fatal(err)
		}
	}
	return held.buf
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
