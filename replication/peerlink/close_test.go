package peerlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// What a process that is killed leaves behind: its kernel closes the connection.
func TestPeerDies(t *testing.T) {
	f, payload := inputFrame(1, 100)
	frame := frameBytes(t, f, payload)
	for _, tt := range []struct {
		name string
		die  func(l *Link)
		want error
	}{
		{"between frames", func(l *Link) {}, io.EOF},
		{"in the lengths", func(l *Link) { l.conn.Write(frame[:4]) }, io.ErrUnexpectedEOF},
		{"after the lengths", func(l *Link) { l.conn.Write(frame[:8]) }, io.ErrUnexpectedEOF},
		{"in the header", func(l *Link) { l.conn.Write(frame[:12]) }, io.ErrUnexpectedEOF},
		{"after the header", func(l *Link) { l.conn.Write(frame[:len(frame)-100]) }, io.ErrUnexpectedEOF},
		{"in the payload", func(l *Link) { l.conn.Write(frame[:len(frame)-1]) }, io.ErrUnexpectedEOF},
		{"in the header of a record", func(l *Link) { l.raw.Write([]byte{23, 3}) }, io.ErrUnexpectedEOF},
		{"in a record", func(l *Link) { l.raw.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3}) }, io.ErrUnexpectedEOF},
		{"with unread input", func(l *Link) { l.raw.Conn.(*net.TCPConn).SetLinger(0) }, syscall.ECONNRESET},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := openPair(t, tcpPair)
			tt.die(client)
			client.raw.Close()
			_, err := server.Receive(new(replpb.Frame))
			if tt.want == syscall.ECONNRESET && errors.Is(err, tt.want) {
				err = tt.want
			}
			if err != tt.want {
				t.Errorf("received %v, want %v", err, tt.want)
			}
			if !ClosedByPeer(err) {
				t.Errorf("%v does not pass for the death of the peer", err)
			}
		})
	}
}

// A process that closes its link is no dead process, even in the middle of a frame.
func TestPeerCloses(t *testing.T) {
	f, payload := inputFrame(1, 100)
	frame := frameBytes(t, f, payload)
	for _, n := range []int{0, 4, 8, 12, len(frame) - 100, len(frame) - 1, len(frame)} {
		client, server := openPair(t, tcpPair)
		if _, err := client.conn.Write(frame[:n]); err != nil {
			t.Fatal(err)
		}
		client.Close()
		var f replpb.Frame
		if n == len(frame) {
			if _, err := server.Receive(&f); err != nil {
				t.Fatal(err)
			}
		}
		_, err := server.Receive(&f)
		wantError(t, "server", err, "peerlink: the peer at "+server.RemoteAddr().String()+" closed the link")
		if !errors.Is(err, errPeerClosed) || ClosedByPeer(err) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestClosedByPeer(t *testing.T) {
	for _, err := range []error{nil, net.ErrClosed, io.ErrClosedPipe, os.ErrDeadlineExceeded, context.Canceled,
		syscall.ETIMEDOUT, syscall.EHOSTUNREACH, errPeerClosed, errNotAccepted, errOtherSecret} {
		if ClosedByPeer(err) {
			t.Errorf("%v", err)
		}
	}
	reset := &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	if !ClosedByPeer(fmt.Errorf("receive: %w", reset)) {
		t.Errorf("%v", reset)
	}
}

func TestCloseWithStalledPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := openPair(t, pipePair)
		start := time.Now()
		client.Close()
		if d := time.Since(start); d > closeGrace {
			t.Errorf("close took %v", d)
		}
	})
}

func TestCloseUnblocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := openPair(t, pipePair)
		sent := async(func() (int, error) { return 0, client.Send(inputFrame(1, 1)) })
		received := async(func() (int, error) { _, err := client.Receive(new(replpb.Frame)); return 0, err })
		synctest.Wait() // until both are blocked
		start := time.Now()
		client.Close()
		for _, wait := range []func() (int, error){sent, received} {
			if _, err := wait(); err == nil || ClosedByPeer(err) {
				t.Errorf("unblocked by %v", err)
			}
		}
		if d := time.Since(start); d > closeGrace {
			t.Errorf("close took %v", d)
		}
	})
}

// A process that closes its link while it sends is no dead process either.
func TestCloseWhileSending(t *testing.T) {
	payload := random(MaxPayload) // takes its time to encrypt
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			client, server := openPair(t, pipePair)
			go func() {
				for client.Send(new(replpb.Frame), payload) == nil {
				}
			}()
			closed := make(chan struct{})
			for i := 0; ; i++ {
				if _, err := server.Receive(new(replpb.Frame)); err != nil {
					if !errors.Is(err, errPeerClosed) {
						t.Errorf("after %d frames: %v", i, err)
					}
					break
				}
				if i == 1 {
					go func() { client.Close(); close(closed) }()
				}
			}
			<-closed
		})
	}
}
