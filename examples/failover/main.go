// Failover shows a TCP connection that outlives its server.
//
//	go run ./examples/failover
//
// starts two server processes and a client, each in a network namespace of its own.
// The client, which uses the TCP of the kernel, uploads a file and downloads it again, over
// one connection. Midway the active server is killed. What came back is compared
// with what was sent.
//
// It needs Linux, and root or the permission to make user namespaces. Where it has neither it
// runs in memory, with a client of ftcp's own.
//
//	go run ./examples/failover -size 1G -kill-at random
//	go run ./examples/failover -size 256M -rounds 5
//
// With -rounds, the server that was killed is started again each time, learns what its
// connection has received so far, and then the other one is killed.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// maxHistory is the most that a Node can keep of a connection's input.
const maxHistory = 1 << 30

// A config is what the flags say.
type config struct {
	size    size
	killAt  fraction
	rounds  int
	verbose bool
	history int    // Node.History
	secret  string // Node.Secret
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == serverArg {
		exit(server(os.Args[2:]))
	}
	cfg := config{size: 64 << 20, killAt: 0.25, rounds: 1, secret: rand.Text()}
	flag.Var(&cfg.size, "size", "`bytes` of the file, such as 64M or 1G")
	flag.Var(&cfg.killAt, "kill-at", "`when` to kill the active server: a fraction of the transfer from 0 to 1, or random")
	flag.IntVar(&cfg.rounds, "rounds", cfg.rounds, "how `many` times to kill")
	flag.BoolVar(&cfg.verbose, "v", false, "show the servers' logs")
	flag.Parse()
	exit(demonstrate(cfg))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func demonstrate(cfg config) error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case cfg.rounds < 1:
		return fmt.Errorf("-rounds is %d; there has to be one", cfg.rounds)
	case cfg.rounds > 1 && cfg.size+lengthSize > maxHistory:
		return fmt.Errorf("-rounds needs a -size below %v: so much of a connection's input can be kept for a server that joins later", size(maxHistory))
	case cfg.rounds > 1:
		cfg.history = int(cfg.size) + lengthSize
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	p, err := choose(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.close()
	return run(ctx, cfg, p)
}

func run(ctx context.Context, cfg config, p *place) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fmt.Println(p.what)
	if err := await(ctx, p.machines[0], protecting); err != nil {
		return err
	}
	fmt.Printf("active:  %v\nstandby: %v\n\n", p.machines[0], p.machines[1])

	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	context.AfterFunc(ctx, func() { conn.Close() })
	t := &transfer{conn: conn, size: int64(cfg.size)}
	k := newKiller(cfg, p, t)
	b := newBar(t)
	go b.run()
	go k.run(ctx, b)
	if err = t.run(); err != nil {
		cancel() // there may be nothing left to kill for
	}
	err = errors.Join(k.wait(), err)
	b.stop()
	fmt.Println()
	report(t, k, err)
	return err
}

// choose returns the best place that there is.
func choose(ctx context.Context, cfg config) (*place, error) {
	if err := netns.Reexec(); err != nil {
		fmt.Printf("without the kernel: %v\n", err)
		return memory(cfg)
	}
	return kernels(ctx, cfg)
}

// report prints what happened.
func report(t *transfer, k *killer, err error) {
	if err == nil {
		rate := float64(2*t.size) / t.took.Seconds() / 1e6
		fmt.Printf("one connection, %v up and %v down in %v (%.0f MB/s), no error\n\n", size(t.size), size(t.size), round(t.took), rate)
	}
	for _, took := range k.took {
		fmt.Printf("from the kill to the takeover   %v\n", round(took))
	}
	fmt.Printf("longest pause of the client     %v\n", round(t.pause))
	fmt.Printf("SHA-256 of what was sent        %x\n", t.sent)
	fmt.Printf("SHA-256 of what came back       %x\n", t.received)
}

// round makes a duration readable.
func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}
