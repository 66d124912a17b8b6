package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
)

func TestARPCapture(t *testing.T) {
	a, b := MAC{2, 0, 0, 0, 0, 0xa}, MAC{2, 0, 0, 0, 0, 0xb}
	for _, tt := range []struct {
		frame []byte
		want  ARP
	}{
		{arpRequest, ARP{ARPRequest, a, addr("10.0.0.1"), MAC{}, addr("10.0.0.2")}},
		{arpReply, ARP{ARPReply, b, addr("10.0.0.2"), a, addr("10.0.0.1")}},
	} {
		got, err := ParseARP(tt.frame[EthernetLen:])
		if err != nil || got != tt.want {
			t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
		}
		if got := tt.want.Append(nil); !bytes.Equal(got, tt.frame[EthernetLen:]) {
			t.Errorf("append: %x", got)
		}
		if got.Probe() || got.Gratuitous() {
			t.Errorf("%+v is a probe or gratuitous", got)
		}
	}
}

func TestARPErrors(t *testing.T) {
	good := arpRequest[EthernetLen:]
	if _, err := ParseARP(good[:27]); !errors.Is(err, ErrShort) {
		t.Errorf("27 bytes: %v", err)
	}
	if _, err := ParseARP(append(bytes.Clone(good), make([]byte, 18)...)); err != nil {
		t.Errorf("padded to 60 bytes: %v", err)
	}
	for i := range 6 {
		b := bytes.Clone(good)
		b[i]++
		if _, err := ParseARP(b); !errors.Is(err, ErrUnsupported) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

func TestARPKinds(t *testing.T) {
	zero, one, two := netip.IPv4Unspecified(), addr("10.0.0.1"), addr("10.0.0.2")
	for _, tt := range []struct {
		name              string
		a                 ARP
		probe, gratuitous bool
	}{
		{"probe", ARP{Op: ARPRequest, SenderIP: zero, TargetIP: two}, true, false},
		{"probe without address", ARP{Op: ARPRequest, TargetIP: two}, true, false},
		{"request", ARP{Op: ARPRequest, SenderIP: one, TargetIP: two}, false, false},
		{"announcement", ARP{Op: ARPRequest, SenderIP: one, TargetIP: one}, false, true},
		{"announcing reply", ARP{Op: ARPReply, SenderIP: one, TargetIP: one}, false, true},
		{"reply from nobody", ARP{Op: ARPReply, SenderIP: zero, TargetIP: one}, false, false},
		{"zeros", ARP{Op: ARPRequest, SenderIP: zero, TargetIP: zero}, true, false},
	} {
		if tt.a.Probe() != tt.probe || tt.a.Gratuitous() != tt.gratuitous {
			t.Errorf("%s: Probe %v, Gratuitous %v", tt.name, tt.a.Probe(), tt.a.Gratuitous())
		}
	}
}

func FuzzARP(f *testing.F) {
	f.Add(arpRequest[EthernetLen:])
	f.Add(arpReply[EthernetLen:])
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseARP(b)
		if err != nil {
			return
		}
		if got := a.Append(nil); !bytes.Equal(got, b[:arpLen]) {
			t.Fatalf("%x became %x", b, got)
		}
		if a.Probe() && a.Gratuitous() {
			t.Fatalf("%+v is both", a)
		}
	})
}
