package device

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/ftcp-project/ftcp/stack/errno"
)

// A fakeKernel counts reservations.
type fakeKernel struct {
	reserved map[netip.AddrPort]bool
	used     map[uint16]bool
}

func newFakePorts() (*fakeKernel, *Ports) {
	k := &fakeKernel{map[netip.AddrPort]bool{}, map[uint16]bool{}}
	return k, &Ports{reserve: k.reserve, used: func(port uint16) bool { return k.used[port] }, ports: map[uint16]*port{}}
}

func (k *fakeKernel) reserve(addr netip.AddrPort) (uint16, func(), error) {
	if addr.Port() == 0 {
		addr = netip.AddrPortFrom(addr.Addr(), 40000)
	}
	if k.reserved[addr] {
		return 0, nil, fmt.Errorf("bind: %w", errno.AddrInUse)
	}
	k.reserved[addr] = true
	return addr.Port(), func() { delete(k.reserved, addr) }, nil
}

func TestPorts(t *testing.T) {
	k, p := newFakePorts()
	want := func(n int) {
		t.Helper()
		if len(k.reserved) != n {
			t.Fatalf("reserved: %v; want %d", k.reserved, n)
		}
	}
	hold := func(addr string) netip.AddrPort {
		t.Helper()
		a, err := p.Hold(netip.MustParseAddrPort(addr))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	// A port that nobody came to use, as of a Dial that has failed.
	if a := hold("127.0.0.1:0"); a.Port() != 40000 {
		t.Fatal(a)
	}
	p.Free(40000)
	want(1)
	p.Done(40000)
	want(0)

	// One that is used for longer than it is held, and held again by a second listener.
	hold("127.0.0.1:80")
	k.used[80] = true
	p.Done(80)
	want(1)
	hold("127.0.0.1:80")
	k.used[80] = false
	p.Free(80)
	want(1)
	k.used[80] = true
	p.Done(80)
	want(1)

	// Another address of the same port, and all of them.
	hold("127.0.0.2:80")
	want(2)
	hold("[::]:81")
	hold("127.0.0.1:81")
	hold("[::1]:81")
	want(3)
	hold("0.0.0.0:82")
	hold("127.0.0.1:82")
	want(4)
	hold("[::1]:82")
	want(5)
	p.Done(80)
	k.used[80] = false
	p.Free(80)
	want(3)
	p.Free(80)

	k.reserved[netip.MustParseAddrPort("127.0.0.1:90")] = true
	if _, err := p.Hold(netip.MustParseAddrPort("127.0.0.1:90")); err != errno.AddrInUse {
		t.Errorf("%v", err)
	}
	p.Close()
	want(1)
	if _, err := p.Hold(netip.MustParseAddrPort("127.0.0.1:91")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}
