package kernel_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An upload by HTTP to a server of package net/http that knows nothing of ftcp but its listener.
func TestFailoverHTTP(t *testing.T) {
	const size = 64 << 20
	file, want := randomFile(t, size)
	url := "http://10.0.0.5:7000/"
	for _, client := range []struct {
		name string
		put  func(l *lab) (answer string, err error)
	}{
		{"curl", func(l *lab) (string, error) { return putWithCurl(l, file, url) }},
		{"net-http", func(l *lab) (string, error) { return put(t.Context(), l, file, url) }},
	} {
		t.Run(client.name, func(t *testing.T) {
			if _, err := exec.LookPath("curl"); err != nil && client.name == "curl" {
				t.Skip(err)
			}
			l := startPair(t, serverConfig{Handler: "http"})
			type result struct {
				answer string
				err    error
			}
			done := make(chan result, 1)
			go func() {
				answer, err := client.put(l)
				done <- result{answer, err}
			}()
			at := 1 + rand.Int64N(size/2)
			l.servers[0].awaitThat("midway", func(r report) bool { return r.Received >= at })
			l.servers[0].kill()
			r := <-done
			check(t, r.err)
			if r.answer != want {
				t.Errorf("the survivor received %s, the client sent %s", r.answer, want)
			}
			t.Logf("killed at %d of %d bytes", at, size)
		})
	}
}

// randomFile makes a file, and returns its name and what the server says of it.
func randomFile(t *testing.T, size int64) (name, digest string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "upload")
	f, err := os.Create(name)
	check(t, err)
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{2}), size)
	check(t, err)
	check(t, f.Close())
	return name, fmt.Sprintf("%x\n", h.Sum(nil))
}

// putWithCurl uploads a file with curl -T, and returns the answer.
func putWithCurl(l *lab, file, url string) (string, error) {
	var answer, stderr strings.Builder
	cmd := exec.Command("curl", "-sS", "--fail", "--max-time", fmt.Sprint(patience.Seconds()), "-T", file, url)
	cmd.Stdout, cmd.Stderr = &answer, &stderr
	if err := l.client.Start(cmd); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("curl: %w: %s", err, &stderr)
	}
	return answer.String(), nil
}

// put is putWithCurl with package net/http.
func put(ctx context.Context, l *lab, file, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, *patience)
	defer cancel()
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	req, err := http.NewRequestWithContext(ctx, "PUT", url, f)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DialContext: l.dialContext}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return string(answer), err
}

// dialContext dials from the client's machine, whatever goroutine calls it.
func (l *lab) dialContext(ctx context.Context, network, addr string) (c net.Conn, err error) {
	err = l.client.Do(func() error {
		c, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return c, err
}
