package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// piece is how much both sides read and write per call.
const piece = 256 << 10

// period is after how many bytes what is transferred repeats itself. It is a prime, so that
// segments that are lost, doubled or exchanged do not go unnoticed.
const period = 262147

var pattern = func() []byte {
	b := make([]byte, period+piece)
	rand.NewChaCha8([32]byte{}).Read(b[:period])
	copy(b[period:], b)
	return b
}()

// dataAt returns a piece of what is transferred, from a position on.
func dataAt(pos int64) []byte { return pattern[pos%period:][:piece] }

// verify says whether b, no longer than a piece, is what belongs at a position.
func verify(pos int64, b []byte) error {
	if want := dataAt(pos); !bytes.Equal(b, want[:len(b)]) {
		i := 0
		for b[i] == want[i] {
			i++
		}
		return fmt.Errorf("byte %d arrived as %#02x; it was sent as %#02x", pos+int64(i), b[i], want[i])
	}
	return nil
}
