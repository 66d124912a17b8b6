package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// fault is one changed place in the code.
type fault struct {
	name          string // what is wrong then
	file          string // below the module's root
	before, after string // of the place, which is on one line
	common
}

// common is what several faults of a list can have in common.
type common struct {
	dir      string   // of the files
	promises []string // that are broken
	pkg      string   // the directory of the tests,
	tests    []string // which are tried in this order
}

func (f *fault) testNames() string { return strings.Join(f.tests, " ") }

// readLists reads all lists.
func readLists(root string) (faults []*fault, err error) {
	for _, list := range lists {
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(list)))
		if err != nil {
			return nil, err
		}
		some, err := parse(string(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", list, err)
		}
		faults = append(faults, some...)
	}
	return faults, nil
}

// parse reads one list.
func parse(s string) (faults []*fault, err error) {
	var all common
	var f *fault
	for _, line := range strings.Split(s, "\n") {
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		rest, indented := strings.CutPrefix(line, "\t")
		key, value, ok := strings.Cut(rest, ": ")
		switch {
		case !indented && all.set(key, value):
		case !indented:
			f = &fault{name: line, common: all}
			faults = append(faults, f)
		case f == nil || !ok:
			return nil, fmt.Errorf("%q says nothing of a fault", line)
		case f.set(key, value):
		default:
			before, after, ok := strings.Cut(value+" ", " => ")
			if !ok || f.before != "" {
				return nil, fmt.Errorf("%q is no change of a fault that has none yet", line)
			}
			f.file = path.Join(f.dir, key)
			f.before, f.after = before, strings.TrimSpace(after)
		}
	}
	for _, f := range faults {
		if f.before == "" || len(f.promises) == 0 || len(f.tests) == 0 {
			return nil, fmt.Errorf("%q has no change, no promise, or no test", f.name)
		}
	}
	return faults, nil
}

// set sets what a line says that can hold for several faults, if it does.
func (c *common) set(key, value string) bool {
	switch key {
	case "dir":
		c.dir = value
	case "promise":
		c.promises = strings.Split(value, ", ")
	case "test":
		words := strings.Fields(value)
		c.pkg, c.tests = words[0], words[1:]
	default:
		return false
	}
	return true
}

// change returns the fault's file with the fault in it.
func (f *fault) change(root string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.file)))
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(b), f.before); n != 1 {
		return nil, fmt.Errorf("%q is in %s %d times", f.before, f.file, n)
	}
	return []byte(strings.Replace(string(b), f.before, f.after, 1)), nil
}

// pattern is what the testing package's flag takes for a test's name.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}
