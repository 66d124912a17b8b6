package kernel_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"time"
)

// See doc.go for the whole acceptance.
var (
	runs      = flag.Int("failover.runs", 3, "how many uploads to kill the active server in")
	megabytes = flag.Int64("failover.size", 64, "size of an upload in `MiB`")
	patience  = flag.Duration("failover.patience", never, "the longest that one step of a test with real kernels may take")
)

// An upload is a client that sends random bytes.
type upload struct {
	conn    uploadConn
	size    int64
	at      int64 // where reached is closed: at a random place
	reached chan struct{}

	sent  []byte        // SHA-256
	pause time.Duration // the longest that a Write took
}

// uploadConn is a connection of package net or of ftcp.
type uploadConn interface {
	net.Conn
	CloseWrite() error
}

func newUpload(c uploadConn, size int64) *upload {
	return &upload{conn: c, size: size, at: rand.Int64N(size), reached: make(chan struct{})}
}

// run sends everything, and returns what the server answers.
func (u *upload) run() (answer []byte, err error) {
	random, h := rand.NewChaCha8([32]byte{1}), sha256.New()
	b := make([]byte, 64<<10)
	for done := int64(0); done < u.size; {
		if b = b[:min(int64(len(b)), u.size-done)]; done <= u.at && u.at < done+int64(len(b)) {
			close(u.reached)
		}
		random.Read(b)
		h.Write(b)
		begin := time.Now()
		n, err := u.conn.Write(b)
		if err != nil {
			return nil, err
		}
		u.pause = max(u.pause, time.Since(begin))
		done += int64(n)
	}
	u.sent = h.Sum(nil)
	if err := u.conn.CloseWrite(); err != nil {
		return nil, err
	}
	return io.ReadAll(u.conn)
}

// runWith runs the upload, and from the random place on does something else, too. The server has to have received what
// was sent.
func (u *upload) runWith(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error, 1)
	var answer []byte
	go func() {
		var err error
		answer, err = u.run()
		done <- err
	}()
	select {
	case <-u.reached:
	case err := <-done:
		t.Fatalf("the client ended early: %v", err)
	}
	f()
	if err := <-done; err != nil {
		t.Fatalf("the client saw an error: %v", err)
	}
	if !bytes.Equal(answer, u.sent) {
		t.Fatalf("the server received %x, the client sent %x", answer, u.sent)
	}
	t.Logf("SHA-256 %x, equal; disturbed at %d of %d bytes; longest pause %v", answer[:8], u.at, u.size, u.pause.Round(time.Millisecond))
}

// The process of the active node is killed.
func TestFailoverKill(t *testing.T) {
	for range *runs {
		l := startPair(t, serverConfig{Handler: "digest"})
		u := newUpload(l.dial(), *megabytes<<20)
		l.servers[0].awaitThat("protecting", protects(1))
		u.runWith(t, l.servers[0].kill)
		l.servers[0].kill()
		l.servers[1].kill()
	}
}

// The servers dial a server of the kernel's, and send; the process of the active node is killed. The kernel sees one
// connection, whole, and what it answers arrives.
func TestFailoverDial(t *testing.T) {
	const size = 64 << 20
	for _, test := range []struct {
		from, to string
		far      bool // behind a router
	}{
		{from: "10.0.0.5:7000", to: "10.0.0.1:9000"},
		{from: "[fd00::5]:7000", to: "[fd00::1]:9000"},
		{from: "10.0.0.5:7000", to: "10.9.1.1:9000", far: true},
		{from: "[fd00::5]:7000", to: "[fd09:1::1]:9000", far: true},
	} {
		lab := newLab(t, serverConfig{Listen: test.from, Dial: test.to, Size: size})
		at := lab.client.Namespace
		if test.far {
			at = newFar(lab).machine
		}
		l := listenAt(t, at, test.to)
		w := lab.tap(resets)
		lab.start(0)
		lab.servers[0].await("active")
		c, err := l.Accept()
		check(t, err)
		c.SetDeadline(time.Now().Add(*patience))
		h := sha256.New()
		early := rand.Int64N(size / 2)
		_, err = io.CopyN(h, c, early)
		check(t, err)
		lab.start(1)
		lab.servers[0].awaitThat("in sync", inSync)
		_, err = io.CopyN(h, c, rand.Int64N(size/4))
		check(t, err)
		lab.servers[0].awaitThat("protecting", protects(1))
		lab.servers[0].kill()
		rest, err := io.Copy(h, c)
		check(t, err)
		t.Logf("a standby after %d bytes, killed %d before the end", early, rest)
		_, err = c.Write(h.Sum(nil))
		check(t, err)
		check(t, c.(*net.TCPConn).CloseWrite())
		lab.servers[1].awaitThat("satisfied with the answer", func(r report) bool { return r.Received == sha256.Size })
		w.none("a reset")
	}
}

func TestFailoverKillIPv6(t *testing.T) {
	l := startPair(t, serverConfig{Handler: "digest", Listen: "[fd00::5]:7000"})
	u := newUpload(l.dial(), 16<<20)
	l.servers[0].awaitThat("protecting", protects(1))
	u.runWith(t, l.servers[0].kill)
}

// The machine of the active node loses its network. When it has it again, its node becomes the
// standby of the other.
func TestFailoverUnplug(t *testing.T) {
	l := startPair(t, serverConfig{Handler: "digest"})
	w := l.tap(resets)
	u := newUpload(l.dial(), 64<<20)
	l.servers[0].awaitThat("protecting", protects(1))
	u.runWith(t, func() {
		check(t, l.hosts[0].Unplug())
		l.servers[1].await("active")
		check(t, l.hosts[0].Plug())
	})
	l.servers[0].await("standby")
	w.none("a reset")
}

// The process of the active node is stopped for as long as the other one needs to take over, and
// then goes on where it was.
func TestFailoverStop(t *testing.T) {
	l := startPair(t, serverConfig{Handler: "digest"})
	w := l.tap(resets)
	u := newUpload(l.dial(), 64<<20)
	l.servers[0].awaitThat("protecting", protects(1))
	u.runWith(t, func() {
		l.servers[0].signal(syscall.SIGSTOP)
		l.servers[1].await("active")
		l.servers[0].signal(syscall.SIGCONT)
	})
	l.servers[0].await("standby")
	l.servers[1].awaitThat("in sync", inSync)
	w.none("a reset")
}
