// Echo is a server whose connections outlive the machine that it runs on. It differs
// from one that does not in a single word: ftcp.Listen instead of net.Listen.
//
// Alone, on an address of this machine (it needs CAP_NET_RAW):
//
//	go build ./examples/echo
//	sudo ./echo -listen 127.0.0.1:7000
//
// On two machines, say 10.0.0.11 and 10.0.0.12, for clients of 10.0.0.5, an address of
// the same network that no machine has:
//
//	export FTCP_SECRET=...                      # the same on both: openssl rand -hex 32
//	export FTCP_PEERS=10.0.0.11,10.0.0.12       # both, on both
//	sudo -E ./echo -listen 10.0.0.5:7000
//
// Then, from a third one, nc 10.0.0.5 7000; kill the server that logged that it is
// active, or pull its plug; and go on typing.
package main

import (
	"flag"
	"io"
	"log"
	"net"

	"github.com/ftcp-project/ftcp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7000", "`address` to serve")
	flag.Parse()

	l, err := ftcp.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(c)
	}
}

// echo runs on both machines, on the same input, and has to write the same output.
func echo(c net.Conn) {
	defer c.Close()
	if _, err := io.Copy(c, c); err != nil {
		log.Print(err)
	}
}
