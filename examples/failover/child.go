package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strconv"
	"time"

	"github.com/ftcp-project/ftcp"
)

// serverArg makes this program one of the two servers.
const serverArg = "server"

// server serves, and writes the node's status to standard output whenever it changes.
func server(args []string) error {
	if len(args) != 5 {
		return errors.New("this is how the demonstration starts its servers; run it without " + serverArg)
	}
	name, addr, peer, history, verbose := args[0], args[1], args[2], args[3], args[4]
	log := slog.New(slog.DiscardHandler)
	if verbose == "true" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("machine", name)
	}
	keep, err := strconv.Atoi(history)
	if err != nil {
		return err
	}
	// Without the report, ftcp.Listen and FTCP_* variables would do.
	n := &ftcp.Node{
		Group:   "demonstration",
		Secret:  []byte(os.Getenv("FTCP_SECRET")),
		Bind:    addr,
		Peers:   []string{peer},
		History: keep,
		Logger:  log,
	}
	go reportStatus(n, os.Stdout)
	l, err := n.Listen("tcp", service)
	if err != nil {
		return err
	}
	serve(l)
	return nil
}

// reportStatus ends when the program does.
func reportStatus(n *ftcp.Node, w io.Writer) {
	var last ftcp.Status
	enc := json.NewEncoder(w)
	for range time.Tick(time.Millisecond) {
		s := n.Status()
		s.Lag = 0
		if !reflect.DeepEqual(s, last) {
			enc.Encode(s)
			last = s
		}
	}
}
