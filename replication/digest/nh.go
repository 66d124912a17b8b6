package digest

import (
	"encoding/binary"
	"math/bits"
)

// pair adds to acc, modulo 2^128, what the words of b contribute with the words of k.
func pair(acc uint128, k *[2]uint64, b *[pairSize]byte) uint128 {
	hi, lo := bits.Mul64(
		binary.LittleEndian.Uint64(b[:])+k[0],
		binary.LittleEndian.Uint64(b[8:])+k[1])
	lo, c := bits.Add64(acc.lo, lo, 0)
	hi, _ = bits.Add64(acc.hi, hi, c)
	return uint128{hi, lo}
}

// nh is the NH of a whole block.
// The compiler does not unroll loops, and this one takes nearly all of the time of a
// large Write.
func nh(k *[words]uint64, b *[blockSize]byte) (acc uint128) {
	for i := 0; i < words; i += 8 {
		k, b := (*[8]uint64)(k[i:]), (*[64]byte)(b[8*i:])
		acc = pair(acc, (*[2]uint64)(k[0:]), (*[16]byte)(b[0:]))
		acc = pair(acc, (*[2]uint64)(k[2:]), (*[16]byte)(b[16:]))
		acc = pair(acc, (*[2]uint64)(k[4:]), (*[16]byte)(b[32:]))
		acc = pair(acc, (*[2]uint64)(k[6:]), (*[16]byte)(b[48:]))
	}
	return acc
}
