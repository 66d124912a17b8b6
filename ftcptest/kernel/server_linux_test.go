package kernel_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp"
)

// A serverConfig says what a server process does.
type serverConfig struct {
	Handler string // in handlers
	Listen  string // the service address
	Dial    string // not empty: the server dials this address, see upload, and listens nowhere
	Size    int64  // of the upload, in bytes
	Bind    string // empty: a node that stands alone
	Peers   []string
	Secret  string // empty: the one that all have
	NoWake  bool
	Misses  int // zero: 10, since a busy machine is not a dead one
	Backlog int // zero: 16384
	History int // as Node.History
}

// handlers are servers as one would write them with package net.
var handlers = map[string]func(net.Listener) error{
	"digest": eachConn(digest),
	"echo":   eachConn(echo),
	"http":   serveHTTP,
}

// received counts the bytes that the handlers have read.
var received atomic.Int64

// runServer is the main function of a server process.
func runServer(text string) error {
	var config serverConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return err
	}
	n := &ftcp.Node{
		Group:   "test",
		Bind:    config.Bind,
		Peers:   config.Peers,
		NoWake:  config.NoWake,
		Misses:  cmp.Or(config.Misses, 10),
		Backlog: cmp.Or(config.Backlog, 16384),
		History: config.History,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if len(config.Peers) > 0 || config.Bind != "" {
		n.Secret = []byte(cmp.Or(config.Secret, "a secret that all servers of the tests share"))
	}
	if config.Dial != "" {
		n.LocalAddr = netip.MustParseAddrPort(config.Listen).Addr()
		go reportTo(os.Stdout, n)
		return uploadFrom(n, config.Dial, config.Size)
	}
	l, err := n.Listen("tcp", config.Listen)
	if err != nil {
		return err
	}
	go reportTo(os.Stdout, n)
	return handlers[config.Handler](l)
}

// reportTo writes what changes, for as long as the process lives.
func reportTo(w io.Writer, n *ftcp.Node) {
	enc := json.NewEncoder(w)
	var last report
	for tick := time.Tick(2 * time.Millisecond); ; {
		changed := n.Changed() // before Status, so that no change is missed
		stats := counters(n)
		r := report{Status: n.Status(), Received: received.Load(), BadChecksum: stats.BadChecksum.Load(),
			Packets: stats.Received.Load(), Cookies: stats.Cookies.Load()}
		r.Lag = 0
		if !reflect.DeepEqual(r, last) {
			enc.Encode(r)
			last = r
		}
		select {
		case <-tick:
		case <-changed:
		}
	}
}

// uploadFrom dials and sends what newUpload's run sends, then what it has been answered, and waits to be killed.
func uploadFrom(n *ftcp.Node, address string, size int64) error {
	c, err := n.DialContext(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	u := newUpload(c.(*ftcp.Conn), size)
	answer, err := u.run()
	if err != nil {
		return err
	}
	if !bytes.Equal(answer, u.sent) {
		return fmt.Errorf("the peer received %x, not %x", answer, u.sent)
	}
	received.Add(int64(len(answer)))
	select {}
}

func eachConn(handle func(net.Conn)) func(net.Listener) error {
	return func(l net.Listener) error {
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}
}

// A counter counts what is read from it.
type counter struct{ io.Reader }

func (c counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	received.Add(int64(n))
	return n, err
}

// digest sends the SHA-256 of all that it has received.
func digest(c net.Conn) {
	h := sha256.New()
	if _, err := io.CopyBuffer(h, counter{c}, make([]byte, 256<<10)); err == nil {
		c.Write(h.Sum(nil))
	}
}

// echo sends back what it receives.
func echo(c net.Conn) {
	b := make([]byte, 2<<10)
	for {
		n, err := counter{c}.Read(b)
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

// serveHTTP answers an upload with its SHA-256.
func serveHTTP(l net.Listener) error {
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		if _, err := io.Copy(h, counter{r.Body}); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%x\n", h.Sum(nil))
	}))
}
