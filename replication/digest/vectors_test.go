package digest

import (
	"encoding/hex"
	"testing"
)

// The nodes may run different releases, which must agree.
// The secret is the bytes 1, 2, ... 32. Byte i of the stream is i mod 251.
var vectors = []struct {
	n      int
	digest string
}{
	{0, "00000000000000000000000000000000"},
	{1, "97e3477306166438cb1bac05e0ef9023"},
	{15, "0081d5fa595c882bb638b6a83112d437"},
	{16, "26390e711d50bcebc7c876b1b247034b"},
	{17, "5547c7ed0923a0f038c37bc51d5f084a"},
	{255, "d57abb5536e0371b232d2c2a0bed8310"},
	{256, "3cdd3197973f9dd382faffcb59592706"},
	{257, "e4264e83560e264b18e8dfdb4f7e5314"},
	{511, "f06233ba8a9e4b3ad5c9dfb1ba21ac22"},
	{4096, "c0224aac06173035b9dbe8aa94b1a343"},
	{100_000, "f8de39faa0dbad39f4825c5d08be285b"},
	{1 << 20, "bfa8a23216a8bbf509f4c04308220357"},
}

func TestVectors(t *testing.T) {
	k, ref := testKey(1), newReference(testSecret(1))
	for _, v := range vectors {
		stream := make([]byte, v.n)
		for i := range stream {
			stream[i] = byte(i % 251)
		}
		if d := ref.digest(stream); hex.EncodeToString(d[:]) != v.digest {
			t.Errorf("%d bytes: the reference has %x, want %s", v.n, d, v.digest)
		}
		if d := digestOf(k, stream); hex.EncodeToString(d[:]) != v.digest {
			t.Errorf("%d bytes: %x, want %s", v.n, d, v.digest)
		}
	}
}
