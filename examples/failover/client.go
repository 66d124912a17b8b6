package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

// patience is for how long nothing may happen before the demonstration fails.
const patience = 20 * time.Second

// A transfer is what the client does: it sends size random bytes and reads them
// back, over one connection.
type transfer struct {
	conn net.Conn
	size int64

	// before is called each time before something is sent or received, with the
	// number of bytes that have been so far.
	before func(done int64)

	done  atomic.Int64  // bytes sent and received; 2*size at the end
	pause time.Duration // the longest that one Write or Read took
	took  time.Duration // all of it

	sent, received []byte // SHA-256
	chunk          [64 << 10]byte
}

// run does all of it, and compares.
func (t *transfer) run() error {
	begin := time.Now()
	if err := t.upload(); err != nil {
		return fmt.Errorf("the client had sent %v: %w", size(t.done.Load()), err)
	}
	digest, err := t.download()
	if err != nil {
		return fmt.Errorf("the client had received %v: %w", size(t.done.Load()-t.size), err)
	}
	t.took = time.Since(begin)
	switch {
	case !bytes.Equal(t.sent, t.received):
		return errors.New("what came back is not what was sent")
	case !bytes.Equal(t.sent, digest):
		return fmt.Errorf("what the server received is not what was sent: it says %x", digest)
	}
	return nil
}

func (t *transfer) upload() error {
	var seed [32]byte
	rand.Read(seed[:])
	random, digest := mathrand.NewChaCha8(seed), sha256.New()

	if _, err := t.conn.Write(binary.BigEndian.AppendUint64(nil, uint64(t.size))); err != nil {
		return err
	}
	for left := t.size; left > 0; {
		b := t.chunk[:min(left, int64(len(t.chunk)))]
		random.Read(b)
		digest.Write(b)
		n, err := t.step(t.conn.Write, b)
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	t.sent = digest.Sum(nil)
	return nil
}

// download returns what the server says is the SHA-256 of what it received.
func (t *transfer) download() (says []byte, err error) {
	digest := sha256.New()
	for left := t.size; left > 0; {
		n, err := t.step(t.conn.Read, t.chunk[:min(left, int64(len(t.chunk)))])
		digest.Write(t.chunk[:n])
		if err != nil {
			return nil, err
		}
		left -= int64(n)
	}
	t.received = digest.Sum(nil)
	_, err = t.step(func([]byte) (int, error) {
		says, err = io.ReadAll(t.conn)
		return 0, err
	}, nil)
	return says, err
}

// step writes or reads.
func (t *transfer) step(do func([]byte) (int, error), b []byte) (int, error) {
	t.before(t.done.Load())
	begin := time.Now()
	t.conn.SetDeadline(begin.Add(patience))
	n, err := do(b)
	t.pause = max(t.pause, time.Since(begin))
	t.done.Add(int64(n))
	return n, err
}
