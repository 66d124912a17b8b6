package ftcp_test

import (
	"context"
	"io"
	"log"
	"net"
	"os"
	"os/signal"

	"github.com/ftcp-project/ftcp"
)

// An echo server. With FTCP_PEERS and FTCP_SECRET set, on two machines, its connections
// outlive either.
func Example() {
	l, err := ftcp.Listen("tcp", "10.0.0.5:7000")
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

// A node with fields instead of environment variables. The same program runs on both
// machines. On an interrupt it leaves in order: the other node goes on with its
// connections.
func ExampleNode() {
	node := &ftcp.Node{
		Group:  "orders",
		Secret: []byte(os.Getenv("SECRET")),
		Peers:  []string{"10.0.0.11", "10.0.0.12"},
	}
	l, err := node.Listen("tcp", "10.0.0.5:7000")
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, func() { node.Close() })
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func(c net.Conn) {
			defer c.Close()
			io.Copy(c, c)
		}(c)
	}
}
