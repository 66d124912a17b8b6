package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The first byte of a connection says what it is for.
const (
	upload   = 'u' // the client writes, closes that direction and reads how many bytes have arrived
	download = 'd' // the server writes until the client has gone
)

// client uses sockets of the kernel, or to receive gVisor's stack, and prints its result.
func client(args []string) error {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	stack := flags.String("stack", "kernel", "kernel or gvisor")
	direction := flags.String("direction", "", "upload or download")
	length := flags.Duration("time", 0, "how long")
	streams := flags.Int("streams", 1, "connections")
	congestion := flags.String("congestion", "", "how the kernel controls congestion")
	stop := flags.Bool("stop", false, "give up what is under way when the time is over")
	flags.Parse(args)

	transfer := func(c net.Conn, until time.Time) (int64, error) { return send(c.(*net.TCPConn), until) }
	switch {
	case *direction == "download":
		transfer = receive
	case *stop:
		transfer = func(c net.Conn, until time.Time) (int64, error) { return sendAndStop(c.(*net.TCPConn), until) }
	}
	dial := func() (net.Conn, error) {
		dialer := net.Dialer{Timeout: patience / 2, Control: setCongestion(*congestion)}
		return dialer.Dial("tcp", service.String())
	}
	if *stack == "gvisor" {
		if *direction != "download" || *streams != 1 {
			return errors.New("gVisor only receives, by one connection")
		}
		dial = func() (net.Conn, error) {
			ctx, cancel := context.WithTimeout(context.Background(), patience/2)
			defer cancel()
			return dialGVisor(ctx, ethernet, gVisorClient, service)
		}
	}
	type outcome struct {
		bytes int64
		err   error
	}
	outcomes := make(chan outcome)
	var conns []net.Conn
	for range *streams {
		c, err := dial()
		if err != nil {
			return err
		}
		conns = append(conns, c)
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
	var sent int64
	for time.Now().Before(until) {
		n, err := c.Write(dataAt(sent))
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

// sendAndStop writes until a time, and returns how much the server's stack has acknowledged by then. On a slow
// link it would take long for the rest to arrive.
func sendAndStop(c *net.TCPConn, until time.Time) (int64, error) {
	c.SetLinger(0)
	c.SetWriteDeadline(until)
	if _, err := c.Write([]byte{upload}); err != nil {
		return 0, err
	}
	for sent := int64(0); ; {
		n, err := c.Write(dataAt(sent))
		sent += int64(n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return acknowledged(c)
		}
		if err != nil {
			return 0, err
		}
	}
}

// acknowledged is how many bytes of c's output the peer has acknowledged.
func acknowledged(c *net.TCPConn) (n int64, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	e := raw.Control(func(fd uintptr) {
		var info *unix.TCPInfo
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = int64(info.Bytes_acked)
		}
	})
	return n, errors.Join(e, err)
}

// receive reads until a time.
func receive(c net.Conn, until time.Time) (got int64, err error) {
	if c, ok := c.(*net.TCPConn); ok {
		c.SetLinger(0) // the rest is not wanted
	}
	if _, err := c.Write([]byte{download}); err != nil {
		return 0, err
	}
	c.SetReadDeadline(until)
	b := make([]byte, piece)
	for {
		n, err := c.Read(b)
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			return got, nil
		}
		if err == nil {
			err = verify(got, b[:n])
		}
		if err != nil {
			return 0, err
		}
		got += int64(n)
	}
}

// setCongestion returns what makes a socket use one of the kernel's congestion controls; empty: the one that it uses
// anyway.
func setCongestion(name string) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) (err error) {
		if name == "" {
			return nil
		}
		e := c.Control(func(fd uintptr) {
			err = os.NewSyscallError("TCP_CONGESTION", unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name))
		})
		return errors.Join(e, err)
	}
}
