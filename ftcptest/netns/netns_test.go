//go:build linux

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
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

func needNamespaces(t *testing.T) {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skip(err)
	}
}

func check(t *testing.T, err error) {
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

func newSwitch(t *testing.T) *Switch {
	t.Helper()
	needNamespaces(t)
	sw, err := NewSwitch()
	check(t, err)
	t.Cleanup(func() { sw.Close() })
	return sw
}

func newHost(t *testing.T, sw *Switch, prefix string) *Host {
	t.Helper()
	h, err := sw.Host(netip.MustParsePrefix(prefix))
	check(t, err)
	return h
}

// hurry makes a host ask for a neighbor again after 20 ms instead of a second.
func hurry(t *testing.T, h *Host) {
	for _, name := range []string{
		"net.ipv4.neigh.eth0.retrans_time_ms",
		"net.ipv6.neigh.eth0.retrans_time_ms",
	} {
		if err := h.Sysctl(name, "20"); err != nil {
			t.Log(err) // the test takes longer then
		}
	}
}

func newNamespace(t *testing.T) *Namespace {
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

func TestUnplug(t *testing.T) {
	for _, test := range []struct{ name, server, client string }{
		{"IPv4", "10.0.0.1/24", "10.0.0.2/24"},
		{"IPv6", "fd00::1/64", "fd00::2/64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sw := newSwitch(t)
			server, client := newHost(t, sw, test.server), newHost(t, sw, test.client)
			hurry(t, server)
			hurry(t, client)
			ip := netip.MustParsePrefix(test.server).Addr()
			addr := serveEcho(t, server.Namespace, netip.AddrPortFrom(ip, 0).String())

			conn, err := dial(client, addr, never)
			check(t, err)
			defer conn.Close()
			check(t, echo(conn, never))

			check(t, server.Unplug())
			if conn, err := dial(client, addr, soon); err == nil {
				conn.Close()
				t.Fatal("dialed a host that is unplugged")
			}

			check(t, server.Plug())
			check(t, echo(conn, never))
			conn, err = dial(client, addr, never)
			check(t, err)
			defer conn.Close()
			check(t, echo(conn, never))
		})
	}
}

// Frames pass as soon as Host and Plug return: otherwise the first would be lost,
// and the next come after a second.
func TestReadyAtOnce(t *testing.T) {
	sw := newSwitch(t)
	client := newHost(t, sw, "10.0.0.1/24")
	for i := range 20 {
		server := newHost(t, sw, fmt.Sprintf("10.0.0.%d/24", i+2))
		addr := serveEcho(t, server.Namespace, fmt.Sprintf("10.0.0.%d:0", i+2))
		if i%2 != 0 {
			check(t, server.Unplug())
			check(t, server.Plug())
		}
		conn, err := dial(client, addr, 900*time.Millisecond)
		check(t, err)
		conn.Close()
	}
}

func TestHostClose(t *testing.T) {
	sw := newSwitch(t)
	server, client := newHost(t, sw, "10.0.0.1/24"), newHost(t, sw, "10.0.0.2/24")
	hurry(t, client)
	addr := serveEcho(t, server.Namespace, "10.0.0.1:0")
	check(t, server.Close()) // the listener lives on, but its cable does not
	if conn, err := dial(client, addr, soon); err == nil {
		conn.Close()
		t.Fatal("dialed a host that is closed")
	}
	if err := server.Plug(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Plug after Close: %v", err)
	}
	// Another takes its place.
	server = newHost(t, sw, "10.0.0.1/24")
	conn, err := dial(client, serveEcho(t, server.Namespace, "10.0.0.1:0"), never)
	check(t, err)
	conn.Close()
}

func TestRouter(t *testing.T) {
	left, router, right := newNamespace(t), newNamespace(t), newNamespace(t)
	check(t, left.AddVeth("eth0", router, "left"))
	check(t, right.AddVeth("eth0", router, "right"))
	for _, a := range []struct {
		n            *Namespace
		name, prefix string
	}{
		{left, "eth0", "10.0.1.2/24"},
		{router, "left", "10.0.1.1/24"},
		{router, "right", "10.0.2.1/24"},
		{right, "eth0", "10.0.2.2/24"},
	} {
		check(t, a.n.AddAddr(a.name, netip.MustParsePrefix(a.prefix)))
	}
	check(t, left.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.0.1.1")))
	check(t, right.AddRoute(netip.MustParsePrefix("10.0.1.0/24"), netip.MustParseAddr("10.0.2.1")))
	check(t, router.Sysctl("net.ipv4.ip_forward", "1"))

	addr := serveEcho(t, right, "10.0.2.2:0")
	conn, err := dial(&Host{Namespace: left}, addr, never)
	check(t, err)
	defer conn.Close()
	check(t, echo(conn, never))
}

func TestBridge(t *testing.T) {
	middle := newNamespace(t)
	ends := make([]*Namespace, 2)
	ports := []string{"a", "b"}
	for i, port := range ports {
		ends[i] = newNamespace(t)
		check(t, middle.AddVeth(port, ends[i], "eth0"))
		check(t, ends[i].AddAddr("eth0", netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", i+1))))
	}
	check(t, middle.AddBridge("br0", ports...))
	conn, err := dial(&Host{Namespace: ends[0]}, serveEcho(t, ends[1], "10.0.0.2:0"), never)
	check(t, err)
	conn.Close()
}

func TestDownUp(t *testing.T) {
	a, b := newNamespace(t), newNamespace(t)
	check(t, a.AddVeth("eth0", b, "eth0"))
	check(t, a.AddAddr("eth0", netip.MustParsePrefix("10.0.0.1/24")))
	check(t, b.AddAddr("eth0", netip.MustParsePrefix("10.0.0.2/24")))
	addr := serveEcho(t, a, "10.0.0.1:0")
	client := &Host{Namespace: b}

	check(t, b.Down("eth0"))
	if conn, err := dial(client, addr, soon); err == nil {
		conn.Close()
		t.Fatal("dialed over an interface that is down")
	}
	check(t, b.Up("eth0"))
	conn, err := dial(client, addr, never)
	check(t, err)
	conn.Close()
}

func TestSetMTU(t *testing.T) {
	n := newNamespace(t)
	check(t, n.AddVeth("a", n, "b"))
	check(t, n.SetMTU("a", 1280))
	check(t, n.Do(func() error {
		ifi, err := net.InterfaceByName("a")
		if err == nil && ifi.MTU != 1280 {
			t.Errorf("MTU is %d, want 1280", ifi.MTU)
		}
		return err
	}))
}

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

func TestErrors(t *testing.T) {
	n := newNamespace(t)
	check(t, n.AddVeth("a", n, "b"))
	for _, test := range []struct {
		err  error
		is   error
		text string
	}{
		{n.AddVeth("a", n, "c"), unix.EEXIST, "netns: add veth a to c: file exists"},
		{n.AddVeth("c", n, "a"), unix.EEXIST, "netns: add veth c to a: file exists"},
		{n.AddBridge("a"), unix.EEXIST, "netns: add bridge a: file exists"},
		{n.AddBridge("br0", "x"), unix.ENODEV, "netns: add port x to bridge br0: no such device"},
		{n.AddAddr("x", netip.MustParsePrefix("10.0.0.1/8")), unix.ENODEV, "netns: add address 10.0.0.1/8 to x: no such device"},
		{n.AddAddr("a", netip.Prefix{}), unix.EINVAL, "netns: add address to a: invalid argument: invalid Prefix"},
		{n.AddRoute(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParseAddr("192.0.2.1")), unix.ENETUNREACH, "netns: add route to 10.0.0.0/8 via 192.0.2.1: network is unreachable (Nexthop has invalid gateway)"},
		{n.AddRoute(netip.MustParsePrefix("10.0.0.0/8"), netip.Addr{}), unix.EINVAL, "netns: add route to 10.0.0.0/8 via invalid IP: invalid argument"},
		{n.Up("x"), unix.ENODEV, "netns: up x: no such device"},
		{n.Down("x"), unix.ENODEV, "netns: down x: no such device"},
		{n.SetMTU("a", 1), unix.EINVAL, "netns: set MTU of a to 1: invalid argument"},
		{n.Sysctl("net.no.such", "1"), os.ErrNotExist, "netns: sysctl net.no.such=1: "},
		{n.Start(exec.Command("/no/such/program")), os.ErrNotExist, "netns: start /no/such/program: "},
	} {
		if test.err == nil || !strings.HasPrefix(test.err.Error(), test.text) {
			t.Errorf("got  %v\nwant %s", test.err, test.text)
		}
		if !errors.Is(test.err, test.is) {
			t.Errorf("%v: not %v", test.err, test.is)
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

// wait ends when its standard input does.
func wait() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

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
	for range 10 {
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
