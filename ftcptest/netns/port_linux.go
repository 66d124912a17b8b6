package netns

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// bridgePortDisabled is from linux/if_bridge.h: BR_STATE_DISABLED. A bridge without a
// spanning tree leaves a port in no other state that does not forward.
const bridgePortDisabled = 0

// Remove removes the host's interface eth0, and with it the addresses and routes.
func (h *Host) Remove() error {
	if err := h.delLink(hostEthernet); err != nil {
		return fmt.Errorf("netns: remove %s: %w", hostEthernet, err)
	}
	return nil
}

// Insert gives a host whose interface was removed another eth0, with addresses. It has
// another MAC and another index than the first one. It is plugged in, and frames pass
// when Insert returns.
func (h *Host) Insert(addrs ...netip.Prefix) error {
	err := h.sw.AddVeth(h.port, h.Namespace, hostEthernet)
	if err == nil {
		err = h.sw.addPort(switchBridge, h.port)
	}
	for _, p := range addrs {
		if err == nil {
			err = h.AddAddr(hostEthernet, p)
		}
	}
	return err
}

// SetMAC gives the host's interface eth0 another Ethernet address.
func (h *Host) SetMAC(mac net.HardwareAddr) error {
	req := setLink(hostEthernet)
	req.attr(unix.IFLA_ADDRESS, []byte(mac))
	if _, err := h.nl.call(req); err != nil {
		return fmt.Errorf("netns: set MAC of %s to %v: %w", hostEthernet, mac, err)
	}
	return nil
}

// Forward says whether the switch forwards on the host's port. One with a spanning tree
// does not in the first seconds after a cable is plugged in, although both ends have
// carrier.
func (h *Host) Forward(forward bool) error {
	state := uint8(bridgePortDisabled)
	if forward {
		state = bridgePortForwarding
	}
	l, err := h.sw.link(h.port)
	if err == nil {
		req := newRequest(unix.RTM_SETLINK, 0, unix.IfInfomsg{Family: unix.AF_BRIDGE, Index: l.index})
		req.nest(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, func() { req.attr(unix.IFLA_BRPORT_STATE, state) })
		_, err = h.sw.nl.call(req)
	}
	if err == nil {
		err = h.sw.await(h.port, func(l link) bool { return l.portState == state })
	}
	if err != nil {
		return fmt.Errorf("netns: forward on %s: %w", h.port, err)
	}
	return nil
}
