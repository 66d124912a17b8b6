package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var (
	presenceKey = [32]byte{1, 2, 3}
	presence    = Presence{
		Kind: PresenceAnswer, Role: 2, Standby: true, Slot: 0xab, Incarnation: 0x1c, Lineage: 0xcafe,
		Epoch: 7, Revision: 9, Reigned: 61_500, To: 0x77, Nonce: 0x1234567890abcdef,
	}
)

// The bytes of a message, which other versions have to understand.
func TestPresenceBytes(t *testing.T) {
	unsigned := unhex("66746370 01 02 02 01" +
		"00000000000000ab 000000000000001c 000000000000cafe 0000000000000007" +
		"0000000000000009 000000000000f03c 0000000000000077 1234567890abcdef")
	h := hmac.New(sha256.New, presenceKey[:])
	h.Write(unsigned)
	want := append([]byte("before"), append(unsigned, h.Sum(nil)[:16]...)...)
	if got := presence.Append([]byte("before"), &presenceKey); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	if PresenceLen != len(want)-len("before") {
		t.Errorf("PresenceLen is %d", PresenceLen)
	}
}

// Every field arrives, and each in its own place.
func TestPresenceFields(t *testing.T) {
	messages := []Presence{presence, {Kind: PresenceQuery}, {Kind: PresenceBeacon, Nonce: 1}, {Kind: PresenceVerdict, Role: 255}}
	for i := range reflect.TypeFor[Presence]().NumField() {
		p := Presence{Kind: PresenceQuery}
		switch f := reflect.ValueOf(&p).Elem().Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Uint8:
			f.SetUint(3)
		default:
			f.SetUint(1<<63 + 1)
		}
		messages = append(messages, p)
	}
	for _, p := range messages {
		for _, after := range []string{"", "padding"} {
			got, err := ParsePresence(append(p.Append(nil, &presenceKey), after...), &presenceKey)
			if err != nil || got != p {
				t.Errorf("%+v\nbecame %+v, %v", p, got, err)
			}
		}
	}
}

func TestPresenceErrors(t *testing.T) {
	good := presence.Append(nil, &presenceKey)
	change := func(i int, by byte) []byte {
		b := bytes.Clone(good)
		b[i] ^= by
		return b
	}
	unknown := presence
	unknown.Kind = 5
	none := presence
	none.Kind = 0
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrPresenceShort},
		{"no version", good[:4], ErrPresenceShort},
		{"the last byte missing", good[:len(good)-1], ErrPresenceShort},
		{"another magic, short", []byte("hello"), ErrPresenceMagic},
		{"another version, short", change(4, 3)[:5], ErrPresenceVersion},
		{"unknown kind", unknown.Append(nil, &presenceKey), ErrPresenceKind},
		{"no kind", none.Append(nil, &presenceKey), ErrPresenceKind},
	} {
		if p, err := ParsePresence(tt.b, &presenceKey); err != tt.want || p != (Presence{}) {
			t.Errorf("%s: %+v, %v; want %v", tt.name, p, err, tt.want)
		}
	}
	for i := range good {
		want := ErrPresenceMAC
		switch {
		case i < 4:
			want = ErrPresenceMagic
		case i == 4:
			want = ErrPresenceVersion
		}
		for bit := range 8 {
			if _, err := ParsePresence(change(i, 1<<bit), &presenceKey); err != want {
				t.Errorf("bit %d of byte %d changed: %v; want %v", bit, i, err, want)
			}
		}
	}
	for i := range presenceKey {
		other := presenceKey
		other[i] ^= 1
		if _, err := ParsePresence(good, &other); err != ErrPresenceMAC {
			t.Errorf("byte %d of the key changed: %v", i, err)
		}
	}
	for err, kind := range map[error]error{
		ErrPresenceShort: ErrShort, ErrPresenceMagic: ErrUnsupported, ErrPresenceVersion: ErrUnsupported,
		ErrPresenceMAC: ErrChecksum, ErrPresenceKind: ErrUnsupported,
	} {
		if !errors.Is(err, kind) {
			t.Errorf("%v is not %v", err, kind)
		}
	}
}

// Anybody on the network can send as many as he likes.
func TestPresenceAllocates(t *testing.T) {
	good := presence.Append(nil, &presenceKey)
	forged := presence.Append(nil, &[32]byte{})
	room := make([]byte, 0, PresenceLen)
	if n := testing.AllocsPerRun(100, func() {
		ParsePresence(good, &presenceKey)
		ParsePresence(forged, &presenceKey)
		presence.Append(room, &presenceKey)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPresenceString(t *testing.T) {
	for _, tt := range []struct {
		p    Presence
		want string
	}{
		{presence, "presence answer, role 2, standby, slot ab, incarnation 1c, lineage cafe, epoch 7, revision 9, " +
			"reigned 1m1.5s, to 77, nonce 1234567890abcdef"},
		{Presence{Kind: PresenceQuery, Nonce: 5}, "presence query, role 0, slot 0, incarnation 0, lineage 0, epoch 0, revision 0, nonce 5"},
		{Presence{Kind: 9, Reigned: 1 << 63}, "presence kind 9, role 0, slot 0, incarnation 0, lineage 0, epoch 0, revision 0, " +
			"reigned 9223372036854775808ms, nonce 0"},
	} {
		if got := tt.p.String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestFormatPresence(t *testing.T) {
	header := Ethernet{Dst: Broadcast, Src: MAC{2, 0, 0, 0, 0, 0xa}, Type: EtherTypePresence}.Append(nil)
	p := Presence{Kind: PresenceBeacon, Role: 1, Epoch: 3}
	b := p.Append(header, &presenceKey)
	later := bytes.Clone(b)
	later[EthernetLen+4]++
	const from = "02:00:00:00:00:0a > ff:ff:ff:ff:ff:ff"
	for _, tt := range []struct {
		frame []byte
		want  string
	}{
		{b, from + ": presence beacon, role 1, slot 0, incarnation 0, lineage 0, epoch 3, revision 0, nonce 0, length 88"},
		{later, from + ": wire: unsupported: version of a presence message, length 88"},
		{b[:EthernetLen+20], from + ", ethertype 0x88b5, length 20"},
		{append(header, "other"...), from + ", ethertype 0x88b5, length 5"},
	} {
		if got := Format(tt.frame); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// Any bytes are refused, or are a message that is made again from what was read of them.
func FuzzPresence(f *testing.F) {
	good := presence.Append(nil, &presenceKey)
	f.Add(good)
	f.Add(good[:PresenceLen-1])
	f.Add([]byte("ftcp\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// As it is: hardly anything passes. Then as a node of the group would have signed
		// it.
		p, err := ParsePresence(b, &presenceKey)
		if err == nil && len(b) < PresenceLen || err != nil && p != (Presence{}) {
			t.Fatalf("%x: %+v, %v", b, p, err)
		}
		if len(b) < presenceUnsigned {
			return
		}
		mac := signPresence((*[presenceUnsigned]byte)(b), &presenceKey)
		signed := append(bytes.Clone(b[:presenceUnsigned]), mac[:]...)
		if p, err = ParsePresence(signed, &presenceKey); err != nil {
			if err == ErrPresenceMAC || err == ErrPresenceShort {
				t.Fatalf("%x: %v", signed, err)
			}
			return
		}
		if signed[7]&^flagStandby != 0 {
			return // unknown flags are ignored
		}
		if got := p.Append(nil, &presenceKey); !bytes.Equal(got, signed) {
			t.Fatalf("%x\nbecame %x", signed, got)
		}
		if s := p.String(); strings.ContainsAny(s, "\n%") {
			t.Fatalf("%q", s)
		}
	})
}
