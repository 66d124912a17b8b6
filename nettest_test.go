package ftcp_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"
)

// The conformance tests of golang.org/x/net, with each end in the part of c1.
func TestConn(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		if w.kernel() {
			t.Skip("the Go project's to test")
		}
		l := w.listen(t)
		for _, c1 := range []string{"client", "server"} {
			t.Run(c1, func(t *testing.T) {
				nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
					client, err := w.client.DialContext(patient(t), "tcp", l.Addr().String())
					if err != nil {
						return nil, nil, nil, err
					}
					server, err := l.Accept()
					if err != nil {
						client.Close()
						return nil, nil, nil, err
					}
					stop := func() {
						client.Close()
						server.Close()
					}
					if c1 == "client" {
						return client, server, stop, nil
					}
					return server, client, stop, nil
				})
			})
		}
	})
}
