package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// threadNS names the network namespace of the calling thread.
const threadNS = "/proc/thread-self/ns/net"

// A Namespace is a network namespace: interfaces, addresses, routes and sockets
// of its own. Its methods may be called by several goroutines at once. After
// Close they return an error that wraps [os.ErrClosed].
type Namespace struct {
	file *os.File // keeps the namespace alive, and is the way into it
	nl   *netlink // opened inside the namespace, usable from outside

	// starts holds what must run on the thread that lives as long as the
	// namespace, and inside it.
	starts chan func()
	closed chan struct{}
	close  sync.Once
}

// New makes a network namespace. It has a loopback interface, which is up, and
// nothing else.
func New() (*Namespace, error) {
	n := &Namespace{
		starts: make(chan func()),
		closed: make(chan struct{}),
	}
	ready := make(chan error)
	onOwnThread(func() {
		err := n.init()
		ready <- err
		if err == nil {
			n.serve()
		}
	})
	if err := <-ready; err != nil {
		return nil, err
	}
	return n, nil
}

// init moves the calling thread into a namespace of its own.
func (n *Namespace) init() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("netns: new network namespace: %w", err)
	}
	file, err := os.Open(threadNS)
	if err != nil {
		return fmt.Errorf("netns: new network namespace: %w", err)
	}
	nl, err := openNetlink()
	if err != nil {
		file.Close()
		return fmt.Errorf("netns: open netlink: %w", err)
	}
	n.file, n.nl = file, nl
	if err := n.setFlags("lo", unix.IFF_UP); err != nil {
		n.Close()
		return fmt.Errorf("netns: up lo: %w", err)
	}
	return nil
}

// serve runs on the thread that lives as long as the namespace.
func (n *Namespace) serve() {
	for {
		select {
		case f := <-n.starts:
			f()
		case <-n.closed:
			return
		}
	}
}

// onOwnThread calls f in a goroutine with an operating system thread of its own,
// which ends with f.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		// This is the process's first thread. It does not end before the process does,
		// and what /proc/self shows is its namespace. Hold it while another
		// is found.
		found := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(found)
			f()
		}()
		<-found
		runtime.UnlockOSThread()
	}()
}

// Do calls f on the calling goroutine, with its thread inside n, and returns
// what f returns. Sockets belong to the namespace that they were made in, so
// the listeners and connections that f makes stay in n. The goroutines
// that f starts do not: net.Dial of a literal address is in n, what an
// http.Client dials is not.
//
// Calls of Do may be concurrent, nested and long, and f may panic or end its goroutine.
func (n *Namespace) Do(f func() error) (err error) {
	runtime.LockOSThread()
	old, err := os.Open(threadNS)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("netns: enter: %w", err)
	}
	defer old.Close()
	if err := enter(n.file); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("netns: enter: %w", err)
	}
	defer func() {
		if e := enter(old); e != nil {
			// The thread stays locked, so that no other goroutine ever runs on it.
			err = errors.Join(err, fmt.Errorf("netns: leave: %w", e))
			return
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

// enter moves the calling thread into the namespace that file refers to.
func enter(file *os.File) error {
	return withFD(file, func(fd int) error { return unix.Setns(fd, unix.CLONE_NEWNET) })
}

// withFD calls f with file's descriptor, which stays open meanwhile.
func withFD(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := conn.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return os.ErrClosed // the only reason, but not by this name
	}
	return ferr
}

// Start starts cmd inside n, as cmd.Start does; the caller calls cmd.Wait.
//
// The process does not outlive n: it is killed by Close, and by the
// kernel when this process ends, however it ends. That goes for the process
// itself and not for those that it starts. Another signal than SIGKILL
// can be set as cmd.SysProcAttr.Pdeathsig.
func (n *Namespace) Start(cmd *exec.Cmd) error {
	var attr syscall.SysProcAttr
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr
	}
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = unix.SIGKILL
	}
	cmd.SysProcAttr = &attr

	// For Pdeathsig the parent is not the process but the thread, so it has to be
	// one that lives as long as the namespace.
	done := make(chan error, 1)
	select {
	case n.starts <- func() { done <- cmd.Start() }:
	case <-n.closed:
		return fmt.Errorf("netns: start %s: %w", cmd.Path, os.ErrClosed)
	}
	if err := <-done; err != nil {
		return fmt.Errorf("netns: start %s: %w", cmd.Path, err)
	}
	return nil
}

// Close kills the processes that Start started and lets go of the namespace. The
// kernel removes it, and the interfaces in it, shortly after its last socket and process
// are gone. Closing twice is harmless.
func (n *Namespace) Close() error {
	var err error
	n.close.Do(func() {
		close(n.closed)
		err = errors.Join(n.file.Close(), n.nl.close())
	})
	return err
}

// Sysctl sets a kernel parameter of the namespace, such as
// net.ipv4.tcp_congestion_control. As with sysctl(8), a name may be
// written with slashes, for interfaces with a dot in their name. Only
// parameters below net are a namespace's own, so others are refused.
func (n *Namespace) Sysctl(name, value string) error {
	path := name
	if !strings.Contains(name, "/") {
		path = strings.ReplaceAll(name, ".", "/")
	}
	if path != filepath.Clean(path) || !strings.HasPrefix(path, "net/") { // no way out by ..
		return fmt.Errorf("netns: sysctl %s: not a parameter of a network namespace", name)
	}
	err := n.Do(func() error {
		// /proc/sys/net shows the namespace of the thread that opens it.
		f, err := os.OpenFile(filepath.Join("/proc/sys", path), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(value)
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return fmt.Errorf("netns: sysctl %s=%s: %w", name, value, err)
	}
	return nil
}
