package ftcp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
)

// net/http, of which neither side knows that it is not package net below.
func TestHTTP(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		testHTTP(t, w, false)
	})
}

// The same over TLS.
func TestHTTPS(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		testHTTP(t, w, true)
	})
}

func testHTTP(t *testing.T, w world, secure bool) {
	slow, gone := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	mux.HandleFunc("GET /zeros", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 10<<20)) })
	mux.HandleFunc("POST /sum", func(w http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		n, err := io.Copy(hash, r.Body)
		fmt.Fprintf(w, "%d %x %v", n, hash.Sum(nil), err)
	})
	mux.HandleFunc("POST /refuse", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-slow
		io.WriteString(w, "done")
	})
	mux.HandleFunc("GET /gone", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done() // the client goes away
		close(gone)
	})
	server := httptest.NewUnstartedServer(mux)
	server.Listener.Close()
	server.Listener = w.listen(t)
	server.EnableHTTP2 = false
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	defer server.Close()
	transport := &http.Transport{DialContext: w.client.DialContext, ExpectContinueTimeout: testLimit}
	if secure {
		transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		transport.TLSClientConfig.ServerName = "example.com"
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: testLimit}

	do := func(method, path string, body []byte, header ...string) (status int, answer string, reused bool) {
		t.Helper()
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
		})
		r, err := http.NewRequestWithContext(ctx, method, server.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		return resp.StatusCode, string(b), reused
	}

	if status, answer, reused := do("GET", "/hello", nil); status != 200 || answer != "hello" || reused {
		t.Errorf("GET: %d %q, reused %v", status, answer, reused)
	}
	if status, answer, reused := do("GET", "/hello", nil); status != 200 || answer != "hello" || !reused {
		t.Errorf("second GET: %d %q, reused %v", status, answer, reused)
	}
	if status, answer, _ := do("GET", "/zeros", nil); status != 200 || answer != string(make([]byte, 10<<20)) {
		t.Errorf("GET of 10 MiB: %d, %d bytes", status, len(answer))
	}
	body := random(10 << 20)
	want := fmt.Sprintf("%d %x <nil>", len(body), sha256.Sum256(body))
	if status, answer, reused := do("POST", "/sum", body); status != 200 || answer != want || !reused {
		t.Errorf("POST: %d %q, reused %v; want %q", status, answer, reused, want)
	}
	if status, answer, _ := do("POST", "/sum", body, "Expect", "100-continue"); status != 200 || answer != want {
		t.Errorf("POST that is expected: %d %q; want %q", status, answer, want)
	}
	if status, _, _ := do("POST", "/refuse", body, "Expect", "100-continue"); status != http.StatusForbidden {
		t.Errorf("POST that is refused: %d", status)
	}

	// The server learns that a client has gone.
	ctx, cancel := context.WithCancel(context.Background())
	r, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/gone", nil)
	if resp, err := client.Do(r); err != nil {
		t.Fatal(err)
	} else {
		cancel()
		resp.Body.Close()
	}
	<-gone

	// Shutdown waits for the request that is under way, and takes no other.
	resp, err := client.Get(server.URL + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	server.Config.RegisterOnShutdown(func() { close(closed) })
	shutdown := blocked(func() error { return server.Config.Shutdown(patient(t)) })
	<-closed
	if _, err := client.Get(server.URL + "/hello"); err == nil {
		t.Error("a server that shuts down has answered")
	}
	close(slow)
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "done" {
		t.Errorf("what was under way ended with %q, %v", b, err)
	}
	resp.Body.Close()
	noError(t, <-shutdown)
}

// Bare TLS, with its close_notify and half-close.
func TestTLS(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	everywhere(t, func(t *testing.T, w world) {
		c, s := w.pair(t)
		config := certs.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.ServerName = "example.com"
		client := tls.Client(c, config)
		server := tls.Server(s, certs.TLS)
		data := random(4 << 20)
		writing := blocked(func() error {
			_, err := client.Write(data)
			return errors.Join(err, client.CloseWrite())
		})
		echoing := blocked(func() error {
			_, err := io.Copy(server, server)
			return errors.Join(err, server.Close())
		})
		got, err := io.ReadAll(client)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
		}
		noError(t, <-writing)
		noError(t, <-echoing)
		if err := client.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
}
