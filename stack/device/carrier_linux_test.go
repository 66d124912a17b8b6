package device

import (
	"testing"
	"time"
)

// waitCarrier waits until the device says want. The kernel tells the other end of a veth
// pair a moment later.
func waitCarrier(t *testing.T, p *Packet, want bool, when string) {
	t.Helper()
	for deadline := time.Now().Add(patience); p.Carrier() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: carrier is %v", when, !want)
		}
	}
}

// Carrier follows the interface and the cable, asked from any namespace and whether the
// device has noticed or not.
func TestPacketCarrier(t *testing.T) {
	c := newCable(t)
	dev := c.openPacket(t, service4)
	in := readAll(t, c.a, dev)
	waitCarrier(t, dev, true, "at first")
	for range 2 {
		check(t, c.a.Down("eth0"))
		waitCarrier(t, dev, false, "interface down")
		check(t, c.a.Up("eth0"))
		waitCarrier(t, dev, true, "interface up again")
		check(t, c.b.Down("eth0"))
		waitCarrier(t, dev, false, "cable pulled out")
		check(t, c.b.Up("eth0"))
		waitCarrier(t, dev, true, "cable plugged in again")
	}
	select {
	case err := <-in.done:
		t.Fatal(err)
	default:
	}
	dev.Close()
	waitCarrier(t, dev, false, "device closed")
}

// An interface that was removed has no carrier, nor has one that takes its name.
func TestPacketCarrierRemoved(t *testing.T) {
	c := newCable(t)
	dev := c.openPacket(t, service4)
	waitCarrier(t, dev, true, "at first")
	removeLink(t, c.a, "eth0")
	waitCarrier(t, dev, false, "interface removed")
	check(t, c.a.AddVeth("eth0", c.b, "eth0"))
	again := c.openPacket(t, service4)
	waitCarrier(t, again, true, "another interface of that name")
	waitCarrier(t, dev, false, "the one of the removed interface")
}
