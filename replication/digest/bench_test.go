package digest

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"testing"
)

// sink keeps the compiler from dropping what is measured.
var sink byte

func BenchmarkWrite(b *testing.B) {
	k := testKey(1)
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	for _, n := range []int{64, 1 << 10, 64 << 10} {
		data := testData(n)
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
		var s Sum
		run("digest", func() { s.Write(k, data) })
		var crc uint32
		run("crc32c", func() { crc = crc32.Update(crc, castagnoli, data) })
		h := sha256.New()
		run("sha256", func() { h.Write(data) })
		sink += byte(s.Len()) + byte(crc)
	}
}

// A small answer is a write and a comparison.
// The write comes at any place of a pair, so that it also fills and leaves a tail.
func BenchmarkWriteAndDigest(b *testing.B) {
	k := testKey(1)
	for _, n := range []int{1, 16, 64, 61, 200} {
		data := testData(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			var s Sum
			for b.Loop() {
				s.Write(k, data)
				sink += s.Digest(k)[0]
			}
		})
	}
}

func BenchmarkNewKey(b *testing.B) {
	for b.Loop() {
		sink += byte(testKey(1).point.lo)
	}
}
