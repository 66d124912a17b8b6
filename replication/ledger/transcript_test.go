package ledger

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// TestTranscripts plays the stories in testdata and compares what comes of them. A file begins with
// what it shows. A line is a command, and behind the bar where the connection is after it: how far
// the peer has been acknowledged and sent to, the two marks, and each standby, as phase,
// confirmed/verified/read, and its gate. A star says that the connection is protected.
//
//	in 100, read 100, out 100    the peer sends, the handler reads, the handler writes
//	replay b, freeze b           of the standby's Progress; a new one is added
//	confirm b 100                b has the input before 100
//	report b 100 50              b's handler has written what is before 100, and read what is before 50
//	release b, forgotten b, remove b
//	caught b, lags b             what is asked
//	wait 3s
//
// After each, all is acknowledged and sent that the marks allow.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			now, err := transcribe(string(old))
			if err != nil {
				t.Error(err)
			}
			switch {
			case now == string(old):
			case *update:
				if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("it is different now:\n%s", now)
			}
		})
	}
}

func transcribe(old string) (string, error) {
	title, rest, _ := strings.Cut(old, "\n\n")
	if !strings.HasSuffix(title, ".") {
		return old, fmt.Errorf("it does not begin with a sentence")
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n\n", title)
	c := newConn()
	for _, line := range strings.Split(strings.TrimSpace(rest), "\n") {
		command, _, _ := strings.Cut(line, "|")
		f := strings.Fields(command)
		if len(f) == 0 || strings.HasPrefix(line, " ") {
			continue
		}
		said, err := c.do(f)
		if err != nil {
			return old, fmt.Errorf("%s: %v", line, err)
		}
		row := fmt.Sprintf("%-18s | %s", strings.Join(f, " "), c)
		if said != "" {
			row += " | " + said
		}
		fmt.Fprintln(&out, strings.TrimRight(row, " "))
		if err := c.check(); err != nil {
			return out.String(), fmt.Errorf("%s: %v", line, err)
		}
	}
	return out.String(), nil
}

// conn is a connection with its guard.
type conn struct {
	now      time.Time
	at       Positions
	guard    Guard
	names    []string
	standbys map[string]*Progress
}

func newConn() *conn {
	return &conn{now: time.Unix(0, 0), standbys: map[string]*Progress{}}
}

// do carries out a command, and returns an answer.
func (c *conn) do(f []string) (said string, err error) {
	var who string
	var n [2]int64
	k := 0
	for _, s := range f[1:] {
		if v, err := strconv.ParseInt(s, 10, 64); err == nil {
			n[k] = v
			k++
		} else {
			who = s
		}
	}
	p := c.standbys[who]
	if p == nil && (f[0] == "replay" || f[0] == "freeze") {
		p = &Progress{}
		c.guard.Add(p)
		c.names, c.standbys[who] = append(c.names, who), p
	}
	switch f[0] {
	case "in":
		c.at.In += n[0]
	case "read":
		c.at.Read = min(c.at.Read+n[0], c.at.In)
	case "out":
		c.at.Out += n[0]
	case "replay":
		p.Replay(c.now, c.at)
	case "freeze":
		p.Freeze(c.now, c.at)
	case "confirm":
		p.Confirm(n[0])
	case "report":
		p.Report(c.now, n[0], n[1])
	case "release":
		if !p.Release() {
			said = "there is nothing to release"
		}
	case "forgotten":
		p.Forgotten()
	case "remove":
		c.guard.Remove(p)
	case "caught":
		if said = "not yet"; p.CaughtUp(c.at) {
			said = "it is time to freeze"
		}
	case "lags":
		if said = p.Lags(c.now, c.at, 0, time.Second); said == "" {
			said = "no"
		} else {
			said = "it is to " + said
		}
	case "wait":
		d, err := time.ParseDuration(who)
		if err != nil {
			return "", err
		}
		c.now = c.now.Add(d)
	default:
		return "", fmt.Errorf("no such command")
	}
	m := c.guard.Marks()
	c.at.Acked = max(c.at.Acked, min(c.at.In, m.Ackable))
	c.at.Sent = max(c.at.Sent, min(c.at.Out, m.Sendable))
	return said, nil
}

// check looks for what must always hold.
func (c *conn) check() error {
	m := c.guard.Marks()
	if m.Ackable < c.at.Acked || m.Sendable < c.at.Sent {
		return fmt.Errorf("a mark is behind what the peer has seen")
	}
	heeded := 0
	for _, p := range c.guard.set {
		has := p.Confirmed() >= c.at.Acked && p.Verified() >= c.at.Sent
		switch {
		case p.Protected() && !has:
			return fmt.Errorf("it is guarded, and the peer has seen what the standby does not have")
		case p.Phase() == Gating && has:
			return fmt.Errorf("it is not guarded, though the standby has all that the peer has seen")
		}
		if p.Heeded() {
			heeded++
		}
	}
	if c.guard.Protected() && heeded == 0 {
		return fmt.Errorf("it is protected by nobody")
	}
	return nil
}

func (c *conn) String() string {
	mark := func(v int64) string {
		if v == Unlimited {
			return "-"
		}
		return fmt.Sprint(v)
	}
	m := c.guard.Marks()
	s := fmt.Sprintf("acked %d of %d, sent %d of %d; marks %s, %s", c.at.Acked, c.at.In, c.at.Sent, c.at.Out,
		mark(m.Ackable), mark(m.Sendable))
	for _, name := range c.names {
		p := c.standbys[name]
		s += fmt.Sprintf("; %s %v %d/%d/%d", name, p.Phase(), p.Confirmed(), p.Verified(), p.Read())
		if p.Phase() >= Gating && p.Phase() < Releasing {
			s += fmt.Sprintf(" gate %d/%d", p.Gate().In, p.Gate().Out)
		}
	}
	if c.guard.Protected() {
		s += " *"
	}
	return s
}
