package digest

import (
	"crypto/hkdf"
	"crypto/sha256"
	"math/big"
)

// reference is the definition in doc.go, word for word and without regard to speed.
// It shares nothing with the package: sizes and the label are written out again.
type reference struct {
	w [32]*big.Int
	k *big.Int
}

func newReference(secret *[32]byte) *reference {
	b, err := hkdf.Expand(sha256.New, secret[:], "ftcp digest 1", 32*8+16)
	if err != nil {
		panic(err)
	}
	r := new(reference)
	for i := range r.w {
		r.w[i] = littleEndian(b[8*i : 8*i+8])
	}
	r.k = mod(littleEndian(b[32*8:]), power(126))
	return r
}

func (r *reference) digest(stream []byte) [16]byte {
	p := new(big.Int).Sub(power(127), big.NewInt(1))
	n := int64(len(stream))
	d := new(big.Int)
	for len(stream) > 0 {
		block := stream[:min(256, len(stream))]
		stream = stream[len(block):]
		d.Add(d, r.number(block))
		d = mod(d.Mul(d, r.k), p)
	}
	d = mod(d.Add(d, big.NewInt(n)), p)

	var out [16]byte
	for i, c := range d.FillBytes(make([]byte, 16)) {
		out[15-i] = c
	}
	return out
}

func (r *reference) number(block []byte) *big.Int {
	filled := make([]byte, (len(block)+15)/16*16)
	copy(filled, block)
	word := func(i int) *big.Int {
		m := littleEndian(filled[8*i : 8*i+8])
		return mod(m.Add(m, r.w[i]), power(64))
	}
	a := new(big.Int)
	for i := 0; i < len(filled)/8; i += 2 {
		a.Add(a, new(big.Int).Mul(word(i), word(i+1)))
	}
	return mod(a, power(126))
}

func littleEndian(b []byte) *big.Int {
	x := new(big.Int)
	for i := len(b) - 1; i >= 0; i-- {
		x.Or(x.Lsh(x, 8), big.NewInt(int64(b[i])))
	}
	return x
}

func power(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }

func mod(x, m *big.Int) *big.Int { return new(big.Int).Mod(x, m) }
