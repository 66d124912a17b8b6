package netns

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody makes cmd run as a user who can do nothing.
func asNobody(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	needNamespaces(t)
	const nobody = 65534
	if b, err := os.ReadFile("/proc/self/uid_map"); err == nil && os.Getenv(reexecuted) != "" {
		t.Skipf("this user namespace has no user %d, only %q", nobody, bytes.TrimSpace(b))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		Pdeathsig:  unix.SIGKILL,
	}
}

func TestReexec(t *testing.T) {
	cmd := play("reexec")
	asNobody(t, cmd)
	cmd.Args = append(cmd.Args, "argument")
	cmd.Stdin = strings.NewReader("input")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == exitNotAllowed {
		t.Skipf("user namespaces are not allowed here: %s", &stderr)
	}
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != exitFine {
		t.Fatalf("%v: %s", err, &stderr)
	}
	if got, want := string(out), "user 0, arguments [argument], input\n"; got != want {
		t.Errorf("output %q, want %q", got, want)
	}
}

const (
	exitFine       = 42 // shows that the exit code is handed on
	exitNotAllowed = 43
)

// reexec is what a user's program does.
func reexec() error {
	if os.Geteuid() != 0 && Supported() == nil {
		return errors.New("Supported without privileges")
	}
	if err := Reexec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitNotAllowed)
	}
	if err := Reexec(); err != nil {
		return fmt.Errorf("second Reexec: %w", err)
	}

	// In a namespace that is not from New, too, there is a loopback interface.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return err
	}
	conn.Close()

	sw, err := NewSwitch()
	if err != nil {
		return err
	}
	defer sw.Close()
	server, err := sw.Host(netip.MustParsePrefix("10.0.0.1/24"))
	if err != nil {
		return err
	}
	client, err := sw.Host(netip.MustParsePrefix("10.0.0.2/24"))
	if err != nil {
		return err
	}
	if err := server.Sysctl("net.ipv4.tcp_syn_retries", "1"); err != nil {
		return err
	}
	err = server.Do(func() error {
		ln, err = net.Listen("tcp", "10.0.0.1:0")
		return err
	})
	if err != nil {
		return err
	}
	defer ln.Close()
	if conn, err = dial(client, ln.Addr(), never); err != nil {
		return err
	}
	conn.Close()

	cmd := play("wait")
	if err := server.Start(cmd); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return err
	}

	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	fmt.Printf("user %d, arguments %v, %s\n", os.Getuid(), os.Args[1:], input)
	os.Exit(exitFine)
	return nil
}

// The second run does not outlive the first.
func TestReexecKilled(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestReexecKilledChild$", "-test.v")
	asNobody(t, cmd)
	cmd.Env = append(os.Environ(), "NETNS_TEST_BLOCK=1")
	stdin, err := cmd.StdinPipe()
	check(t, err)
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()

	out := bufio.NewReader(stdout)
	for {
		line, err := out.ReadString('\n')
		if strings.Contains(line, "user namespace: ") {
			t.Skip(strings.TrimSpace(line))
		}
		check(t, err)
		if line == "blocked\n" {
			break
		}
	}
	check(t, cmd.Process.Kill())
	// The pipe ends when the last process that could write to it has.
	_, err = io.Copy(io.Discard, out)
	check(t, err)
}

func TestReexecKilledChild(t *testing.T) {
	if os.Getenv("NETNS_TEST_BLOCK") == "" {
		t.Skip("part of TestReexecKilled")
	}
	if err := Supported(); err != nil {
		t.Fatalf("no user namespace: %v", err)
	}
	fmt.Print("\nblocked\n")
	check(t, wait())
}
