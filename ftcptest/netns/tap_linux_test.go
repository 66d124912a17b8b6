package netns

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"
)

// A packet that is written to the file is answered by the kernel at the other end.
func TestTUN(t *testing.T) {
	n := newNamespace(t)
	tun, err := n.AddTUN("tun0")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	check(t, err)
	defer tun.Close()
	check(t, n.AddAddr("tun0", netip.MustParsePrefix("10.0.0.1/24")))

	ping := []byte{
		0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0x66, 0xde, 10, 0, 0, 2, 10, 0, 0, 1,
		8, 0, 0xf7, 0xfe, 0, 1, 0, 0,
	}
	_, err = tun.Write(ping)
	check(t, err)
	check(t, tun.SetReadDeadline(time.Now().Add(never)))
	b := make([]byte, 1500)
	k, err := tun.Read(b)
	check(t, err)
	if k != len(ping) || b[20] != 0 || string(b[12:16]) != string(ping[16:20]) {
		t.Errorf("got %x; want the answer to a ping", b[:k])
	}
}

func TestTUNTwice(t *testing.T) {
	n := newNamespace(t)
	tun, err := n.AddTUN("tun0")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	check(t, err)
	defer tun.Close()
	if _, err := n.AddTUN("tun0"); err == nil || err.Error() != "netns: add TUN tun0: TUNSETIFF: device or resource busy" {
		t.Errorf("the second of a name: %v", err)
	}
}
