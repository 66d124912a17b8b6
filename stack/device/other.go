//go:build !linux

package device

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
)

var errNone = fmt.Errorf("device: no packet device on %s; set Node.Device: %w", runtime.GOOS, errors.ErrUnsupported)

// Packet is a device that exists on Linux only.
type Packet struct{ none }

// OpenPacket opens a device for a service address, on Linux. Elsewhere it fails.
func OpenPacket(PacketConfig) (*Packet, error) { return nil, errNone }

// Local is a device that exists on Linux only.
type Local struct{ none }

// OpenLocal opens a device for the machine's own addresses, on Linux. Elsewhere it fails.
func OpenLocal() (*Local, error) { return nil, errNone }

// MTUFor fails, as everything does on this system.
func (*Local) MTUFor(netip.Addr) int { return 0 }

// Reserve fails, as everything does on this system.
func (*Local) Reserve(netip.AddrPort) (port uint16, release func(), err error) {
	return 0, nil, errNone
}

// NextHop fails, as everything does on this system.
func NextHop(string, netip.Addr) (netip.Addr, error) { return netip.Addr{}, errNone }

// none is a Device that fails, so that programs compile on every system.
type none struct{}

func (none) Read([]Inbound) (int, error) { return 0, errNone }
func (none) Write([]Outbound) error      { return errNone }
func (none) Features() Features          { return Features{} }
func (none) Stats() Stats                { return Stats{} }
func (none) Close() error                { return nil }
