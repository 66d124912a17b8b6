package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// reexecuted is set in the environment of a process that Reexec started.
const reexecuted = "FTCP_NETNS_REEXECUTED"

// Supported returns nil if this process can make network namespaces, and
// otherwise an error that says why it cannot.
func Supported() error {
	// Whether it is allowed depends on capabilities, user namespaces, security
	// modules and system call filters, so try. A Do inside shows that it is
	// possible to return, too.
	n, err := New()
	if err == nil {
		err = n.Do(func() error { return nil })
		n.Close()
	}
	if err != nil {
		return fmt.Errorf("making network namespaces needs root or a user namespace: %w", err)
	}
	return nil
}

// Reexec makes sure that this process can make network namespaces. Call it
// first in main or TestMain.
//
// It returns nil if the process can already. If not, it runs the same program with
// the same arguments, environment and standard files again, as root of a new
// user namespace and with a network namespace that has only a loopback interface; then
// it passes on signals, and exits with the exit code of that run, in which its call of Reexec returns nil.
//
// It returns an error where user namespaces are not allowed or do not help.
func Reexec() error {
	err := Supported()
	if os.Getenv(reexecuted) != "" {
		if err != nil {
			return err
		}
		return loopbackUp()
	}
	if err == nil {
		return nil
	}

	cmd := exec.Command("/proc/self/exe") // also if the file has been removed, as go run does
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), reexecuted+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// The network namespace must be new too, since only who is root where it was
		// made may return to it, as Do does.
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   unix.SIGKILL,
	}

	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	runtime.LockOSThread() // for Pdeathsig the parent is the thread
	if err := cmd.Start(); err != nil {
		runtime.UnlockOSThread()
		signal.Stop(signals)
		if errors.Is(err, unix.ENOSPC) { // what it means here
			err = fmt.Errorf("more than user.max_user_namespaces allows: %w", err)
		}
		return fmt.Errorf("netns: new user namespace: %w", err)
	}
	go func() {
		for s := range signals {
			if s != unix.SIGINT { // which a terminal sends to both
				cmd.Process.Signal(s)
			}
		}
	}()
	cmd.Wait()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		os.Exit(128 + int(status.Signal())) // as a shell does
	}
	os.Exit(status.ExitStatus())
	panic("unreachable")
}

// loopbackUp brings up the loopback interface of the process's own namespace.
func loopbackUp() error {
	nl, err := openNetlink()
	if err != nil {
		return fmt.Errorf("netns: open netlink: %w", err)
	}
	defer nl.close()
	n := &Namespace{nl: nl}
	if err := n.setFlags("lo", unix.IFF_UP); err != nil {
		return fmt.Errorf("netns: up lo: %w", err)
	}
	return nil
}
