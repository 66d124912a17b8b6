// Package netns builds networks of real kernels for tests: hosts joined by a
// switch, each with the machine's own TCP/IP stack, without cables, virtual
// machines or programs to install.
//
// A [Host] is a Linux network namespace with an Ethernet interface; a [Switch]
// joins hosts. Code runs on a host either as a function or as a process:
//
//	sw, err := netns.NewSwitch()
//	…
//	defer sw.Close()
//	server, err := sw.Host(netip.MustParsePrefix("10.0.0.1/24"))
//	client, err := sw.Host(netip.MustParsePrefix("10.0.0.2/24"))
//	…
//	err = server.Start(exec.Command("./server", "-listen", "10.0.0.1:80"))
//	err = client.Do(func() (err error) {
//		conn, err = net.Dial("tcp", "10.0.0.1:80")
//		return err
//	})
//	server.Unplug() // conn is now on its own
//
// Topologies other than a star are built from [Namespace] directly: [New],
// then AddVeth, AddBridge, AddTUN, AddAddr and AddRoute. A network that is far away is a
// [Cable]: AddCable joins two namespaces by way of this process, which
// limits the rate, delays, loses and reorders what passes, as its [Faults] say.
//
// # Privileges
//
// Making a namespace takes root, or a user namespace, in which any user is
// root. A Cable needs /dev/net/tun, which is open to all on most systems. A program calls [Reexec] first in main or TestMain to be in one if it
// has to; a test calls [Supported] and skips itself with the reason.
//
// # What is left behind
//
// Nothing. Namespaces have no names in the file system: they live in open files, threads
// and processes, and are gone when those are, also after a crash.
//
// # Limits
//
// Interfaces have no IPv6 link-local address and send no router solicitations,
// so that nothing is on the wire but what the test sends; AddAddr adds a
// link-local address where one is needed. The file system, and with it
// /etc/resolv.conf, is everybody's: use literal addresses.
//
// Network namespaces exist on Linux only. Elsewhere the package compiles, and
// every function returns an error that wraps [errors.ErrUnsupported].
package netns
