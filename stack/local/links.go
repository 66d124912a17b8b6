package local

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// Config says where the links of a stack come from.
type Config struct {
	// Device, if not nil, carries the packets of the one address that there is. Nil: the
	// operating system has devices.
	Device device.Device

	// Interface is the network interface for service addresses. Empty: the one whose
	// network has the address.
	Interface string

	// Grouped says that other nodes may answer for the same addresses. These are then
	// known to all of them, and no kernel's.
	Grouped bool

	// MAC, if not nil, returns the Ethernet address that goes with a service address.
	// Zero, and nil: the device's own.
	MAC func(netip.Addr) wire.MAC
}

// Links are a stack and its links, none at first. The methods may be called at the same
// time. Listen and Source wait for each other, and while an address is probed; Close does
// not.
type Links struct {
	// Stack is what the links are added to. Whoever closes it calls Close next.
	Stack *stack.Stack

	cfg Config

	// opening is a lock: whoever has sent to it holds it. (A mutex would not do, since to
	// wait for one stops the virtual time of testing/synctest.) It guards links and
	// first.
	opening chan struct{}
	links   map[netip.Addr]*stack.Link // by service address; the zero Addr is the kernel's
	first   *stack.Link

	mu     sync.Mutex    // guards what follows; taken after opening
	ports  *device.Ports // of the kernel's addresses; set with opening held
	closed bool
}

// New returns a new stack without links. It uses the configuration's PortFree itself.
func New(config stack.Config, cfg Config) *Links {
	l := &Links{cfg: cfg, opening: make(chan struct{}, 1), links: map[netip.Addr]*stack.Link{}}
	config.PortFree = l.portFree
	l.Stack = stack.New(config)
	return l
}

// portFree is called by the stack when it does not use a port any more.
func (l *Links) portFree(number uint16) {
	l.mu.Lock()
	ports := l.ports
	l.mu.Unlock()
	if ports != nil {
		ports.Free(number)
	}
}

// Close gives back what has been reserved. The links are the stack's to close.
func (l *Links) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.ports != nil {
		l.ports.Close()
	}
}

// link returns the link for an address, which it makes if there is none yet. It asks for
// that long whether the address is free. opening is held.
func (l *Links) link(addr netip.Addr, probe time.Duration) (*stack.Link, error) {
	link, err := l.links[addr], error(nil)
	if link == nil {
		link, err = l.open(addr, probe)
	}
	if err == nil && l.first == nil {
		l.first = link
	}
	return link, err
}

// open makes a link for an address that has none of its own.
func (l *Links) open(addr netip.Addr, probe time.Duration) (*stack.Link, error) {
	if l.cfg.Grouped {
		probe = 0 // a group asks by itself
	}
	if l.cfg.Device != nil {
		if len(l.links) > 0 {
			return nil, fmt.Errorf("ftcp: Node.Device carries one address, and that is %s", l.first.Addr())
		}
		return l.add(addr, l.cfg.Device, stack.LinkConfig{Addr: addr.WithZone(""), MAC: l.mac(addr), Probe: probe})
	}
	owned := addr.IsUnspecified() || addr.IsLoopback()
	if !owned {
		var err error
		if owned, err = device.KernelOwns(addr); err != nil {
			return nil, err
		}
	}
	if owned && l.cfg.Grouped {
		return nil, fmt.Errorf("ftcp: the kernel of this machine owns %s; a group needs a service address that is on no interface", addr)
	}
	if owned {
		return l.kernels()
	}
	return l.service(addr, probe)
}

// service makes the link for an address that no kernel owns.
func (l *Links) service(addr netip.Addr, probe time.Duration) (*stack.Link, error) {
	name, prefix, err := device.InterfaceFor(addr)
	if err != nil && l.cfg.Interface == "" {
		return nil, err
	}
	if l.cfg.Interface != "" {
		name = l.cfg.Interface
	}
	// By its name, since an interface that was removed and made again is another one.
	open := func() (device.Device, error) {
		dev, err := device.OpenPacket(device.PacketConfig{Interface: name, Addr: addr, MAC: l.mac(addr)})
		if err != nil {
			return nil, err // and not a Device that is a nil *Packet
		}
		return dev, nil
	}
	dev, err := open()
	if err != nil {
		return nil, err
	}
	return l.add(addr, dev, stack.LinkConfig{
		Addr: addr.WithZone(""), MAC: l.mac(addr), Prefix: prefix.Masked(), Probe: probe,
		NextHop: func(dst netip.Addr) (netip.Addr, error) { return device.NextHop(name, dst) },
		Reopen:  open,
	})
}

// kernels returns the link for all addresses that the kernel owns.
func (l *Links) kernels() (*stack.Link, error) {
	if link := l.links[netip.Addr{}]; link != nil {
		return link, nil
	}
	dev, err := device.OpenLocal()
	if err != nil {
		return nil, err
	}
	if err := l.reserve(device.NewPorts(dev, l.Stack.PortUsed)); err != nil {
		dev.Close()
		return nil, err
	}
	return l.add(netip.Addr{}, dev, stack.LinkConfig{})
}

// reserve makes ports those of the kernel's addresses.
func (l *Links) reserve(ports *device.Ports) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.ports = ports
	return nil
}

// add adds a device to the stack.
func (l *Links) add(addr netip.Addr, dev device.Device, cfg stack.LinkConfig) (*stack.Link, error) {
	link, err := l.Stack.AddLink(dev, cfg)
	if err != nil {
		dev.Close()
		return nil, err
	}
	l.links[addr] = link
	return link, nil
}

// mac is the Ethernet address that goes with a service address; zero: the device's own.
func (l *Links) mac(addr netip.Addr) wire.MAC {
	if l.cfg.MAC == nil {
		return wire.MAC{}
	}
	return l.cfg.MAC(addr)
}

// reserves says that the ports of a link's addresses are reserved in the kernel.
func (l *Links) reserves(link *stack.Link) bool { return link == l.links[netip.Addr{}] }
