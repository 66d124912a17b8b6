package tcp

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestBuffer compares a buffer with a slice of bytes.
func TestBuffer(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var b buffer
		b.init(1)
		model, base := []byte{}, int64(1)
		for range 200 {
			switch n := rng.IntN(1 << rng.IntN(16)); rng.IntN(4) {
			case 0:
				p := stretch(ours, b.end, n)
				b.append(p)
				model = append(model, p...)
			case 1:
				block := NewBlock(n)
				p := block.B[:copy(block.B, stretch(ours, b.end, n))]
				b.push(chunk{pos: b.end, data: p, block: block})
				model = append(model, p...)
			default:
				n = min(n, len(model))
				b.release(base + int64(n))
				b.release(base) // has no effect
				model, base = model[n:], base+int64(n)
			}
			if b.base != base || b.end != base+int64(len(model)) || b.len() != len(model) {
				t.Fatalf("seed %d: [%d,%d), want [%d,%d)", seed, b.base, b.end, base, base+int64(len(model)))
			}
			from := rng.IntN(len(model) + 1)
			to := from + rng.IntN(len(model)-from+1)
			got := bytes.Join(b.slices(nil, base+int64(from), base+int64(to)), nil)
			if !bytes.Equal(got, model[from:to]) {
				t.Fatalf("seed %d: [%d,%d) of [%d,%d) differs", seed, from, to, base, b.end)
			}
		}
		b.free()
		if b.len() != 0 || len(b.chunks) > 0 {
			t.Fatalf("seed %d: %d chunks are left", seed, len(b.chunks))
		}
	}
}

// TestBufferStays asserts that bytes do not move: a reader may look at them while more arrive.
func TestBufferStays(t *testing.T) {
	var b buffer
	b.init(0)
	b.append(stretch(ours, 0, 100))
	parts := b.slices(nil, 0, 100)
	for range 1000 {
		b.append(stretch(ours, b.end, 100))
	}
	b.release(50)
	if again := b.slices(nil, 50, 100); &again[0][0] != &parts[0][50] {
		t.Fatal("bytes have moved")
	}
	if err := compare(parts, ours, 0); err != nil {
		t.Fatal(err)
	}
}
