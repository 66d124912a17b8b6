package digest

import (
	"math/big"
	"testing"
)

// edges are words at which carries begin and end. Random streams do not meet them.
var edges = []uint64{0, 1, 2, 1<<32 - 1, 1 << 62, 1<<62 - 1, 1 << 63, 1<<63 - 1, 1<<64 - 2, 1<<64 - 1}

// edgeNumbers are all numbers of two edges that are at most limit.
func edgeNumbers(limit *big.Int) []uint128 {
	var out []uint128
	for _, hi := range edges {
		for _, lo := range edges {
			if x := (uint128{hi, lo}); toBig(x).Cmp(limit) <= 0 {
				out = append(out, x)
			}
		}
	}
	return out
}

func toBig(x uint128) *big.Int {
	b := new(big.Int).SetUint64(x.hi)
	b.Lsh(b, 64)
	return b.Add(b, new(big.Int).SetUint64(x.lo))
}

var (
	one   = big.NewInt(1)
	prime = new(big.Int).Sub(power(127), one)
)

func TestPrime(t *testing.T) {
	if !prime.ProbablyPrime(20) {
		t.Error("2^127-1 is not prime")
	}
}

func TestStepAtEdges(t *testing.T) {
	hs := edgeNumbers(prime)
	below126 := edgeNumbers(new(big.Int).Sub(power(126), one))
	for _, h := range hs {
		for _, a := range below126 {
			for _, k := range below126 {
				got := toBig(step(h, a, k))
				if got.Cmp(prime) > 0 {
					t.Fatalf("step(%x, %x, %x) = %x is more than 2^127-1", h, a, k, got)
				}
				want := new(big.Int).Add(toBig(h), toBig(a))
				want = mod(want.Mul(want, toBig(k)), prime)
				if mod(got, prime).Cmp(want) != 0 {
					t.Fatalf("step(%x, %x, %x) = %x, want %x", h, a, k, got, want)
				}
			}
		}
	}
}

func TestFinishAtEdges(t *testing.T) {
	for _, h := range edgeNumbers(prime) {
		for _, n := range edges {
			if n >= 1<<63 {
				continue
			}
			got := toBig(finish(h, n))
			want := mod(new(big.Int).Add(toBig(h), new(big.Int).SetUint64(n)), prime)
			if got.Cmp(want) != 0 {
				t.Errorf("finish(%x, %x) = %x, want %x", h, n, got, want)
			}
		}
	}
}

func TestPairAtEdges(t *testing.T) {
	for _, acc := range edgeNumbers(power(128)) {
		for _, m := range edges {
			for _, w := range edges {
				var b [pairSize]byte
				for i := range 8 {
					b[i] = byte(m >> (8 * i))
				}
				got := toBig(pair(acc, &[2]uint64{w, 1<<64 - 1}, &b))
				x := mod(new(big.Int).Add(toBig(uint128{0, m}), toBig(uint128{0, w})), power(64))
				x.Mul(x, toBig(uint128{0, 1<<64 - 1}))
				if want := mod(x.Add(x, toBig(acc)), power(128)); got.Cmp(want) != 0 {
					t.Fatalf("pair(%x, %x, %x) = %x, want %x", acc, w, m, got, want)
				}
			}
		}
	}
}
