package digest

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// Sizes of the definition, in bytes. Both nodes must have the same ones.
const (
	pairSize  = 16             // two words of 64 bits, which NH multiplies
	blockSize = 256            // what NH compresses into one coefficient of the polynomial
	words     = blockSize / 8  // of NH's key
	keySize   = blockSize + 16 // NH's key, then the point of the polynomial
)

// label separates this use of the secret from any other one.
// A change of the definition of the digest changes its number.
const label = "ftcp digest 1"

// Key is what a node needs to compute digests, expanded once.
// It does not change any more, so that all connections can share it.
type Key struct {
	nh    [words]uint64
	point uint128 // less than 2^126
}

// NewKey expands secret, which should be 32 bytes that look random to everyone
// but the two nodes.
func NewKey(secret *[32]byte) *Key {
	b, err := hkdf.Expand(sha256.New, secret[:], label, keySize)
	if err != nil {
		panic(err) // only of lengths, and these are constant
	}
	k := new(Key)
	for i := range k.nh {
		k.nh[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	k.point = uint128{
		hi: binary.LittleEndian.Uint64(b[blockSize+8:]),
		lo: binary.LittleEndian.Uint64(b[blockSize:]),
	}.low126()
	return k
}
