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

// A process is stopped for a second, longer than the other one needs to take over, and goes
// on where it was.
func TestStopped(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo", History: history})
	w := l.tap(resets)
	s := l.startStream()
	over := time.After(time.Second)
	l.servers[0].signal(syscall.SIGSTOP)
	l.servers[1].await("active")
	s.goesOn("the active node is stopped")
	<-over
	l.servers[0].signal(syscall.SIGCONT)
	l.awaitPair(1, 1)
	s.goesOn("it is back, as a standby")

	l.servers[0].signal(syscall.SIGSTOP)
	<-time.After(time.Second)
	l.servers[0].signal(syscall.SIGCONT)
	l.awaitPair(1, 1)
	s.goesOn("the standby was stopped")
	if a, b := l.servers[0].reigns(), l.servers[1].reigns(); a != 1 || b != 1 {
		t.Errorf("the nodes have begun to serve %d and %d times", a, b)
	}
	s.end()
	w.none("a reset")
}

// The standby is stopped for so long that the active node goes on without it. On a machine
// that is so busy that the active node stood still meanwhile, it cannot know whether it was
// replaced; then it waits for the standby's word. Either way the client loses nothing.
func TestStandbyHangs(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo", History: history})
	w := l.tap(resets)
	s := l.startStream()
	l.servers[1].signal(syscall.SIGSTOP)
	suspended := false
	l.servers[0].awaitThat("decided", func(r report) bool {
		suspended = r.Role == "suspended"
		return suspended || alone(r)
	})
	if suspended {
		t.Log("the active node was kept from running, and is suspended")
	} else {
		s.goesOn("the standby hangs")
	}
	l.servers[1].signal(syscall.SIGCONT)
	l.awaitPair(0, 1)
	s.goesOn("it is back")
	s.end()
	w.none("a reset")
}
