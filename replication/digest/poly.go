package digest

import "math/bits"

// uint128 is hi·2^64 + lo.
type uint128 struct{ hi, lo uint64 }

const (
	low62 = 1<<62 - 1
	low63 = 1<<63 - 1
)

// low126 is x mod 2^126.
func (x uint128) low126() uint128 { return uint128{x.hi & low62, x.lo} }

// fold returns a number of at most 2^127-1 that is congruent to x modulo 2^127-1.
// The top bit stands for 2^127, which is congruent to 1.
// The sum has no carry out of 127 bits, because x's other bits are not all set where
// its top bit is: x is less than 2^128-1.
func (x uint128) fold() uint128 {
	lo, c := bits.Add64(x.lo, x.hi>>63, 0)
	return uint128{x.hi&low63 + c, lo}
}

// step returns (h + a)·k modulo 2^127-1, as a number of at most 2^127-1.
// h is at most 2^127-1, and a and k are less than 2^126.
//
// These bounds are why nothing overflows: h + a is less than 1.5·2^127, and the product
// less than 1.5·2^253. The product's low 127 bits and the rest, which has the same weight
// modulo 2^127-1, add up to less than 1.75·2^127.
func step(h, a, k uint128) uint128 {
	x0, c := bits.Add64(h.lo, a.lo, 0)
	x1, _ := bits.Add64(h.hi, a.hi, c)

	// The product is p3, p2, p1, p0.
	h00, p0 := bits.Mul64(x0, k.lo)
	h01, l01 := bits.Mul64(x0, k.hi)
	h10, l10 := bits.Mul64(x1, k.lo)
	h11, l11 := bits.Mul64(x1, k.hi)
	m1, c := bits.Add64(l01, l10, 0)
	m2, _ := bits.Add64(h01, h10, c) // both halves together are less than 2^128
	p1, c := bits.Add64(m1, h00, 0)
	p2, c := bits.Add64(m2, l11, c)
	p3 := h11 + c

	s0, c := bits.Add64(p0, p1>>63|p2<<1, 0)
	s1, _ := bits.Add64(p1&low63, p2>>63|p3<<1, c)
	return uint128{s1, s0}.fold()
}

// finish returns h + n modulo 2^127-1, as the one number less than that.
// h is at most 2^127-1, and n less than 2^63.
func finish(h uint128, n uint64) uint128 {
	lo, c := bits.Add64(h.lo, n, 0)
	x := uint128{h.hi + c, lo}.fold()
	if x == (uint128{low63, 1<<64 - 1}) {
		return uint128{}
	}
	return x
}
