package peerlink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestOtherSecret(t *testing.T) {
	for name, other := range map[string]*Keys{
		"secret": testKeys(t, "web", testSecret+"x"),
		"group":  testKeys(t, "mail", testSecret),
	} {
		t.Run(name, func(t *testing.T) {
			c, s := tcpPair(t)
			wait := async(func() (*Link, error) { return Server(t.Context(), s, other) })
			_, err := Client(t.Context(), c, testKeys(t, "web", testSecret))
			wantError(t, "client", err, "peerlink: the peer at "+s.LocalAddr().String()+" has another secret")
			_, err = wait()
			wantError(t, "server", err, "peerlink: the peer at "+c.LocalAddr().String()+" did not accept our key", "secret")
			wantClosed(t, c, s)
		})
	}
}

// A client that accepts any server learns only after its own handshake that the
// server refuses it, even if it cannot send any more by then.
func TestOtherSecretRefusedByServer(t *testing.T) {
	for _, reset := range []bool{false, true} {
		c, s := tcpPair(t)
		wait := async(func() (*Link, error) { return Server(t.Context(), s, testKeys(t, "web", testSecret)) })

		careless := testKeys(t, "web", testSecret+"x").clientTLS()
		careless.VerifyConnection = nil
		raw := newRecordConn(c)
		l, err := newLink(t.Context(), raw, tls.Client(raw, careless), false)
		if err != nil {
			t.Fatal(err)
		}
		_, err = wait()
		wantError(t, "server", err, "has another secret")
		if reset {
			raw.Conn = brokenConn{c}
		}
		_, err = l.Hello(t.Context(), testHello("a"))
		wantError(t, "client", err, "did not accept our key")
		if ClosedByPeer(err) {
			t.Errorf("%v passes for the death of the peer", err)
		}
	}
}

// Who has the group's certificate, which is no secret, but not its key.
func TestStolenCertificate(t *testing.T) {
	c, s := tcpPair(t)
	keys := testKeys(t, "web", testSecret)
	thief := testKeys(t, "web", testSecret+"x")
	thief.link.Certificate = keys.link.Certificate
	thief.pin = keys.pin
	wait := async(func() (*Link, error) { return Server(t.Context(), s, thief) })
	if _, err := Client(t.Context(), c, keys); err == nil {
		t.Error("client accepted")
	}
	if _, err := wait(); err == nil {
		t.Error("server accepted")
	}
}

func TestPeerWithoutCertificate(t *testing.T) {
	c, s := tcpPair(t)
	wait := async(func() (*Link, error) { return Server(t.Context(), s, testKeys(t, "web", testSecret)) })
	anonymous := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	if err := anonymous.Handshake(); err != nil {
		t.Fatal(err)
	}
	_, err := wait()
	wantError(t, "server", err, "peerlink: handshake with "+c.LocalAddr().String(), "certificate")
	wantClosed(t, s)
}

func TestPeerWithOlderTLS(t *testing.T) {
	c, s := tcpPair(t)
	keys := testKeys(t, "web", testSecret)
	wait := async(func() (*Link, error) { return Server(t.Context(), s, keys) })
	old := keys.clientTLS()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if err := tls.Client(c, old).Handshake(); err == nil {
		t.Error("TLS 1.2 accepted")
	}
	_, err := wait()
	wantError(t, "server", err, "peerlink: handshake with", "version")
}

// shake is Server or Client.
func shake(server bool) func(context.Context, net.Conn, *Keys) (*Link, error) {
	if server {
		return Server
	}
	return Client
}

func TestPeerWithoutTLS(t *testing.T) {
	for _, said := range []string{"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "\x00\x00\x00\x00\x00\x00\x00", "\x16\x03\x01\xff\xff garbage"} {
		for _, server := range []bool{false, true} {
			t.Run(fmt.Sprintf("%q to server=%v", said, server), func(t *testing.T) {
				c, s := tcpPair(t)
				if _, err := c.Write([]byte(said)); err != nil {
					t.Fatal(err)
				}
				_, err := shake(server)(t.Context(), s, testKeys(t, "web", testSecret))
				wantError(t, "link", err, "peerlink: ", c.LocalAddr().String(), "tls: ")
				wantClosed(t, s)
			})
		}
	}
}

func TestPeerClosesInHandshake(t *testing.T) {
	for _, said := range []string{"", "\x16", "\x16\x03\x01\x00\x10abc"} {
		c, s := tcpPair(t)
		c.Write([]byte(said))
		c.Close()
		_, err := Server(t.Context(), s, testKeys(t, "web", testSecret))
		wantError(t, "server", err, "peerlink: handshake with", "EOF")
	}
}

func TestSilentPeer(t *testing.T) {
	for _, server := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, s := pipePair(t)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := shake(server)(ctx, s, testKeys(t, "web", testSecret))
			if !errors.Is(err, context.DeadlineExceeded) || ClosedByPeer(err) {
				t.Errorf("server=%v: %v", server, err)
			}
			if d := time.Since(start); d != time.Second {
				t.Errorf("server=%v: gave up after %v", server, d)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("server=%v: not closed: %v", server, err)
			}
		})
	}
}
