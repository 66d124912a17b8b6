package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

func main() {
	// The program is also the processes that it starts.
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "server":
			exit(server(os.Args[2:]))
		case "client":
			exit(client(os.Args[2:]))
		}
	}
	if err := netns.Reexec(); err != nil {
		exit(err)
	}
	if len(os.Args) > 1 && os.Args[1] == "far" {
		exit(compareFar(os.Args[2:]))
	}
	exit(compare())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// directions are seen from the client.
var directions = []string{"upload", "download"}

func compare() error {
	var (
		length   = flag.Duration("time", 2*time.Second, "how long each run lasts")
		rounds   = flag.Int("rounds", 5, "how many times each run is repeated")
		streams  = flag.Int("streams", 1, "connections at the same time")
		stacks   = flag.String("stacks", "kernel,gvisor,ftcp,standby", "what to compare")
		profiles = flag.String("cpuprofile", "", "write a profile of every run of ftcp into this `directory`")
		dispatch = flag.String("gvisor", "recvmmsg", "how gVisor receives: recvmmsg or packetmmap")
	)
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case *length <= 0 || *length > time.Minute:
		return fmt.Errorf("-time has to be at most a minute")
	case *rounds <= 0 || *streams <= 0:
		return fmt.Errorf("-rounds and -streams have to be positive")
	}
	if *profiles != "" {
		if err := os.MkdirAll(*profiles, 0o777); err != nil {
			return err
		}
	}

	var names []string
	benches := map[string]*bench{}
	for name := range strings.SplitSeq(*stacks, ",") {
		b, err := newBench(name, nil, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer b.close()
		names, benches[name] = append(names, name), b
	}

	t := table{}
	for round := range *rounds {
		for _, direction := range directions {
			for i := range names {
				name := names[(i+round)%len(names)] // nobody is always first
				r := run{direction: direction, length: *length, streams: *streams, dispatch: *dispatch}
				if *profiles != "" && (name == "ftcp" || name == "standby") {
					r.profile = filepath.Join(*profiles, fmt.Sprintf("%s-%s-%d.pprof", name, direction, round+1))
				}
				res, err := benches[name].measure(r)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", name, direction, err)
				}
				t.add(name, direction, res)
				fmt.Fprintf(os.Stderr, "round %d: %-8s %-8s %6.2f Gbit/s\n", round+1, direction, name, res.gbits())
			}
		}
	}
	for _, direction := range directions {
		fmt.Println()
		t.print(os.Stdout, direction, names)
	}
	return nil
}
