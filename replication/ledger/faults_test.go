package ledger

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var faults = flag.Bool("faults", false, "plant the faults of testdata/faults, one after the other, and see that a test fails")

var only = flag.String("fault", "", "plant faults only whose names match")

// fault is a line of the code that is replaced.
type fault struct{ name, file, before, after string }

// TestFaults plants faults in a copy of the package, each alone, and runs the other tests on it: which
// of them fail is printed. Without the flag it only looks whether the faults can be planted.
func TestFaults(t *testing.T) {
	all, err := readFaults("testdata/faults")
	if err != nil || len(all) < 12 {
		t.Fatalf("%d faults, %v", len(all), err)
	}
	for _, f := range all {
		code, err := os.ReadFile(f.file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(code), f.before); n != 1 {
			t.Errorf("%s: %q is %d times in %s", f.name, f.before, n, f.file)
		}
	}
	if !*faults || t.Failed() {
		return
	}
	wanted := regexp.MustCompile(*only)
	for _, f := range all {
		if !wanted.MatchString(f.name) {
			continue
		}
		caught, err := plant(t, f)
		switch {
		case err != nil:
			t.Errorf("%-60s %v", f.name, err)
		case len(caught) == 0:
			t.Errorf("%-60s NOT CAUGHT", f.name)
		default:
			t.Logf("%-60s %s", f.name, strings.Join(caught, ", "))
		}
	}
}

// readFaults reads a file of faults: a name, then file: before => after, indented.
func readFaults(path string) (all []fault, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	name := ""
	for _, line := range strings.Split(string(b), "\n") {
		switch rest, indented := strings.CutPrefix(line, "\t"); {
		case line == "" || line[0] == '#':
		case !indented:
			name = line
		default:
			file, change, _ := strings.Cut(rest, ": ")
			before, after, ok := strings.Cut(change, " => ")
			if !ok {
				return nil, fmt.Errorf("%q is no change", line)
			}
			all = append(all, fault{name, file, before, strings.TrimSuffix(after, " ")})
		}
	}
	return all, nil
}

// plant plants a fault in a copy of the package, and returns which tests fail.
func plant(t *testing.T, f fault) (caught []string, err error) {
	dir := t.TempDir()
	files, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if file == f.file {
			code = []byte(strings.Replace(string(code), f.before, f.after, 1))
		}
		if err := os.WriteFile(filepath.Join(dir, file), code, 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata")); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module ledger\n\ngo 1.25\n"), 0o644); err != nil {
		return nil, err
	}
	build := exec.Command("go", "vet", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("it does not compile: %s", out)
	}
	test := exec.Command("go", "test", "-run", "^(TestTranscripts|TestWalks)$", ".")
	test.Dir = dir
	out, _ := test.CombinedOutput()
	counts := map[string]int{}
	for _, m := range failed.FindAllStringSubmatch(string(out), -1) {
		counts[m[1]]++
		if m[2] != "" && counts[m[1]] <= 3 {
			caught = append(caught, strings.TrimPrefix(m[1], "Test")+m[2])
		}
	}
	for _, test := range [...]string{"Walks"} {
		if counts["Test"+test] > 0 {
			caught = append(caught, test)
		}
	}
	for test, n := range counts {
		if n > 3 {
			caught = append(caught, fmt.Sprintf("and more of %s", test))
		}
	}
	if len(caught) == 0 && strings.Contains(string(out), "panic:") {
		caught = append(caught, "a panic")
	}
	return caught, nil
}

var failed = regexp.MustCompile(`--- FAIL: (Test\w+)(/\S*)?`)
