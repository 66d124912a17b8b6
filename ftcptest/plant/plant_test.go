package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every fault can still be planted: its place stands in the code, once, what comes of it
// can be parsed, and the tests that have to catch it exist. Whether they do is for the
// program to find out.
func TestLists(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	faults, err := readLists(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) < 100 {
		t.Errorf("%d faults", len(faults))
	}
	known := testsOf(t, root, faults)
	names := map[string]bool{}
	broken := map[string]bool{}
	for _, f := range faults {
		if names[f.name] {
			t.Errorf("there are two faults %q", f.name)
		}
		names[f.name] = true
		b, err := f.change(root)
		if err == nil {
			_, err = parser.ParseFile(token.NewFileSet(), f.file, b, parser.SkipObjectResolution)
		}
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		for _, p := range f.promises {
			broken[p] = true
			if promises[p] == "" {
				t.Errorf("%s: %q is no promise", f.name, p)
			}
		}
		for _, test := range f.tests {
			name, _, _ := strings.Cut(test, "/")
			if !known[f.pkg+" "+name] {
				t.Errorf("%s: there is no %s in %s", f.name, name, f.pkg)
			}
		}
	}
	for p, what := range promises {
		if !broken[p] {
			t.Errorf("no fault breaks %s: %s", p, what)
		}
	}
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testsOf finds the tests of the packages that the faults name.
func testsOf(t *testing.T, root string, faults []*fault) map[string]bool {
	t.Helper()
	known, seen := map[string]bool{}, map[string]bool{}
	for _, f := range faults {
		if seen[f.pkg] {
			continue
		}
		seen[f.pkg] = true
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(f.pkg), "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range testFunc.FindAllSubmatch(b, -1) {
				known[f.pkg+" "+string(m[1])] = true
			}
		}
	}
	return known
}

func TestParse(t *testing.T) {
	faults, err := parse("# a comment\n\ndir: a/b\npromise: kill\ntest: c TestD TestE\n" +
		"first\n\tf.go: x => y => z\nsecond: a fault\n\tg.go: gone =>\n\tpromise: 1, 2\n\ttest: d TestF\n")
	if err != nil || len(faults) != 2 {
		t.Fatalf("%d faults, %v", len(faults), err)
	}
	first, second := faults[0], faults[1]
	if first.file != "a/b/f.go" || first.before != "x" || first.after != "y => z" || first.pkg != "c" ||
		first.testNames() != "TestD TestE" || strings.Join(first.promises, ",") != "kill" {
		t.Errorf("%+v", first)
	}
	if second.name != "second: a fault" || second.before != "gone" || second.after != "" || second.pkg != "d" ||
		second.testNames() != "TestF" || strings.Join(second.promises, ",") != "1,2" {
		t.Errorf("%+v", second)
	}
	for _, bad := range []string{
		"name\n\tf.go: x => y\n",                                    // no promise, no test
		"promise: 1\ntest: c TestD\nname\n",                         // no change
		"promise: 1\ntest: c TestD\nname\n\tf.go: x\n",              // none either
		"promise: 1\ntest: c TestD\nname\n\tf: x => y\n\tg: x => y", // two
		"\tf.go: x => y\n",                                          // of nothing
	} {
		if _, err := parse(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
