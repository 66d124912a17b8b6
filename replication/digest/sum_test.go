package digest

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"testing"
)

func sumOf(k *Key, parts ...[]byte) Sum {
	var s Sum
	for _, b := range parts {
		s.Write(k, b)
	}
	return s
}

func digestOf(k *Key, parts ...[]byte) [16]byte {
	s := sumOf(k, parts...)
	return s.Digest(k)
}

// Every length up to some blocks has every combination of a tail, pairs and blocks.
// A digest after every byte checks that Digest leaves the Sum as it is.
func TestEveryPrefix(t *testing.T) {
	k, ref := testKey(1), newReference(testSecret(1))
	data := testData(3*blockSize + pairSize + 1)
	var bytewise Sum
	for n := range len(data) + 1 {
		want := ref.digest(data[:n])
		if got := digestOf(k, data[:n]); got != want {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
		if got := bytewise.Digest(k); got != want {
			t.Fatalf("%d bytes one by one: %x, want %x", n, got, want)
		}
		if bytewise != sumOf(k, data[:n]) {
			t.Fatalf("%d bytes: the Sum depends on how they were cut", n)
		}
		if bytewise.Len() != int64(n) {
			t.Fatalf("%d bytes: Len is %d", n, bytewise.Len())
		}
		if n < len(data) {
			bytewise.Write(k, data[n:n+1])
		}
	}
}

// Two cuts at every place of a few blocks meet every way in which a Write can begin and
// end.
func TestEveryTwoCuts(t *testing.T) {
	k := testKey(1)
	data := testData(2*blockSize + pairSize + 3)
	want := sumOf(k, data)
	for i := range len(data) + 1 {
		for j := i; j <= len(data); j++ {
			if sumOf(k, data[:i], data[i:j], data[j:]) != want {
				t.Fatalf("cut at %d and %d the stream has another Sum", i, j)
			}
		}
	}
}

func TestRandomCuts(t *testing.T) {
	k := testKey(1)
	data := testData(1 << 16)
	want := newReference(testSecret(1)).digest(data)
	r := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{3, pairSize + 2, 100, blockSize + 2, 10_000} {
		for range 20 {
			var s Sum
			for b := data; len(b) > 0; {
				n := min(len(b), r.IntN(most+1))
				s.Write(k, b[:n])
				b = b[n:]
			}
			if got := s.Digest(k); got != want {
				t.Fatalf("in Writes of up to %d: %x, want %x", most, got, want)
			}
		}
	}
}

// Words that are all ones overflow where random ones hardly ever do.
func TestExtremeBytes(t *testing.T) {
	for _, c := range []byte{0, 0x80, 0xff} {
		data := make([]byte, 5*blockSize+9)
		for i := range data {
			data[i] = c
		}
		for seed := range byte(20) {
			got, want := digestOf(testKey(seed), data), newReference(testSecret(seed)).digest(data)
			if got != want {
				t.Errorf("bytes %#x, key %d: %x, want %x", c, seed, got, want)
			}
		}
	}
}

func TestCheckpoint(t *testing.T) {
	k := testKey(1)
	data := testData(1000)
	for at := range len(data) {
		s := sumOf(k, data[:at])
		checkpoint := s
		s.Write(k, testData(77))
		checkpoint.Write(k, data[at:])
		if got, want := checkpoint.Digest(k), digestOf(k, data); got != want {
			t.Fatalf("from a checkpoint at %d: %x, want %x", at, got, want)
		}
	}
}

// Zeros are what the last block is filled up with, so nothing but the length tells these.
func TestZerosCount(t *testing.T) {
	k := testKey(1)
	for _, begin := range [][]byte{nil, []byte("x"), testData(blockSize), testData(blockSize + 20)} {
		seen := map[[16]byte]int{}
		for zeros := range 3 * blockSize {
			d := digestOf(k, begin, make([]byte, zeros))
			if other, ok := seen[d]; ok {
				t.Fatalf("%d bytes and %d or %d zeros have the same digest", len(begin), zeros, other)
			}
			seen[d] = zeros
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	data := testData(100)
	seen := map[[16]byte]bool{}
	for bit := range 256 {
		secret := testSecret(1)
		secret[bit/8] ^= 1 << (bit % 8)
		seen[digestOf(NewKey(secret), data)] = true
	}
	if len(seen) != 256 {
		t.Errorf("256 keys give %d digests", len(seen))
	}
	if digestOf(testKey(1)) != ([16]byte{}) {
		t.Error("the empty stream has not the digest 0")
	}
}

// Every part of the key is in use, and in its own place.
func TestOrderCounts(t *testing.T) {
	k := testKey(1)
	data := testData(4 * blockSize)
	want := digestOf(k, data)
	for _, size := range []int{8, pairSize, 64, blockSize} {
		for i := 0; i < len(data); i += size {
			for j := i + size; j < len(data); j += size {
				swapped := append([]byte(nil), data...)
				copy(swapped[i:i+size], data[j:])
				copy(swapped[j:j+size], data[i:i+size])
				if digestOf(k, swapped) == want {
					t.Fatalf("%d bytes at %d and at %d can be swapped", size, i, j)
				}
			}
		}
	}
}

func TestEveryBitCounts(t *testing.T) {
	k := testKey(1)
	data := testData(2*blockSize + pairSize + 5)
	seen := map[[16]byte]bool{digestOf(k, data): true}
	for bit := range 8 * len(data) {
		data[bit/8] ^= 1 << (bit % 8)
		seen[digestOf(k, data)] = true
		data[bit/8] ^= 1 << (bit % 8)
	}
	if want := 8*len(data) + 1; len(seen) != want {
		t.Errorf("%d streams have %d digests", want, len(seen))
	}
}

// What a client could do to CRC-32C: add a multiple of its polynomial to a stream.
func TestCollisionsOfCRC(t *testing.T) {
	k := testKey(1)
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	data := testData(1000)
	for at := range len(data) - 8 {
		other := append([]byte(nil), data...)
		word := binary.LittleEndian.Uint64(other[at:])
		binary.LittleEndian.PutUint64(other[at:], word^(crc32.Castagnoli<<1|1))
		if crc32.Checksum(other, castagnoli) != crc32.Checksum(data, castagnoli) {
			t.Fatal("this is no collision of CRC-32C")
		}
		if digestOf(k, other) == digestOf(k, data) {
			t.Fatalf("changed at %d the stream has the same digest", at)
		}
	}
}

// Idle connections hold one or two, and a million of them are nothing that the garbage
// collector should have to look into.
func TestSumIsSmall(t *testing.T) {
	if n := reflect.TypeFor[Sum]().Size(); n != 56 {
		t.Errorf("a Sum has %d bytes, want 56", n)
	}
	var plain func(reflect.Type) bool
	plain = func(t reflect.Type) bool {
		switch t.Kind() {
		case reflect.Uint8, reflect.Uint64, reflect.Int64:
			return true
		case reflect.Array:
			return plain(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				if !plain(t.Field(i).Type) {
					return false
				}
			}
			return true
		}
		return false
	}
	if !plain(reflect.TypeFor[Sum]()) {
		t.Error("a Sum has something else than numbers")
	}
}

func TestNoAllocations(t *testing.T) {
	k := testKey(1)
	data := testData(1000)
	s := new(Sum)
	var d [16]byte
	if n := testing.AllocsPerRun(100, func() {
		s.Write(k, data[:7])
		s.Write(k, data)
		d = s.Digest(k)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	_ = d
}
