package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestParseEthernet(t *testing.T) {
	h, payload, err := ParseEthernet(syn)
	want := Ethernet{Dst: MAC{2, 0, 0, 0, 0, 0xb}, Src: MAC{2, 0, 0, 0, 0, 0xa}, Type: EtherTypeIPv4}
	if err != nil || h != want || !bytes.Equal(payload, syn[14:]) {
		t.Errorf("got %v, %d bytes, %v; want %v", h, len(payload), err, want)
	}
	if _, _, err := ParseEthernet(syn[:13]); !errors.Is(err, ErrShort) {
		t.Errorf("13 bytes: %v, want ErrShort", err)
	}
	if _, payload, err := ParseEthernet(syn[:14]); err != nil || len(payload) != 0 {
		t.Errorf("14 bytes: %d bytes of payload, %v", len(payload), err)
	}
}

func TestMAC(t *testing.T) {
	for _, tt := range []struct {
		m         MAC
		s         string
		zero      bool
		multicast bool
	}{
		{MAC{}, "00:00:00:00:00:00", true, false},
		{Broadcast, "ff:ff:ff:ff:ff:ff", false, true},
		{MAC{2, 0xab, 0, 0, 0, 1}, "02:ab:00:00:00:01", false, false},
		{MAC{0x33, 0x33}, "33:33:00:00:00:00", false, true},
	} {
		if tt.m.String() != tt.s || tt.m.IsZero() != tt.zero || tt.m.IsMulticast() != tt.multicast {
			t.Errorf("%v: zero %v, multicast %v", tt.m, tt.m.IsZero(), tt.m.IsMulticast())
		}
	}
}

func FuzzEthernet(f *testing.F) {
	for _, b := range frames {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := ParseEthernet(b)
		if err != nil {
			if len(b) >= EthernetLen {
				t.Fatal(err)
			}
			return
		}
		if got := append(h.Append(nil), payload...); !bytes.Equal(got, b) {
			t.Fatalf("%x became %x", b, got)
		}
	})
}
