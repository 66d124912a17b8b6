package netns

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLoopback(t *testing.T) {
	n := newNamespace(t)
	addr := serveEcho(t, n, "127.0.0.1:0")
	conn, err := dial(&Host{Namespace: n}, addr, never)
	check(t, err)
	conn.Close()
	if conn, err := net.Dial("tcp", addr.String()); err == nil {
		conn.Close()
		t.Error("dialed a listener in a namespace from outside of it")
	}
}

func TestSysctl(t *testing.T) {
	n := newNamespace(t)
	if unix.Access("/proc/sys/net", unix.W_OK) == unix.EROFS {
		t.Skip("/proc/sys is mounted read-only here, as containers do")
	}
	const name = "net.ipv4.tcp_syn_retries"
	read := func() string {
		b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_syn_retries")
		check(t, err)
		return strings.TrimSpace(string(b))
	}
	outside := read()
	check(t, n.Sysctl(name, "11"))
	check(t, n.Do(func() error {
		if got := read(); got != "11" {
			t.Errorf("%s inside is %s, want 11", name, got)
		}
		return nil
	}))
	if got := read(); got != outside {
		t.Errorf("%s outside went from %s to %s", name, outside, got)
	}
	// None of these exists, in case they are tried.
	for _, name := range []string{"kernel.nosuch", "net/../kernel/nosuch", "net/ipv4/../../kernel/nosuch", "/net/nosuch", "net", ""} {
		if err := n.Sysctl(name, "1"); err == nil || !strings.HasSuffix(err.Error(), ": not a parameter of a network namespace") {
			t.Errorf("Sysctl(%q): %v", name, err)
		}
	}
}

func TestClosed(t *testing.T) {
	n, other := newNamespace(t), newNamespace(t)
	check(t, n.Close())
	check(t, n.Close())
	prefix := netip.MustParsePrefix("10.0.0.1/24")
	for name, err := range map[string]error{
		"Do":       n.Do(func() error { t.Error("f was called"); return nil }),
		"Start":    n.Start(play("wait")),
		"AddVeth":  n.AddVeth("a", other, "b"),
		"peer":     other.AddVeth("a", n, "b"),
		"AddAddr":  n.AddAddr("lo", prefix),
		"AddRoute": n.AddRoute(prefix, prefix.Addr()),
		"Up":       n.Up("lo"),
		"Sysctl":   n.Sysctl("net.ipv4.ip_forward", "1"),
	} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func TestDoNested(t *testing.T) {
	a, b := newNamespace(t), newNamespace(t)
	outside := currentNS(t)
	var inA, inB string
	check(t, a.Do(func() error {
		inA = currentNS(t)
		check(t, b.Do(func() error {
			inB = currentNS(t)
			return nil
		}))
		if got := currentNS(t); got != inA {
			t.Errorf("after the inner Do in %s, want %s", got, inA)
		}
		return nil
	}))
	if inA == inB || inA == outside || inB == outside {
		t.Errorf("outside in %s, in a in %s, in b in %s", outside, inA, inB)
	}
	if got := currentNS(t); got != outside {
		t.Errorf("after Do in %s, want %s", got, outside)
	}
}

func TestDoPanic(t *testing.T) {
	n := newNamespace(t)
	outside := currentNS(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic got lost")
			}
		}()
		n.Do(func() error { panic("test") })
	}()
	if got := currentNS(t); got != outside {
		t.Errorf("after Do in %s, want %s", got, outside)
	}
}

func currentNS(t *testing.T) string {
	t.Helper()
	ns, err := os.Readlink(threadNS)
	check(t, err)
	return ns
}

func TestStart(t *testing.T) {
	host := newHost(t, newSwitch(t), "10.0.0.1/24")
	check(t, host.AddAddr(hostEthernet, netip.MustParsePrefix("fd00::1/64")))
	cmd := play("addresses")
	var out bytes.Buffer
	cmd.Stdout = &out
	check(t, host.Start(cmd))
	check(t, cmd.Wait())
	addrs := strings.Fields(out.String())
	slices.Sort(addrs)
	want := []string{"10.0.0.1/24", "127.0.0.1/8", "::1/128", "fd00::1/64"}
	if !slices.Equal(addrs, want) {
		t.Errorf("addresses of the child are %v, want %v", addrs, want)
	}
}

func printAddresses() error {
	addrs, err := net.InterfaceAddrs()
	for _, a := range addrs {
		fmt.Println(a)
	}
	return err
}

func TestCloseKills(t *testing.T) {
	n := newNamespace(t)
	cmd := play("wait")
	stdin, err := cmd.StdinPipe()
	check(t, err)
	defer stdin.Close()
	check(t, n.Start(cmd))
	check(t, n.Close())
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != unix.SIGKILL {
		t.Errorf("child ended with %v, want SIGKILL", err)
	}
}

// After Close no descriptor, no thread in another namespace and no process is left.
func TestNothingLeft(t *testing.T) {
	needNamespaces(t)
	outside := currentNS(t)
	use := func() {
		sw, err := NewSwitch()
		check(t, err)
		defer sw.Close()
		server, client := newHost(t, sw, "10.0.0.1/24"), newHost(t, sw, "10.0.0.2/24")
		var ln net.Listener
		check(t, server.Do(func() (err error) {
			ln, err = net.Listen("tcp", "10.0.0.1:0")
			return err
		}))
		defer ln.Close()
		conn, err := dial(client, ln.Addr(), never)
		check(t, err)
		conn.Close()
		cmd := play("addresses")
		check(t, client.Start(cmd))
		check(t, cmd.Wait())
	}
	use()
	fds := descriptors(t)
	for range 5 {
		use()
	}
	if now := descriptors(t); now > fds {
		t.Errorf("%d descriptors are open, were %d before", now, fds)
	}
	eventually(t, "all threads in "+outside, func() bool {
		threads, err := filepath.Glob("/proc/self/task/*/ns/net")
		check(t, err)
		for _, thread := range threads {
			ns, err := os.Readlink(thread)
			if err == nil && ns != outside { // an error: it has ended
				return false
			}
		}
		return true
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(entries)
}
