package replication

import (
	"log/slog"
	"sync"
)

// notes is the group's log. What is said is queued, so that the user's handler never runs under a
// lock of ours, whoever says it.
type notes struct {
	log *slog.Logger

	mu      sync.Mutex
	lines   []func()
	writing bool // there is a goroutine that says what waits
}

// maxNotes bounds what waits for a handler that does not return. What is beyond is lost.
const maxNotes = 1000

func newNotes(log *slog.Logger) *notes { return &notes{log: log} }

func (n *notes) say(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.lines) < maxNotes {
		n.lines = append(n.lines, f)
	}
	if !n.writing {
		n.writing = true
		go n.write()
	}
}

// write says what waits, and ends when there is nothing more.
func (n *notes) write() {
	for {
		n.mu.Lock()
		lines := n.lines
		n.lines = nil
		if len(lines) == 0 {
			n.writing = false
			n.mu.Unlock()
			return
		}
		n.mu.Unlock()
		for _, f := range lines {
			f()
		}
	}
}

func (n *notes) info(msg string, args ...any)  { n.say(func() { n.log.Info(msg, args...) }) }
func (n *notes) warn(msg string, args ...any)  { n.say(func() { n.log.Warn(msg, args...) }) }
func (n *notes) error(msg string, args ...any) { n.say(func() { n.log.Error(msg, args...) }) }
