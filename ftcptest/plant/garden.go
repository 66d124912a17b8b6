package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// garden is where faults are planted.
type garden struct {
	root    string // of the module
	dir     string // for what is made on the way
	timeout time.Duration
}

// result is what has become of a fault.
type result struct {
	test    string // that has failed
	verdict string
	output  string // of that test
}

const caught = "caught"

var (
	errHung   = errors.New("HUNG")
	errNoTest = errors.New("there is no such test")
)

// sound sees that the faults' tests exist and pass as long as nothing is planted.
func (g *garden) sound(faults []*fault) (all error) {
	tests := map[string][]string{}
	for _, f := range faults {
		tests[f.pkg] = append(tests[f.pkg], f.tests...)
	}
	for pkg, names := range tests {
		binary, err := g.build(pkg, "")
		if err != nil {
			return err
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			switch failed, output, err := g.run(binary, pkg, name); {
			case err != nil:
				all = errors.Join(all, fmt.Errorf("%s %s: %w", pkg, name, err))
			case failed != "":
				all = errors.Join(all, fmt.Errorf("%s %s fails without a fault:\n%s", pkg, failed, output))
			}
		}
	}
	return all
}

// plant runs the fault's tests with the fault in place, until one fails.
func (g *garden) plant(f *fault) result {
	r := result{test: f.testNames()}
	changed, err := f.change(g.root)
	if err != nil {
		r.verdict = err.Error()
		return r
	}
	overlay, err := g.overlay(f.file, changed)
	if err != nil {
		r.verdict = err.Error()
		return r
	}
	binary, err := g.build(f.pkg, overlay)
	if err != nil {
		r.verdict = err.Error()
		return r
	}
	for _, test := range f.tests {
		failed, output, err := g.run(binary, f.pkg, test)
		switch {
		case err != nil:
			return result{test, err.Error(), output}
		case failed != "":
			return result{failed, caught, output}
		}
	}
	r.verdict = "MISSED"
	return r
}

// overlay writes what the go command is told of a changed file.
func (g *garden) overlay(file string, changed []byte) (path string, err error) {
	copied := filepath.Join(g.dir, "changed.go")
	if err := os.WriteFile(copied, changed, 0o666); err != nil {
		return "", err
	}
	replace := map[string]string{filepath.Join(g.root, filepath.FromSlash(file)): copied}
	b, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	path = filepath.Join(g.dir, "overlay.json")
	return path, os.WriteFile(path, b, 0o666)
}

// build makes the program of a package's tests.
func (g *garden) build(pkg, overlay string) (binary string, err error) {
	binary = filepath.Join(g.dir, "tests.exe")
	cmd := exec.Command("go", "test", "-c", "-ldflags=-s -w", "-overlay="+overlay, "-o", binary, "./"+pkg)
	cmd.Dir = g.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("it does not build: %s", strings.Join(strings.Fields(string(out)), " "))
	}
	return binary, nil
}

var (
	failure = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)
	ran     = regexp.MustCompile(`(?m)^ *--- PASS: (\S+)`)
)

// run runs one test. It returns the innermost that has failed first, or "".
func (g *garden) run(binary, pkg, test string) (failed, output string, err error) {
	cmd := exec.Command(binary, "-test.v", "-test.run="+pattern(test), "-test.timeout="+g.timeout.String())
	cmd.Dir = filepath.Join(g.root, filepath.FromSlash(pkg))
	out, err := cmd.CombinedOutput()
	output = string(out)
	if err == nil {
		for _, m := range ran.FindAllStringSubmatch(output, -1) {
			if m[1] == test {
				return "", output, nil
			}
		}
		return "", output, errNoTest
	}
	if strings.Contains(output, "panic: test timed out") {
		return "", output, errHung
	}
	failed = test // a panic says nothing else
	for _, m := range failure.FindAllStringSubmatch(output, -1) {
		if len(m[1]) > len(failed) && strings.HasPrefix(m[1], failed+"/") {
			failed = m[1]
		}
	}
	return failed, output, nil
}
