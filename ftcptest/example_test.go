package ftcptest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// A unit test that kills the active node in the middle of a transfer. Within testing/synctest it
// takes milliseconds.
func ExampleCluster() {
	serve := func(l net.Listener) { // the server under test
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
	cluster := &ftcptest.Cluster{Serve: serve}
	if err := cluster.Start(); err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	conn, err := cluster.Dial(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() {
		conn.Write(sent[:len(sent)/2])
		cluster.Active().Kill()
		conn.Write(sent[len(sent)/2:])
		conn.(*ftcp.Conn).CloseWrite()
	}()
	received, err := io.ReadAll(conn)
	fmt.Println(len(received), bytes.Equal(received, sent), err)
	// Output: 1048576 true <nil>
}
