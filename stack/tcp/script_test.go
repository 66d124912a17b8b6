package tcp

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the expected segments of testdata/*.script")

// TestScript runs testdata/*.script, one behaviour a file.
//
//	start established mss=1000    the state to begin in, and parameters: see starts and newMachine
//	+0  < P. 1:1001(1000) ack 1   a segment arrives; +N: milliseconds since the line before
//	+40 > . 1:1(0) ack 1001 …     a segment leaves; these lines are golden, see -update
//	+0  ! ackable 1001            marks are raised: ackable, sendable, read
//	+0  * rcv 1001                what replication is offered: see Positions
//	+0  = CLOSE-WAIT              the state, then the error if there is one
//	+0  write 1000                a call of the user, or something else that happens: see call
//
// Segments leave where the script says and nowhere else: the machine stops at every
// deadline of the core, and what leaves unasked for is an error.
func TestScript(t *testing.T) {
	files, err := filepath.Glob("testdata/*.script")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".script"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := parseScript(string(text))
			if err != nil {
				t.Fatalf("%s:%v", file, err)
			}
			if *update {
				lines = expectNothing(lines)
			}
			out, err := runScript(lines, *update)
			if err != nil {
				t.Fatalf("%s:%v", file, err)
			}
			if *update && !bytes.Equal(out, text) {
				if err := os.WriteFile(file, out, 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// line is a line of a script. Lines without an event are comments, or the start.
type line struct {
	number int
	text   string        // of an event: without its time and the comment
	note   string        // the comment behind it
	at     time.Duration // since the script began
	kind   byte          // '<', '>', '!', '*', '=', 'c' for a call, 's' for start, '#' for nothing
	arg    string
}

func parseScript(text string) ([]*line, error) {
	var lines []*line
	var at time.Duration
	for i, s := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		l := &line{number: i + 1, text: s, kind: '#'}
		lines = append(lines, l)
		body, note, _ := strings.Cut(s, "#")
		body = strings.TrimSpace(body)
		l.note = strings.TrimSpace(note)
		switch {
		case body == "":
		case strings.HasPrefix(body, "start "):
			l.kind, l.arg = 's', strings.TrimSpace(body[6:])
		case body[0] == '+':
			after, event, _ := strings.Cut(body, " ")
			ms, err := strconv.ParseFloat(after[1:], 64)
			if err != nil || ms < 0 {
				return nil, fmt.Errorf("%d: the time %q", l.number, after)
			}
			at += time.Duration(math.Round(ms * float64(time.Millisecond)))
			event = strings.TrimSpace(event)
			if event == "" {
				return nil, fmt.Errorf("%d: nothing happens", l.number)
			}
			l.at, l.text = at, event
			if strings.ContainsRune("<>!*=", rune(event[0])) {
				l.kind, l.arg = event[0], strings.TrimSpace(event[1:])
			} else {
				l.kind, l.arg = 'c', event
			}
		default:
			return nil, fmt.Errorf("%d: %q has no time", l.number, body)
		}
	}
	return lines, nil
}

// expectNothing takes the expected segments out. The time of the last stays, for the script must not end earlier.
func expectNothing(lines []*line) []*line {
	var keep []*line
	var end time.Duration
	for _, l := range lines {
		end = max(end, l.at)
		if l.kind != '>' {
			keep = append(keep, l)
		}
	}
	return append(keep, &line{at: end, kind: 'e'})
}

// runScript runs a script. With golden, segments are not expected but written down; it returns the script with them.
func runScript(lines []*line, golden bool) ([]byte, error) {
	var m *machine
	var out bytes.Buffer
	var last time.Duration
	write := func(at time.Duration, text, note string) {
		if note != "" {
			note = " # " + note
		}
		fmt.Fprintf(&out, "+%-6s %s%s\n", strconv.FormatFloat(float64(at-last)/float64(time.Millisecond), 'f', -1, 64), text, note)
		last = at
	}
	flush := func() {
		for _, s := range m.sent {
			write(s.at, "> "+s.text, "")
		}
		m.sent = nil
	}
	for _, l := range lines {
		fail := func(format string, args ...any) ([]byte, error) {
			return nil, fmt.Errorf("%d: %s", l.number, fmt.Sprintf(format, args...))
		}
		switch l.kind {
		case '#':
			fmt.Fprintln(&out, l.text)
			continue
		case 's':
			if m != nil {
				return fail("a second start")
			}
			var err error
			if m, err = newMachine(l.arg); err != nil {
				return fail("%v", err)
			}
			fmt.Fprintln(&out, l.text)
			continue
		}
		if m == nil {
			return fail("no start before the first event")
		}
		if err := m.advance(l.at); err != nil {
			return fail("%v", err)
		}
		if l.kind == '>' {
			if len(m.sent) == 0 {
				return fail("nothing was sent; want %s\n\t%v", l.arg, m.core.check())
			}
			s := m.sent[0]
			m.sent = m.sent[1:]
			if s.text != l.arg || s.at != l.at {
				return fail("at %v was sent\n\t%s\nwant, at %v,\n\t%s", s.at, s.text, l.at, l.arg)
			}
			continue
		}
		if golden {
			flush()
		} else if len(m.sent) > 0 {
			return fail("at %v was sent, unasked for,\n\t%s", m.sent[0].at, m.sent[0].text)
		}
		if l.kind == 'e' {
			break
		}
		write(l.at, l.text, l.note)
		if err := m.do(l.kind, l.arg); err != nil {
			return fail("%v", err)
		}
		if err := m.send(); err != nil {
			return fail("%v", err)
		}
	}
	if m == nil {
		return nil, fmt.Errorf("1: an empty script")
	}
	if len(m.sent) > 0 && !golden {
		return nil, fmt.Errorf("%d: at %v was sent, unasked for,\n\t%s", len(lines), m.sent[0].at, m.sent[0].text)
	}
	return out.Bytes(), nil
}
