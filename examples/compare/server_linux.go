package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/pprof"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/stack/tcp"
)

// server listens with one of the stacks until its standard input ends.
func server(args []string) (err error) {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	stack := flags.String("stack", "", "which one")
	dispatch := flags.String("gvisor", "", "how gVisor receives")
	node := flags.String("node", "", "this node's address")
	peer := flags.String("peer", "", "the other node's address")
	congestion := flags.String("congestion", "", "how the stack controls congestion")
	profile := flags.String("cpuprofile", "", "file")
	flags.Parse(args)

	quiet := slog.New(slog.DiscardHandler)
	var l net.Listener
	var ftcpNode *ftcp.Node
	switch *stack {
	case "kernel":
		config := net.ListenConfig{Control: setCongestion(*congestion)}
		l, err = config.Listen(context.Background(), "tcp", service.String())
	case "gvisor":
		l, err = listenGVisor(ethernet, service, *dispatch, *congestion)
	case "ftcp":
		ftcpNode = &ftcp.Node{Logger: quiet}
		switch *congestion {
		case "reno":
			ftcpNode.Congestion = tcp.NewReno
		case "bbr":
			ftcpNode.Congestion = tcp.NewBBR
		}
	case "standby":
		ftcpNode = &ftcp.Node{
			Secret: []byte("only for measurements"), Bind: *node, Peers: []string{*peer}, Logger: quiet,
		}
	default:
		err = fmt.Errorf("no stack %q", *stack)
	}
	if ftcpNode != nil {
		l, err = ftcpNode.Listen("tcp", service.String())
	}
	if err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	go accept(l)
	fmt.Println("listening")
	if *node != "" {
		for !ftcpNode.Status().InSync {
			time.Sleep(time.Millisecond)
		}
		fmt.Println("in sync")
	}
	io.Copy(io.Discard, os.Stdin)
	if ftcpNode != nil && ftcpNode.Status().Released > 0 {
		return errors.New("a connection has lost its protection, so that this measured something else")
	}
	return nil
}

func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			if err := serve(c); err != nil {
				fmt.Fprintln(os.Stderr, "server:", err)
				os.Exit(1)
			}
		}()
	}
}

// serve is a function of what the client sends, so that a standby can do the same. Its error means that what
// has arrived is not what was sent.
func serve(c net.Conn) error {
	defer c.Close()
	b := make([]byte, piece)
	if _, err := io.ReadFull(c, b[:1]); err != nil {
		return nil
	}
	if b[0] == download {
		for sent := int64(0); ; {
			n, err := c.Write(dataAt(sent))
			if err != nil {
				return nil
			}
			sent += int64(n)
		}
	}
	var got int64
	for {
		n, err := c.Read(b)
		if err := verify(got, b[:n]); err != nil {
			return err
		}
		got += int64(n)
		if err != nil {
			break
		}
	}
	c.Write(binary.BigEndian.AppendUint64(nil, uint64(got)))
	return nil
}
