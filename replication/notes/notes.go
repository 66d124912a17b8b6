// Package notes is a log whose lines are queued, so that the user's handler never runs under a lock
// of those who say something.
package notes

import (
	"log/slog"
	"sync"
)

// Notes is such a log. Its methods may be called at any time.
type Notes struct {
	log *slog.Logger

	mu      sync.Mutex
	lines   []func()
	writing bool // there is a goroutine that says what waits
}

// maxNotes bounds what waits for a handler that does not return. What is beyond is lost.
const maxNotes = 1000

// New returns the Notes that end in log.
func New(log *slog.Logger) *Notes { return &Notes{log: log} }

func (n *Notes) say(f func()) {
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
func (n *Notes) write() {
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

// Info says something at that level, as slog.Logger does.
func (n *Notes) Info(msg string, args ...any) { n.say(func() { n.log.Info(msg, args...) }) }

// Warn says something at that level, as slog.Logger does.
func (n *Notes) Warn(msg string, args ...any) { n.say(func() { n.log.Warn(msg, args...) }) }

// Error says something at that level, as slog.Logger does.
func (n *Notes) Error(msg string, args ...any) { n.say(func() { n.log.Error(msg, args...) }) }
