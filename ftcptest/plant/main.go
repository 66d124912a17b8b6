// Plant plants faults into the protocol, one at a time, and sees whether the tests catch
// them.
//
//	go run ./ftcptest/plant                        all faults, which takes seven minutes
//	go run ./ftcptest/plant -run 'window|clock'    those whose line of the table matches
//	go run ./ftcptest/plant -list                  the table without planting anything
//	go run ./ftcptest/plant -run reign/ -test TestExploration -timeout 5m
//
// The last form asks what another test than the named ones makes of the faults.
//
// It prints a table with a line for each fault: the promise that the fault breaks, what
// is wrong then, the test that has failed with it, the verdict, and the seconds that it
// took. A promise is a Must of the design (a word, see promises.go) or a kind of fault
// that was found before the protocol was redrawn (a number). The exit status is 1 unless
// every fault was caught.
//
// The verdicts:
//
//	caught    a test fails with the fault; it passes without, which is looked at first
//	MISSED    no test fails: a hole in the tests
//	HUNG      a test was ended by its timeout, which says nothing of what it is for
//	error     the fault's place is gone from the code, or the changed code does not build
//
// The lists of faults are faults.txt beside this file, and testdata/faults of the two
// packages that decide, replication/reign and replication/ledger. To add a fault, write
// what is wrong, and below it, each line with a tab in front, the change, the promises,
// and the tests, which are tried in their order:
//
//	the peer is told that it may send what the other node cannot take
//		stack/tcp/window.go: edge := c.readers() + => edge := c.read +
//		promise: window, 13
//		test: stack/tcp TestScript/gate-window
//
// What is replaced has to be on one line, and only once in the file. The last two,
// without the tab, hold for all faults that follow and do not say otherwise, and so does
// the directory of the files (dir:).
//
// The tree is not changed: the go command is given a changed copy of one file (-overlay).
// That every fault can still be planted, that its tests exist, and that no promise is
// without a fault, is a quick test of this package.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// lists are the lists of faults, below the module's root.
var lists = [...]string{
	"ftcptest/plant/faults.txt",
	"replication/ledger/testdata/faults",
	"replication/reign/testdata/faults",
}

func main() {
	only := flag.String("run", "", "plant only the faults whose promise, name, test or file matches this regular `expression`")
	list := flag.Bool("list", false, "list the faults only")
	timeout := flag.Duration("timeout", time.Minute, "of one test")
	test := flag.String("test", "", "run this `test` instead of those that the faults name")
	verbose := flag.Bool("v", false, "print what the failing tests say")
	flag.Parse()
	ok, err := run(*only, *test, *list, *verbose, *timeout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "plant:", err)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(only, test string, list, verbose bool, timeout time.Duration) (ok bool, err error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return false, err
	}
	root, err := moduleRoot()
	if err != nil {
		return false, err
	}
	faults, err := readLists(root)
	if err != nil {
		return false, err
	}
	some := faults[:0]
	for _, f := range faults {
		if match.MatchString(f.line(f.testNames()) + " " + f.file) {
			if some = append(some, f); test != "" {
				f.tests = []string{test}
			}
		}
	}
	if list {
		for _, f := range some {
			fmt.Println(f.line(f.testNames()))
		}
		return true, nil
	}
	dir, err := os.MkdirTemp("", "plant")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	g := &garden{root: root, dir: dir, timeout: timeout}
	begin := time.Now()
	if err := g.sound(some); err != nil {
		return false, err
	}
	fmt.Printf("without a fault all tests pass (%.0fs)\n", time.Since(begin).Seconds())
	missed := 0
	for _, f := range some {
		begin := time.Now()
		r := g.plant(f)
		if r.verdict != caught {
			missed++
		}
		fmt.Printf("%s %s (%.1fs)\n", f.line(r.test), r.verdict, time.Since(begin).Seconds())
		if verbose && r.output != "" {
			fmt.Println("\t" + strings.ReplaceAll(strings.TrimSpace(r.output), "\n", "\n\t"))
		}
	}
	fmt.Printf("%d of %d faults were caught (%.0fs)\n", len(some)-missed, len(some), time.Since(begin).Seconds())
	return missed == 0, nil
}

// line is the beginning of a fault's line in the table.
func (f *fault) line(test string) string {
	return fmt.Sprintf("%-22s %-82s %-44s", strings.Join(f.promises, ", "), f.name, test)
}

func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	return filepath.Clean(strings.TrimSpace(string(out))), err
}
