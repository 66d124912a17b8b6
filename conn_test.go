package ftcp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/stack/errno"
)

// What a connection does in every world.
func TestConnSemantics(t *testing.T) {
	long := time.Unix(1, 0) // ago
	for _, test := range []struct {
		name string
		run  func(t *testing.T, c, s conn)
	}{
		{"addresses", func(t *testing.T, c, s conn) {
			if !same(c.LocalAddr(), s.RemoteAddr()) || !same(c.RemoteAddr(), s.LocalAddr()) {
				t.Errorf("%v -> %v is %v -> %v on the other end", c.LocalAddr(), c.RemoteAddr(), s.RemoteAddr(), s.LocalAddr())
			}
			if _, ok := c.LocalAddr().(*net.TCPAddr); !ok {
				t.Errorf("LocalAddr is a %T", c.LocalAddr())
			}
			if _, ok := c.RemoteAddr().(*net.TCPAddr); !ok {
				t.Errorf("RemoteAddr is a %T", c.RemoteAddr())
			}
		}},
		{"methods after Close", func(t *testing.T, c, s conn) {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			want := opError{"", c.LocalAddr(), c.RemoteAddr(), net.ErrClosed}
			for _, call := range []struct {
				op string
				f  func() error
			}{
				{"read", func() error { _, err := c.Read(make([]byte, 1)); return err }},
				{"read", func() error { _, err := c.Read(nil); return err }},
				{"write", func() error { _, err := c.Write([]byte("x")); return err }},
				{"write", func() error { _, err := c.Write(nil); return err }},
				{"close", c.Close},
				{"close", c.CloseRead},
				{"close", c.CloseWrite},
				{"set", func() error { return c.SetLinger(0) }},
				{"set", func() error { return c.SetNoDelay(true) }},
				{"set", func() error { return c.SetKeepAlive(true) }},
				{"set", func() error { return c.SetKeepAlivePeriod(time.Second) }},
			} {
				want.op = call.op
				want.check(t, call.f())
			}
			want = opError{"set", nil, c.LocalAddr(), net.ErrClosed}
			want.check(t, c.SetDeadline(time.Time{}))
			want.check(t, c.SetReadDeadline(time.Time{}))
			want.check(t, c.SetWriteDeadline(time.Time{}))
			want.check(t, c.SetReadBuffer(1<<16))
			want.check(t, c.SetWriteBuffer(1<<16))
		}},
		{"half close", func(t *testing.T, c, s conn) {
			send(t, c, "question")
			noError(t, c.CloseWrite())
			noError(t, c.CloseWrite())
			if got, err := io.ReadAll(s); err != nil || string(got) != "question" {
				t.Fatalf("%q, %v", got, err)
			}
			send(t, s, "answer")
			noError(t, s.CloseWrite())
			if got, err := io.ReadAll(c); err != nil || string(got) != "answer" {
				t.Fatalf("%q, %v", got, err)
			}
			readError(t, c, io.EOF)
			noError(t, c.Close())
			noError(t, s.Close())
		}},
		{"half close, server first", func(t *testing.T, c, s conn) {
			noError(t, s.CloseWrite())
			readError(t, c, io.EOF)
			send(t, c, "still")
			noError(t, c.CloseWrite())
			if got, err := io.ReadAll(s); err != nil || string(got) != "still" {
				t.Fatalf("%q, %v", got, err)
			}
		}},
		{"write after CloseWrite", func(t *testing.T, c, s conn) {
			noError(t, c.CloseWrite())
			_, err := c.Write([]byte("x"))
			opError{"write", c.LocalAddr(), c.RemoteAddr(), errno.Pipe}.check(t, err)
		}},
		{"read after CloseRead", func(t *testing.T, c, s conn) {
			noError(t, c.CloseRead())
			readError(t, c, io.EOF)
			send(t, c, "x")
			receive(t, s, "x")
		}},
		{"CloseRead unblocks Read", func(t *testing.T, c, s conn) {
			done := blocked(func() error { _, err := c.Read(make([]byte, 1)); return err })
			noError(t, c.CloseRead())
			if err := <-done; err != io.EOF {
				t.Errorf("Read: %v", err)
			}
		}},
		{"reset", func(t *testing.T, c, s conn) {
			noError(t, s.SetLinger(0))
			noError(t, s.Close())
			_, err := c.Read(make([]byte, 1))
			opError{"read", c.LocalAddr(), c.RemoteAddr(), errno.ConnReset}.check(t, err)
			// The kernel reports a reset once; here it stays one.
			if _, err := c.Write([]byte("x")); !errors.Is(err, errno.Pipe) && !errors.Is(err, errno.ConnReset) {
				t.Errorf("Write: %v", err)
			}
			noError(t, c.Close())
		}},
		{"reset while writing", func(t *testing.T, c, s conn) {
			done := blocked(func() error { return writeUntilError(c) })
			io.ReadFull(s, make([]byte, 1<<16))
			noError(t, s.SetLinger(0))
			noError(t, s.Close())
			opError{"write", c.LocalAddr(), c.RemoteAddr(), errno.ConnReset}.check(t, <-done)
		}},
		{"Close with unread input resets", func(t *testing.T, c, s conn) {
			send(t, c, "unread")
			receive(t, s, "u")
			noError(t, s.Close())
			_, err := c.Read(make([]byte, 1))
			opError{"read", c.LocalAddr(), c.RemoteAddr(), errno.ConnReset}.check(t, err)
		}},
		{"data before a reset can be read", func(t *testing.T, c, s conn) {
			send(t, s, "last words")
			send(t, c, "until they have arrived")
			receive(t, s, "until they have arrived")
			receive(t, c, "last")
			noError(t, s.SetLinger(0))
			noError(t, s.Close())
			for {
				if _, err := c.Write([]byte("x")); err != nil {
					break
				}
			}
			receive(t, c, " words")
			if _, err := c.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, errno.ConnReset) {
				t.Errorf("Read: %v", err)
			}
		}},
		{"write to a peer that has gone", func(t *testing.T, c, s conn) {
			send(t, s, "bye")
			noError(t, s.Close())
			receive(t, c, "bye")
			readError(t, c, io.EOF)
			opError{"write", c.LocalAddr(), c.RemoteAddr(), errno.Pipe}.check(t, writeUntilError(c))
			readError(t, c, io.EOF)
		}},
		{"nothing", func(t *testing.T, c, s conn) {
			for _, c := range []conn{c, s} {
				if n, err := c.Read(nil); n != 0 || err != nil {
					t.Errorf("Read(nil) = %d, %v", n, err)
				}
				if n, err := c.Write(nil); n != 0 || err != nil {
					t.Errorf("Write(nil) = %d, %v", n, err)
				}
			}
			noError(t, s.CloseWrite())
			readError(t, c, io.EOF)
			if n, err := c.Read(nil); n != 0 || err != nil {
				t.Errorf("Read(nil) at the end = %d, %v", n, err)
			}
			noError(t, c.SetDeadline(long))
			if n, err := c.Read(nil); n != 0 || err != nil {
				t.Errorf("Read(nil) after the deadline = %d, %v", n, err)
			}
			if _, err := c.Write(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Write(nil) after the deadline: %v", err)
			}
		}},
		{"deadline in the past", func(t *testing.T, c, s conn) {
			send(t, s, "ready")
			receive(t, c, "re")
			noError(t, c.SetDeadline(long))
			_, err := c.Read(make([]byte, 1))
			opError{"read", c.LocalAddr(), c.RemoteAddr(), os.ErrDeadlineExceeded}.check(t, err)
			_, err = c.Write([]byte("x"))
			opError{"write", c.LocalAddr(), c.RemoteAddr(), os.ErrDeadlineExceeded}.check(t, err)
			noError(t, c.SetReadDeadline(time.Time{}))
			receive(t, c, "ady")
			if _, err = c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Write: %v", err)
			}
			noError(t, c.SetWriteDeadline(time.Now().Add(testLimit)))
			send(t, c, "x")
			receive(t, s, "x")
		}},
		{"deadline passes", func(t *testing.T, c, s conn) {
			noError(t, c.SetDeadline(time.Now().Add(5*time.Millisecond)))
			_, err := c.Read(make([]byte, 1))
			opError{"read", c.LocalAddr(), c.RemoteAddr(), os.ErrDeadlineExceeded}.check(t, err)
			opError{"write", c.LocalAddr(), c.RemoteAddr(), os.ErrDeadlineExceeded}.check(t, writeUntilError(c))
		}},
		{"deadline moves while blocked", func(t *testing.T, c, s conn) {
			noError(t, c.SetDeadline(time.Now().Add(time.Hour)))
			reading := blocked(func() error { _, err := c.Read(make([]byte, 1)); return err })
			writing := blocked(func() error { return writeUntilError(c) })
			io.ReadFull(s, make([]byte, 1<<16)) // both are at it
			noError(t, c.SetReadDeadline(long))
			opError{"read", c.LocalAddr(), c.RemoteAddr(), os.ErrDeadlineExceeded}.check(t, <-reading)
			noError(t, c.SetWriteDeadline(time.Now().Add(time.Millisecond)))
			opError{"write", c.LocalAddr(), c.RemoteAddr(), os.ErrDeadlineExceeded}.check(t, <-writing)
			noError(t, c.SetDeadline(time.Time{}))
			send(t, s, "x")
			receive(t, c, "x")
		}},
		{"deadline in the middle of a write", func(t *testing.T, c, s conn) {
			noError(t, c.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
			n, err := c.Write(make([]byte, 64<<20))
			opError{"write", c.LocalAddr(), c.RemoteAddr(), os.ErrDeadlineExceeded}.check(t, err)
			noError(t, c.CloseWrite())
			if got, err := io.Copy(io.Discard, s); err != nil || got != int64(n) {
				t.Errorf("Write returned %d, and the peer read %d, %v", n, got, err)
			}
		}},
		{"Close unblocks", func(t *testing.T, c, s conn) {
			reading := blocked(func() error { _, err := c.Read(make([]byte, 1)); return err })
			writing := blocked(func() error { return writeUntilError(c) })
			io.ReadFull(s, make([]byte, 1<<16))
			noError(t, c.Close())
			opError{"read", c.LocalAddr(), c.RemoteAddr(), net.ErrClosed}.check(t, <-reading)
			opError{"write", c.LocalAddr(), c.RemoteAddr(), net.ErrClosed}.check(t, <-writing)
		}},
		{"Close delivers", func(t *testing.T, c, s conn) {
			data := random(1 << 20)
			writing := blocked(func() error {
				_, err := c.Write(data)
				return errors.Join(err, c.Close())
			})
			if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
			}
			noError(t, <-writing)
		}},
		{"back-pressure", func(t *testing.T, c, s conn) {
			data := random(16 << 20)
			writing := blocked(func() error {
				n, err := c.Write(data)
				if n != len(data) && err == nil {
					err = io.ErrShortWrite
				}
				return errors.Join(err, c.CloseWrite())
			})
			got := make([]byte, len(data))
			for i := 0; i < len(got); {
				n, err := s.Read(got[i:min(len(got), i+100_000)])
				if err != nil {
					t.Fatal(err)
				}
				i += n
			}
			if !bytes.Equal(got, data) {
				t.Error("what was read is not what was written")
			}
			readError(t, s, io.EOF)
			noError(t, <-writing)
		}},
		{"writes are of one piece", func(t *testing.T, c, s conn) {
			const writers, size = 4, 1 << 20
			var wg sync.WaitGroup
			for i := range writers {
				wg.Go(func() {
					if n, err := c.Write(bytes.Repeat([]byte{byte(i)}, size)); n != size || err != nil {
						t.Errorf("Write = %d, %v", n, err)
					}
				})
			}
			go func() {
				wg.Wait()
				c.CloseWrite()
			}()
			got, err := io.ReadAll(s)
			if err != nil || len(got) != writers*size {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			for i := 0; i < len(got); i += size {
				if bytes.Count(got[i:i+size], got[i:i+1]) != size {
					t.Errorf("the write at %d has others in it", i)
				}
			}
		}},
		{"ReadFrom, WriteTo", func(t *testing.T, c, s conn) {
			data := random(1 << 20)
			writing := blocked(func() error {
				n, err := c.(io.ReaderFrom).ReadFrom(bytes.NewReader(data))
				if n != int64(len(data)) && err == nil {
					err = io.ErrShortWrite
				}
				return errors.Join(err, c.CloseWrite())
			})
			var got bytes.Buffer
			if n, err := s.(io.WriterTo).WriteTo(&got); n != int64(len(data)) || err != nil {
				t.Errorf("WriteTo = %d, %v", n, err)
			}
			if !bytes.Equal(got.Bytes(), data) {
				t.Error("what was read is not what was written")
			}
			noError(t, <-writing)
		}},
		{"settings", func(t *testing.T, c, s conn) {
			noError(t, c.SetNoDelay(false))
			noError(t, c.SetNoDelay(true))
			noError(t, c.SetKeepAlive(false))
			noError(t, c.SetKeepAlive(true))
			noError(t, c.SetKeepAlivePeriod(time.Minute))
			noError(t, c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: -1, Interval: time.Second}))
			noError(t, c.SetLinger(-1))
			noError(t, c.SetReadBuffer(1<<16))
			noError(t, c.SetWriteBuffer(1<<16))
			data := random(1 << 20)
			go func() {
				c.Write(data)
				c.Close()
			}()
			if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, w world) {
				c, s := w.pair(t)
				watch(t, c, s)
				test.run(t, c, s)
			})
		})
	}
}

// watch ends a test that hangs.
func watch(t *testing.T, conns ...conn) {
	stop := context.AfterFunc(patient(t), func() {
		for _, c := range conns {
			c.Close()
		}
	})
	t.Cleanup(func() {
		if !stop() {
			t.Error("the test had to be stopped")
		}
	})
}

// blocked calls f, which may take its time.
func blocked(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if n, err := io.WriteString(c, s); n != len(s) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
}

func receive(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

// readError expects that there is nothing to read but an error, of exactly this value.
func readError(t *testing.T, c net.Conn, want error) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != want {
		t.Errorf("Read = %d, %v; want %v", n, err, want)
	}
}

func writeUntilError(c net.Conn) error {
	b := make([]byte, 1<<16)
	for {
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}
