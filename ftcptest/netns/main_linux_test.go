package netns

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// The test binary is also the program that the tests start: this variable says
// which part it plays.
const rolesVar = "NETNS_TEST_ROLE"

var roles = map[string]func() error{
	"addresses": printAddresses,
	"reexec":    reexec,
	"wait":      wait,
}

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(rolesVar)]; role != nil {
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if err := Reexec(); err != nil {
		fmt.Fprintln(os.Stderr, err) // and the tests that need it say so too
	}
	os.Exit(m.Run())
}

// play returns a command that runs this binary in a role.
func play(role string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), rolesVar+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func needNamespaces(t testing.TB) {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skip(err)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something that the kernel does in its own time.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// dial connects from n.
func dial(n *Host, addr net.Addr, timeout time.Duration) (conn net.Conn, err error) {
	err = n.Do(func() error {
		conn, err = net.DialTimeout("tcp", addr.String(), timeout)
		return err
	})
	return conn, err
}

// echo says hello on conn and waits to hear it.
func echo(conn net.Conn, timeout time.Duration) error {
	const hello = "hello"
	if _, err := io.WriteString(conn, hello); err != nil {
		return err
	}
	conn.SetReadDeadline(time.Now().Add(timeout))
	buf := make([]byte, len(hello))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return err
	}
	if string(buf) != hello {
		return fmt.Errorf("echo is %q, want %q", buf, hello)
	}
	return nil
}

// serveEcho makes n listen on addr and send back what it receives.
func serveEcho(t *testing.T, n *Namespace, addr string) net.Addr {
	t.Helper()
	var ln net.Listener
	check(t, n.Do(func() (err error) {
		ln, err = net.Listen("tcp", addr)
		return err
	}))
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr()
}

func newNamespace(t testing.TB) *Namespace {
	t.Helper()
	needNamespaces(t)
	n, err := New()
	check(t, err)
	t.Cleanup(func() { n.Close() })
	return n
}

const (
	soon  = 100 * time.Millisecond // long enough to know that nothing comes
	never = 10 * time.Second       // the test fails by then
)

// wait ends when its standard input does.
func wait() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
