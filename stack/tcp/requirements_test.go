package tcp

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tests are the names of all scripts, and of all tests of this package and those around it.
func tests(t *testing.T) []string {
	t.Helper()
	var names []string
	scripts, _ := filepath.Glob("testdata/*.script")
	for _, s := range scripts {
		names = append(names, strings.TrimSuffix(filepath.Base(s), ".script"))
	}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, dir := range []string{".", "..", "../../wire", "../.."} {
		files, _ := filepath.Glob(dir + "/*_test.go")
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range function.FindAllSubmatch(text, -1) {
				names = append(names, string(f[1]))
			}
		}
	}
	return names
}

// checkReferences says what is wrong with lists of files and of tests, which are patterns.
func checkReferences(files, patterns []string, tests []string) error {
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			return err
		}
	}
	for _, p := range patterns {
		if !slices.ContainsFunc(tests, func(name string) bool { ok, _ := filepath.Match(p, name); return ok }) {
			return fmt.Errorf("there is no test %s", p)
		}
	}
	return nil
}

// TestRequirements checks that rfc9293.md has every requirement once, and that what it refers to is there.
func TestRequirements(t *testing.T) {
	text, err := os.ReadFile("rfc9293.md")
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for kind, last := range map[string]int{"MUST": 69, "SHLD": 31, "MAY": 18, "REC": 1} {
		for n := range last {
			missing[fmt.Sprintf("%s-%d", kind, n+1)] = true
		}
	}
	list := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	}
	all := tests(t)
	_, rows, _ := strings.Cut(string(text), "|----|")
	for _, row := range strings.Split(strings.TrimSpace(rows), "\n")[1:] {
		cell := strings.Split(row, "|")
		if len(cell) != 7 {
			t.Errorf("%d cells: %s", len(cell), row)
			continue
		}
		for i := range cell {
			cell[i] = strings.TrimSpace(cell[i])
		}
		id, files, patterns := cell[1], list(cell[4]), list(cell[5])
		if id == "" {
			continue // the name of a group
		}
		if !missing[id] {
			t.Errorf("%s is not in the appendix, or is here twice", id)
		}
		delete(missing, id)
		state, reason, _ := strings.Cut(cell[3], ": ")
		may := strings.HasPrefix(id, "MAY")
		switch {
		case state == "not ours" && reason != "", state == "not met" && reason != "" && !may, state == "not taken" && may:
		case state == "met" && !may, state == "taken" && may:
			if len(files) == 0 || len(patterns) == 0 {
				t.Errorf("%s: where, and what shows it?", id)
			}
		default:
			t.Errorf("%s: %q", id, cell[3])
		}
		if err := checkReferences(files, patterns, all); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("%s is missing", id)
	}
}

// TestDocumentation checks that the files and tests in the table of the package's documentation are there.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "//\tRFC, section")
	table, _, _ = strings.Cut(table, "\n//\n")
	rows := strings.Split(table, "\n")[1:]
	if len(rows) < 20 {
		t.Fatalf("%d rows", len(rows))
	}
	all := tests(t)
	row := regexp.MustCompile(`^//\t.*?((?:\w+\.go(?:, )?)+) +(\S.*)$`)
	for _, r := range rows {
		m := row.FindStringSubmatch(r)
		if m == nil {
			t.Errorf("no row: %s", r)
			continue
		}
		if err := checkReferences(strings.Split(m[1], ", "), strings.Split(m[2], ", "), all); err != nil {
			t.Errorf("%v: %s", err, r)
		}
	}
}
