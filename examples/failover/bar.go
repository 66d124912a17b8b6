package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// A bar shows how far a transfer is, if standard output is a terminal, below the lines that
// are printed meanwhile.
type bar struct {
	transfer *transfer
	terminal bool
	ended    chan struct{}

	mu sync.Mutex // of standard output
}

func newBar(t *transfer) *bar {
	b := &bar{transfer: t, ended: make(chan struct{})}
	if info, err := os.Stdout.Stat(); err == nil {
		b.terminal = info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

// run draws until stop.
func (b *bar) run() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.printf("")
		case <-b.ended:
			return
		}
	}
}

// stop removes the bar.
func (b *bar) stop() {
	close(b.ended)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	b.terminal = false
}

// printf prints a line above the bar, if there is one to print.
func (b *bar) printf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	if format != "" {
		fmt.Printf(format+"\n", args...)
	}
	if b.terminal {
		fmt.Print(b.draw())
	}
}

// clear clears the line that the bar is in.
func (b *bar) clear() {
	if b.terminal {
		fmt.Print("\r\x1b[K")
	}
}

func (b *bar) draw() string {
	const width = 40
	done, total := b.transfer.done.Load(), 2*b.transfer.size
	what := "up"
	if done >= b.transfer.size {
		what = "down"
	}
	n := int(done * width / total)
	return fmt.Sprintf("[%s%s] %3d%% %-4s", strings.Repeat("#", n), strings.Repeat("-", width-n), done*100/total, what)
}
