package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// A contender is one of those that transfer over the same link.
type contender struct {
	stack      string // of the server
	congestion string // of the sender
}

// senders send to the kernel, receivers receive from it.
var (
	senders = []contender{
		{"kernel", "cubic"}, {"kernel", "reno"}, {"kernel", "bbr"}, {"gvisor", "cubic"}, {"ftcp", "cubic"}, {"ftcp", "reno"},
		{"ftcp", "bbr"},
	}
	receivers = []contender{
		{"kernel", "cubic"}, {"gvisor", "cubic"}, {"ftcp", "cubic"},
		{"kernel", "reno"}, {"gvisor", "reno"}, {"ftcp", "reno"},
		{"kernel", "bbr"}, {"gvisor", "bbr"}, {"ftcp", "bbr"},
	}
)

// compareFar measures over long links.
func compareFar(args []string) error {
	flags := flag.NewFlagSet("far", flag.ExitOnError)
	var (
		length   = flags.Duration("time", 6*time.Second, "how long each transfer lasts")
		rounds   = flags.Int("rounds", 3, "how many times each transfer is repeated")
		rate     = flags.Int64("rate", 50, "Mbit/s of the links")
		parallel = flags.Int("parallel", 3, "how many transfers there are at the same time, each over a link of its own")
		over     = flags.String("links", someLinks, "what to measure over: round trip/lost/reordered, in per cent, separated by commas; or all")
		only     = flags.String("direction", "", "measure only this one: upload or download")
		peer     = flags.String("peer", "kernel", "the client's stack: kernel, or gvisor, which is only sent to")
		dispatch = flags.String("gvisor", "recvmmsg", "how gVisor receives: recvmmsg or packetmmap")
	)
	flags.Parse(args)
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *length <= 0 || *length > time.Minute:
		return fmt.Errorf("-time has to be at most a minute")
	case *rounds <= 0 || *parallel <= 0 || *rate <= 0 || *rate > 1000:
		return fmt.Errorf("-rounds, -parallel and -rate have to be positive, and -rate at most 1000")
	case *only != "" && !slices.Contains(directions, *only):
		return fmt.Errorf("-direction has to be upload or download")
	case *peer != "kernel" && *peer != "gvisor":
		return fmt.Errorf("-peer has to be kernel or gvisor")
	}
	if *peer == "gvisor" {
		*only = "download"
	}
	links, err := parseLinks(*over, *rate*1e6)
	if err != nil {
		return err
	}
	tables := map[string]*farTable{"download": {contenders: senders}, "upload": {contenders: receivers}}
	if *only != "" {
		tables = map[string]*farTable{*only: tables[*only]}
	}
	for _, l := range links {
		for round := range *rounds {
			for _, direction := range directions {
				t := tables[direction]
				if t == nil {
					continue
				}
				r := run{client: *peer, direction: direction, length: *length, streams: 1, dispatch: *dispatch, stop: true}
				if err := t.measure(l, r, round, *parallel); err != nil {
					return err
				}
			}
		}
	}
	if t := tables["download"]; t != nil {
		fmt.Printf("\nMbit/s to %s\n", map[string]string{"kernel": "the kernel", "gvisor": "gVisor"}[*peer])
		t.print(os.Stdout)
	}
	if t := tables["upload"]; t != nil {
		fmt.Println("\nMbit/s from the kernel")
		t.print(os.Stdout)
	}
	return nil
}

// measure lets the contenders transfer over equal links with equal luck.
func (t *farTable) measure(l link, r run, round, parallel int) error {
	results := make([]result, len(t.contenders))
	errs := make([]error, len(t.contenders))
	var running sync.WaitGroup
	free := make(chan struct{}, parallel)
	for i := range t.contenders {
		i := (i + round) % len(t.contenders) // nobody is always first
		free <- struct{}{}
		running.Go(func() {
			results[i], errs[i] = t.contenders[i].measure(l, r, uint64(round))
			<-free
		})
	}
	running.Wait()
	for i, c := range t.contenders {
		if errs[i] != nil {
			return fmt.Errorf("%s, %s, %s, %v: %w", c.stack, c.congestion, r.direction, l, errs[i])
		}
		fmt.Fprintf(os.Stderr, "round %d: %-8s %v: %-6s %-5s %6.2f Mbit/s\n", round+1, r.direction, l, c.stack, c.congestion, results[i].mbits())
	}
	t.add(l, results)
	return nil
}

func (c contender) measure(l link, r run, seed uint64) (result, error) {
	b, err := newBench(c.stack, &l, seed)
	if err != nil {
		return result{}, err
	}
	defer b.close()
	if r.direction == "download" {
		r.serverCongestion = c.congestion
	} else {
		r.clientCongestion = c.congestion
	}
	return b.measure(r)
}
