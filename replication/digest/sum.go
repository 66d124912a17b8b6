package digest

import "encoding/binary"

// Sum is the state of one stream. The zero value is the empty stream.
//
// It is a plain value: a copy of it is a checkpoint, from which the stream can go on
// again. Two Sums of the same bytes under the same key are equal, also with ==.
//
// NH is a sum over pairs of words, so a block need not be kept until it is whole: a Sum
// has what the block's pairs have added up to, and the bytes of the pair that is not
// whole.
type Sum struct {
	poly uint128 // of the whole blocks, at most 2^127-1
	nh   uint128 // of the whole pairs after them
	n    int64
	tail [pairSize]byte // the n % pairSize bytes after those, then zeros
}

// Len is how many bytes have been written.
func (s *Sum) Len() int64 { return s.n }

// Write appends b to the stream. All calls for a stream must have the same key.
func (s *Sum) Write(k *Key, b []byte) {
	if have := s.n % pairSize; have != 0 {
		c := copy(s.tail[have:], b)
		if have+int64(c) < pairSize {
			s.n += int64(c)
			return
		}
		s.n -= have // back to where the pair begins
		s.pair(k, &s.tail)
		s.tail = [pairSize]byte{}
		b = b[c:]
	}
	for s.n%blockSize != 0 && len(b) >= pairSize {
		s.pair(k, (*[pairSize]byte)(b))
		b = b[pairSize:]
	}
	if len(b) >= blockSize {
		b = s.blocks(k, b)
	}
	for len(b) >= pairSize {
		s.pair(k, (*[pairSize]byte)(b))
		b = b[pairSize:]
	}
	s.n += int64(copy(s.tail[:], b))
}

// pair appends b at the boundary of a pair.
func (s *Sum) pair(k *Key, b *[pairSize]byte) {
	s.nh = pair(s.nh, s.keyOfPair(k), b)
	s.n += pairSize
	if s.n%blockSize == 0 {
		s.poly = step(s.poly, s.nh.low126(), k.point)
		s.nh = uint128{}
	}
}

// keyOfPair is the part of NH's key for the pair in which the stream ends.
func (s *Sum) keyOfPair(k *Key) *[2]uint64 {
	return (*[2]uint64)(k.nh[s.n%blockSize/pairSize*2:])
}

// blocks appends the whole blocks of b, at the boundary of a block, and returns the rest.
func (s *Sum) blocks(k *Key, b []byte) []byte {
	poly := s.poly
	for len(b) >= blockSize {
		poly = step(poly, nh(&k.nh, (*[blockSize]byte)(b)).low126(), k.point)
		b = b[blockSize:]
		s.n += blockSize
	}
	s.poly = poly
	return b
}

// Digest is the digest of all bytes so far. The stream can go on after it.
func (s *Sum) Digest(k *Key) [16]byte {
	poly, last := s.poly, s.nh
	if s.n%pairSize != 0 {
		last = pair(last, s.keyOfPair(k), &s.tail)
	}
	if s.n%blockSize != 0 {
		poly = step(poly, last.low126(), k.point)
	}
	poly = finish(poly, uint64(s.n))

	var d [16]byte
	binary.LittleEndian.PutUint64(d[:], poly.lo)
	binary.LittleEndian.PutUint64(d[8:], poly.hi)
	return d
}
