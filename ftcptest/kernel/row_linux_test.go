package kernel_test

import (
	"syscall"
	"testing"
	"time"
)

// The active node is killed, and started again; then the one that has replaced it; and so
// on. Each new node replays the client's connection from its beginning.
func TestKilledInARow(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo", History: history})
	w := l.tap(resets)
	s := l.startStream()
	active := 0
	for range 6 {
		l.servers[active].kill()
		l.servers[1-active].await("active")
		s.goesOn("killed")
		<-l.servers[active].ended
		l.start(active)
		active = 1 - active
		l.awaitPair(active, 1)
		s.goesOn("protected again")
	}
	s.end()
	w.none("a reset")
}

// A process is stopped for a second, longer than the other one needs to do without it, and
// goes on where it was.
func TestStopped(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo", History: history})
	w := l.tap(resets)
	s := l.startStream()
	second := func(i int, meanwhile func()) {
		over := time.After(time.Second)
		l.servers[i].signal(syscall.SIGSTOP)
		meanwhile()
		<-over
		l.servers[i].signal(syscall.SIGCONT)
	}

	second(0, func() {
		l.servers[1].await("active")
		s.goesOn("the active node is stopped")
	})
	l.awaitPair(1, 1)
	s.goesOn("it is back, as a standby")

	second(0, func() {
		l.servers[1].awaitThat("alone", alone)
		s.goesOn("the standby is stopped")
	})
	l.awaitPair(1, 1)
	s.goesOn("it is back")
	s.end()
	w.none("a reset")
}
