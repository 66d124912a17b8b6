package ftcptest_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest"
)

func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

func TestKillInTransfer(t *testing.T) {
	begin := time.Now()
	synctest.Test(t, func(t *testing.T) {
		c := &ftcptest.Cluster{Serve: echo}
		if os.Getenv("VERBOSE") != "" {
			c.Logger = slog.Default()
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conn, err := c.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 1<<20)
		rand.NewChaCha8([32]byte{1}).Read(data)
		go func() {
			conn.Write(data[:len(data)/2])
			c.Active().Kill()
			conn.Write(data[len(data)/2:])
			conn.(interface{ CloseWrite() error }).CloseWrite()
		}()
		got, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, data) {
			t.Fatal("not the same")
		}
		conn.Close()
	})
	t.Log("real time:", time.Since(begin))
}
