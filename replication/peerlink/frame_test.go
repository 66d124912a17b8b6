package peerlink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// What would be missing from what follows closes the link.
func TestSendTooLarge(t *testing.T) {
	for _, tt := range []struct {
		name    string
		frame   *replpb.Frame
		payload []byte
		want    string
	}{
		{"payload", logFrame(1), make([]byte, MaxPayload+1), "payload of 1048577 bytes, more than 1048576"},
		{"header", &replpb.Frame{Body: &replpb.Frame_Settings{Settings: &replpb.Settings{
			Listeners: []string{strings.Repeat("x", MaxHeader)}}}}, nil, "more than 1048576"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := openPair(t, tcpPair)
			err := client.Send(tt.frame, tt.payload[:len(tt.payload)/2], tt.payload[len(tt.payload)/2:])
			wantError(t, "send", err, "peerlink: send to "+client.RemoteAddr().String(), tt.want)
			if _, err := server.Receive(new(replpb.Frame)); !errors.Is(err, errPeerClosed) {
				t.Errorf("received %v", err)
			}
			_, again := client.Receive(new(replpb.Frame))
			if again != err {
				t.Errorf("receive: %v, want %v", again, err)
			}
		})
	}
}

func TestBadFrames(t *testing.T) {
	for _, tt := range []struct {
		name string
		sent []byte
		want string
	}{
		{"header too large by one", []byte{0, 0x10, 0, 1, 0, 0, 0, 0}, "header of 1048577 bytes, more than 1048576"},
		{"header too large", []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, "header of 4294967295 bytes"},
		{"payload too large by one", []byte{0, 0, 0, 0, 0, 0x10, 0, 1}, "payload of 1048577 bytes, more than 1048576"},
		{"payload too large", []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, "payload of 4294967295 bytes"},
		{"both", bytes.Repeat([]byte{0xff}, 8), "more than"},
		{"malformed", []byte{0, 0, 0, 1, 0, 0, 0, 0, 0xff}, "malformed frame"},
		{"malformed inside", []byte{0, 0, 0, 2, 0, 0, 0, 0, 0x5a, 0x05}, "malformed frame"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := openPair(t, tcpPair)
			if _, err := client.conn.Write(tt.sent); err != nil {
				t.Fatal(err)
			}
			_, err := server.Receive(new(replpb.Frame))
			wantError(t, "server", err, "peerlink: receive from "+server.RemoteAddr().String(), tt.want)
			if ClosedByPeer(err) || Incompatible(err) {
				t.Errorf("%v passes for something else", err)
			}
			if n := cap(server.in.buf); n > 20<<10 {
				t.Errorf("allocated %d bytes", n)
			}
			if _, err := client.Receive(new(replpb.Frame)); !errors.Is(err, errPeerClosed) {
				t.Errorf("not closed: %v", err)
			}
		})
	}
}

// However the bytes arrive, the frames are the same, and the buffer no larger than it has
// to be.
func TestFrameReader(t *testing.T) {
	var stream []byte
	sizes := []int{0, 1, 300, 5000, maxRecord, 0, 70_000, 1, MaxPayload, 2}
	for i, n := range sizes {
		stream = append(stream, frameBytes(t, logFrame(uint64(i), n), random(n))...)
	}
	for name, src := range map[string]io.Reader{
		"at once":       bytes.NewReader(stream),
		"halves":        iotest.HalfReader(bytes.NewReader(stream)),
		"byte by byte":  iotest.OneByteReader(bytes.NewReader(stream)),
		"error with it": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			fr := newFrameReader(src)
			fr.accept()
			var f replpb.Frame
			for i, n := range sizes {
				payload, err := fr.read(&f)
				if err != nil {
					t.Fatal(err)
				}
				if !proto.Equal(&f, logFrame(uint64(i), n)) || !bytes.Equal(payload, random(n)) {
					t.Fatalf("frame %d changed", i)
				}
			}
			if _, err := fr.read(&f); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
			if n, most := cap(fr.buf), prefixSize+MaxHeader+MaxPayload+maxRecord; n > most {
				t.Errorf("buffer of %d bytes, more than %d", n, most)
			}
		})
	}
}

func FuzzReceive(f *testing.F) {
	frame := frameBytes(f, logFrame(1, 60, 40), random(100))
	f.Add(frame)
	f.Add(append(frameBytes(f, helloFrame(testHello("a")), nil), frame...))
	f.Add(frame[:len(frame)-1])
	f.Add(make([]byte, 8))
	f.Add([]byte{0, 0x10, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 0, 0x10, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0a})
	f.Add([]byte{0, 0, 0, 2, 0, 0, 0, 0, 0x0a, 0x05})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		fr := newFrameReader(bytes.NewReader(b))
		fr.max = limits{limit, limit}
		var m replpb.Frame
		for rest := b; ; {
			payload, err := fr.read(&m)
			if cap(fr.buf) > prefixSize+2*limit+fr.room {
				t.Fatalf("buffer of %d bytes", cap(fr.buf))
			}
			size := prefixSize
			if len(rest) >= prefixSize {
				size += int(binary.BigEndian.Uint32(rest)) + int(binary.BigEndian.Uint32(rest[4:]))
			}
			whole := len(rest) >= size
			if err != nil {
				if err == io.EOF && len(rest) > 0 {
					t.Fatalf("io.EOF %d bytes before the end", len(rest))
				}
				if ClosedByPeer(err) && whole {
					t.Fatalf("%v for a whole frame", err)
				}
				return
			}
			if !whole {
				t.Fatalf("frame of %d bytes read from %d", size, len(rest))
			}
			if !bytes.Equal(payload, rest[size-len(payload):size]) {
				t.Fatal("the payload is another one")
			}
			for _, r := range m.GetLog().GetRecords() { // whatever the records say
				p := Payload(payload)
				p.Cut(r)
			}
			rest = rest[size:]

			// What was understood can be sent on and means the same.
			again, err := appendHeader(nil, &m, 0, peerLimits)
			if err != nil {
				continue // larger than what it was made from
			}
			var n replpb.Frame
			if err := proto.Unmarshal(again[prefixSize:], &n); err != nil || !proto.Equal(&m, &n) {
				t.Fatalf("%v became %v, %v", &m, &n, err)
			}
		}
	})
}
