package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// piece is how much both sides read and write per call.
const piece = 256 << 10

// The first byte of a connection says what it is for.
const (
	upload   = 'u' // the client writes, closes that direction and reads how many bytes have arrived
	download = 'd' // the server writes until the client has gone
)

// client uses sockets of the kernel, and prints its result.
func client(args []string) error {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	direction := flags.String("direction", "", "upload or download")
	length := flags.Duration("time", 0, "how long")
	streams := flags.Int("streams", 1, "connections")
	flags.Parse(args)

	transfer := send
	if *direction == "download" {
		transfer = receive
	}
	type outcome struct {
		bytes int64
		err   error
	}
	outcomes := make(chan outcome)
	var conns []*net.TCPConn
	for range *streams {
		c, err := net.DialTimeout("tcp", service.String(), patience/2)
		if err != nil {
			return err
		}
		conns = append(conns, c.(*net.TCPConn))
	}
	begin := time.Now()
	for _, c := range conns {
		go func() {
			defer c.Close()
			c.SetDeadline(begin.Add(*length + patience/2))
			n, err := transfer(c, begin.Add(*length))
			outcomes <- outcome{n, err}
		}()
	}
	var res result
	var errs []error
	for range conns {
		o := <-outcomes
		res.Bytes += o.bytes
		errs = append(errs, o.err)
	}
	res.Elapsed = time.Since(begin)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(res)
}

// send writes until a time, and returns when and how much the server's application has read.
func send(c *net.TCPConn, until time.Time) (int64, error) {
	if _, err := c.Write([]byte{upload}); err != nil {
		return 0, err
	}
	b := make([]byte, piece)
	var sent int64
	for time.Now().Before(until) {
		n, err := c.Write(b)
		if err != nil {
			return 0, err
		}
		sent += int64(n)
	}
	if err := c.CloseWrite(); err != nil {
		return 0, err
	}
	answer := make([]byte, 8)
	if _, err := io.ReadFull(c, answer); err != nil {
		return 0, err
	}
	if got := int64(binary.BigEndian.Uint64(answer)); got != sent {
		return 0, fmt.Errorf("of %d bytes %d arrived", sent, got)
	}
	return sent, nil
}

// receive reads until a time.
func receive(c *net.TCPConn, until time.Time) (got int64, err error) {
	c.SetLinger(0) // the rest is not wanted
	if _, err := c.Write([]byte{download}); err != nil {
		return 0, err
	}
	b := make([]byte, piece)
	for time.Now().Before(until) {
		n, err := c.Read(b)
		if err != nil {
			return 0, err
		}
		got += int64(n)
	}
	return got, nil
}
