//go:build !linux

package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
)

var errNotLinux = fmt.Errorf("netns: network namespaces need Linux, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Supported returns nil if this process can make network namespaces, and
// otherwise an error that says why it cannot.
func Supported() error { return errNotLinux }

// Reexec makes sure that this process can make network namespaces.
func Reexec() error { return errNotLinux }

// A Namespace is a network namespace.
type Namespace struct{}

// New makes a network namespace.
func New() (*Namespace, error) { return nil, errNotLinux }

// Do calls f inside n.
func (n *Namespace) Do(f func() error) error { return errNotLinux }

// Start starts cmd inside n.
func (n *Namespace) Start(cmd *exec.Cmd) error { return errNotLinux }

// Close lets go of the namespace.
func (n *Namespace) Close() error { return errNotLinux }

// AddVeth joins n and peer by a cable.
func (n *Namespace) AddVeth(name string, peer *Namespace, peerName string) error { return errNotLinux }

// AddCable joins n and peer by a cable with faults.
func (n *Namespace) AddCable(name string, peer *Namespace, peerName string, seed uint64, forth, back Faults) (*Cable, error) {
	return nil, errNotLinux
}

// A Cable joins two interfaces through this process.
type Cable struct{}

// Stats returns what has happened so far in each direction.
func (c *Cable) Stats() (forth, back Stats) { return Stats{}, Stats{} }

// Close removes the cable.
func (c *Cable) Close() error { return errNotLinux }

// AddBridge adds a bridge that joins the interfaces named in ports.
func (n *Namespace) AddBridge(name string, ports ...string) error { return errNotLinux }

// AddTUN adds a tunnel whose other end is a file.
func (n *Namespace) AddTUN(name string) (*os.File, error) { return nil, errNotLinux }

// AddAddr adds an address to an interface.
func (n *Namespace) AddAddr(ifname string, p netip.Prefix) error { return errNotLinux }

// AddRoute adds a route to dst by way of the router gw.
func (n *Namespace) AddRoute(dst netip.Prefix, gw netip.Addr) error { return errNotLinux }

// Up switches an interface on.
func (n *Namespace) Up(ifname string) error { return errNotLinux }

// Down switches an interface off.
func (n *Namespace) Down(ifname string) error { return errNotLinux }

// SetMTU sets the length of the longest packet that an interface sends.
func (n *Namespace) SetMTU(ifname string, mtu int) error { return errNotLinux }

// Sysctl sets a kernel parameter of the namespace.
func (n *Namespace) Sysctl(name, value string) error { return errNotLinux }

// A Switch joins hosts as an Ethernet switch does.
type Switch struct{}

// NewSwitch makes a switch with nothing plugged in.
func NewSwitch() (*Switch, error) { return nil, errNotLinux }

// Host makes a host and plugs it in.
func (s *Switch) Host(p netip.Prefix) (*Host, error) { return nil, errNotLinux }

// Close closes the switch and all its hosts.
func (s *Switch) Close() error { return errNotLinux }

// A Host is a namespace with an interface eth0 that is plugged into a switch.
type Host struct{ *Namespace }

// Unplug pulls the host's cable.
func (h *Host) Unplug() error { return errNotLinux }

// Plug puts the cable in again.
func (h *Host) Plug() error { return errNotLinux }

// Remove removes the host's interface.
func (h *Host) Remove() error { return errNotLinux }

// Insert gives the host another interface.
func (h *Host) Insert(addrs ...netip.Prefix) error { return errNotLinux }

// SetMAC gives the host's interface another Ethernet address.
func (h *Host) SetMAC(mac net.HardwareAddr) error { return errNotLinux }

// Forward says whether the switch forwards on the host's port.
func (h *Host) Forward(forward bool) error { return errNotLinux }
