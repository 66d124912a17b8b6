package reign

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// TestTranscripts plays the stories in testdata and compares what comes of them. A file begins with
// what it shows. What is not indented is a command, what is indented below is what came of it.
//
//	two | three | arbitrated     the world, before anything else
//	start a b                    starts processes; those that are there are killed
//	kill a | off a | leave b     ends a process; and its host; a standby's, which says goodbye
//	cut a service | cut a link   cuts a from all others in one network
//	cut a b service              cuts two from each other
//	mute a b                     b does not hear a on the service network
//	unplug a | plug a            a's port to the service network, clients included
//	mend a | mend                puts a's networks in order; everybody's
//	pause a | resume a
//	handover a | begin a         the operator's wish
//	lose answer|request|delayed  of the next swap
//	run 300ms                    lets time pass, and says where the nodes are in the end
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 20 {
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
				t.Errorf("it is different now:\n%s", difference(string(old), now))
			}
		})
	}
}

// transcribe plays the commands of a transcript. It returns the transcript, and what is wrong.
func transcribe(old string) (string, error) {
	var out strings.Builder
	title, rest, _ := strings.Cut(old, "\n\n")
	out.WriteString(title + "\n")
	if !strings.HasSuffix(title, ".") {
		return old, fmt.Errorf("it does not begin with a sentence")
	}
	w := newWorld(2, 150*time.Millisecond, 10*time.Second)
	w.beacons = true
	w.note = func(s string) { out.WriteString("    " + s + "\n") }
	for _, line := range strings.Split(rest, "\n") {
		if line == "" || line[0] == ' ' {
			continue
		}
		out.WriteString("\n" + line + "\n")
		if err := w.command(strings.Fields(line)); err != nil {
			return old, fmt.Errorf("%s: %v", line, err)
		}
		if w.broken != "" {
			out.WriteString("    BROKEN: " + w.broken + "\n")
			return out.String(), fmt.Errorf("%s: %s", line, w.broken)
		}
	}
	return out.String(), nil
}

// command carries out a command.
func (w *world) command(f []string) error {
	var nodes []int
	for _, s := range f[1:] {
		if len(s) == 1 && s[0] >= 'a' && int(s[0]-'a') < w.n {
			nodes = append(nodes, int(s[0]-'a'))
		}
	}
	last := f[len(f)-1]
	switch f[0] {
	case "three":
		w.n = 3
	case "two":
	case "arbitrated":
		w.arbiter = &arbiter{}
	case "start", "kill", "off", "leave", "unplug", "plug", "pause", "resume", "handover", "begin":
		if len(nodes) == 0 {
			return fmt.Errorf("no node")
		}
		for _, i := range nodes {
			w.change(f[0], i)
		}
	case "mute":
		w.service[nodes[0]][nodes[1]] = true
	case "cut", "mend":
		w.wire(f[0] == "cut", nodes, last)
	case "lose":
		w.arbiter.lose = map[string]loss{"answer": answer, "request": request, "delayed": delayed}[last]
	case "run":
		d, err := time.ParseDuration(last)
		if err != nil {
			return err
		}
		for end := w.now + d; w.now < end && w.broken == ""; {
			w.step(0)
		}
		w.tell("%s", w.summary())
	default:
		return fmt.Errorf("no such command")
	}
	return nil
}

// change changes something about a node.
func (w *world) change(what string, i int) {
	n := &w.node[i]
	switch what {
	case "start":
		if n.alive() {
			w.kill(i, false)
		}
		w.start(i)
	case "kill", "off":
		w.kill(i, what == "off")
	case "leave":
		w.write(n.follow, 1, Bye{Peer: n.cfg.Self.Incarnation})
		w.carry()
		w.kill(i, false)
	case "unplug", "plug":
		n.deaf, w.changed = what == "unplug", w.now
	case "pause":
		w.pause(i)
	case "resume":
		w.unpause(i, false)
	case "handover":
		w.send(i, mail{event: Want{What: HandOver}})
	case "begin":
		w.send(i, mail{event: Want{What: Begin}})
	}
}

// wire cuts or mends networks: between two nodes, or of one, or all of them.
func (w *world) wire(cut bool, nodes []int, which string) {
	w.changed = w.now
	for i := range w.n {
		for j := range i {
			switch {
			case len(nodes) == 1 && nodes[0] != i && nodes[0] != j,
				len(nodes) == 2 && (nodes[0]+nodes[1] != i+j || nodes[0] != i && nodes[0] != j):
				continue
			}
			if which != "link" {
				w.service.set(i, j, cut)
			}
			if which != "service" {
				w.linking.set(i, j, cut)
			}
		}
	}
}

// difference shows the first lines that differ.
func difference(old, now string) string {
	a, b := strings.Split(old, "\n"), strings.Split(now, "\n")
	for i := range b {
		if i >= len(a) || a[i] != b[i] {
			return fmt.Sprintf("line %d\nwas: %s\nis:  %s", i+1, strings.Join(a[min(i, len(a)):min(i+5, len(a))], "\n     "), strings.Join(b[i:min(i+5, len(b))], "\n     "))
		}
	}
	return "the end is missing"
}
