package peerlink

import (
	"bytes"
	"net"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// cut returns b in parts of these lengths, and the rest.
func cut(b []byte, lengths ...int) [][]byte {
	var parts [][]byte
	for _, n := range lengths {
		parts = append(parts, b[:n])
		b = b[n:]
	}
	return append(parts, b)
}

// random is data in which nothing can be exchanged without being noticed.
func random(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func TestLink(t *testing.T) {
	all := random(MaxPayload)
	payloads := [][][]byte{
		nil,
		{nil, all[:1], nil},
		cut(all[:100], 1, 2, 3, 0, 4),
		{all[:maxRecord]},
		cut(all[:maxRecord+1], 1),
		cut(all[:256<<10], 10, maxRecord, 1, 3*maxRecord, maxRecord-1, 100<<10),
		nil,
		{all},
		{all[:3]},
	}
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){"tcp": tcpPair, "pipe": pipePair} {
		t.Run(name, func(t *testing.T) {
			client, server := openPair(t, pair)
			for _, dir := range []struct{ from, to *Link }{{client, server}, {server, client}} {
				wait := async(func() (int, error) {
					for i, parts := range payloads {
						if err := dir.from.Send(logFrame(uint64(i), len(parts)), parts...); err != nil {
							return i, err
						}
					}
					return 0, nil
				})
				var f replpb.Frame
				for i, parts := range payloads {
					payload, err := dir.to.Receive(&f)
					if err != nil {
						t.Fatal(err)
					}
					if want := logFrame(uint64(i), len(parts)); !proto.Equal(&f, want) {
						t.Fatalf("frame %d is %v, want %v", i, &f, want)
					}
					if want := bytes.Join(parts, nil); !bytes.Equal(payload, want) {
						t.Fatalf("payload %d of %d bytes changed on the way", i, len(want))
					}
				}
				if i, err := wait(); err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
			}
		})
	}
}

// A header may be as large as a payload.
func TestLargestFrame(t *testing.T) {
	client, server := openPair(t, tcpPair)
	f := &replpb.Frame{Body: &replpb.Frame_Settings{Settings: &replpb.Settings{Listeners: []string{""}}}}
	around := proto.Size(f) + 4 // the length of the string and of what it is in take two bytes more each
	f.GetSettings().Listeners[0] = string(bytes.Repeat([]byte{'x'}, MaxHeader-around))
	if n := proto.Size(f); n != MaxHeader {
		t.Fatalf("made a frame of %d bytes, not %d", n, MaxHeader)
	}
	payload := random(MaxPayload)
	wait := async(func() (int, error) { return 0, client.Send(f, payload) })
	var got replpb.Frame
	received, err := server.Receive(&got)
	if err != nil || !proto.Equal(&got, f) || !bytes.Equal(received, payload) {
		t.Errorf("changed on the way: %v", err)
	}
	if _, err := wait(); err != nil {
		t.Error(err)
	}
}

// A connection may yield nothing without an error, as that of net.Pipe does when nothing
// is written to it.
func TestEmptyReads(t *testing.T) {
	client, server := linkPair(t, pipePair)
	wait := async(func() (*replpb.Hello, error) { return server.Hello(t.Context(), testHello("b")) })
	client.raw.Conn.Write(nil)
	if _, err := client.Hello(t.Context(), testHello("a")); err != nil {
		t.Error(err)
	}
	if _, err := wait(); err != nil {
		t.Error(err)
	}
}

// A frame without a body is a sign of life.
func TestLinkEmptyFrame(t *testing.T) {
	client, server := openPair(t, tcpPair)
	if err := client.Send(&replpb.Frame{}); err != nil {
		t.Fatal(err)
	}
	f, _ := inputFrame(1, 1)
	payload, err := server.Receive(f)
	if err != nil || len(payload) != 0 || !proto.Equal(f, &replpb.Frame{}) {
		t.Fatalf("received %v and %d bytes, %v", f, len(payload), err)
	}
}

// A body of a later version is a sign of life too.
func TestLinkUnknownBody(t *testing.T) {
	client, server := openPair(t, tcpPair)
	sent := []byte{0, 0, 0, 5, 0, 0, 0, 2, 0x08, 7, 0xfa, 0x01, 0, 1, 2} // clock_us 7 and field 31
	if _, err := client.conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	var f replpb.Frame
	payload, err := server.Receive(&f)
	if err != nil || f.Body != nil || f.ClockUs != 7 || len(payload) != 2 {
		t.Fatalf("received %v and %d bytes, %v", &f, len(payload), err)
	}
}

// All records of a frame leave together.
func TestSendWritesOnce(t *testing.T) {
	client, _ := openPair(t, tcpPair)
	counted := &countConn{Conn: client.raw.Conn}
	client.raw.Conn = counted
	if err := client.Send(logFrame(1, 2), cut(random(200<<10), 100, 20<<10)...); err != nil {
		t.Fatal(err)
	}
	if counted.writes != 1 {
		t.Errorf("%d writes", counted.writes)
	}
}

// A countConn counts writes.
type countConn struct {
	net.Conn
	writes int
}

func (c *countConn) Write(b []byte) (int, error) {
	c.writes++
	return len(b), nil
}

func TestSendAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector, sync.Pool forgets at random")
	}
	client, _ := openPair(t, tcpPair)
	client.raw.Conn = &countConn{Conn: client.raw.Conn}
	f := logFrame(1, 1, 2, 3)
	small, large := random(100), random(100<<10)
	if n := testing.AllocsPerRun(100, func() {
		if err := client.Send(f, small, large, small); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}

// A burst that arrived at once is seen as such, up to its last frame.
func TestBuffered(t *testing.T) {
	client, server := openPair(t, tcpPair)
	const burst = 20
	b := hold(t, client, burst)
	if server.Buffered() != 0 {
		t.Error("bytes before there are any")
	}
	if _, err := client.raw.Conn.Write(b); err != nil {
		t.Fatal(err)
	}
	var f replpb.Frame
	for i := range burst {
		if _, err := server.Receive(&f); err != nil {
			t.Fatal(err)
		}
		if more := server.Buffered() > 0; more != (i < burst-1) {
			t.Fatalf("after frame %d of %d: %d bytes buffered", i+1, burst, server.Buffered())
		}
	}
}

// A burst is seen as such if it came in one record, and right behind the hello.
func TestBufferedBehindHello(t *testing.T) {
	client, server := linkPair(t, tcpPair)
	wait := async(func() (*replpb.Hello, error) { return server.Hello(t.Context(), testHello("b")) })
	f, payload := inputFrame(1, 3000)
	frame := frameBytes(t, f, payload)
	sent := frameBytes(t, helloFrame(testHello("a")), nil)
	sent = append(append(append(sent, frame...), frame...), frame...)
	if _, err := client.conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	if _, err := wait(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := server.Receive(f); err != nil || !proto.Equal(f, logFrame(1, 3000)) {
			t.Fatalf("received %v, %v", f, err)
		}
		if n := server.Buffered(); n != len(frame)*(2-i) {
			t.Errorf("after frame %d: %d bytes buffered", i+1, n)
		}
	}
}

// A part of a record is nothing that Receive could return without waiting.
func TestBufferedPart(t *testing.T) {
	for _, missing := range []int{1, 60, 75, 76} {
		client, server := openPair(t, pipePair)
		b := hold(t, client, 2)
		part := len(b)/2 - missing // of the second record
		wait := async(func() (int, error) { return client.raw.Conn.Write(b[:len(b)/2+part]) })
		if _, err := server.Receive(new(replpb.Frame)); err != nil {
			t.Fatal(err)
		}
		if _, err := wait(); err != nil {
			t.Fatal(err)
		}
		if n := server.raw.w - server.raw.r; n != part {
			t.Fatalf("%d bytes arrived, want %d", n, part)
		}
		if n := server.Buffered(); n != 0 {
			t.Errorf("%d bytes buffered, of which the last %d are missing", n, missing)
		}
	}
}
