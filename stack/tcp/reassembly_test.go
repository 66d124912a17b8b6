package tcp

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

// TestReassembly compares a reassembly with a set of positions.
func TestReassembly(t *testing.T) {
	const span = 20000
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		limit := 1 << (12 + rng.IntN(8))
		var refused atomic.Uint64
		budget := NewBudget(1<<(12+rng.Int64N(8)), &refused)
		r := reassembly{budget: budget}
		var have [span + 1]bool
		next := int64(0)
		for range 100 {
			if rng.IntN(8) > 0 {
				pos := next + 1 + rng.Int64N(span/2)
				n := min(rng.IntN(1<<(1+rng.IntN(13))), int(span-pos))
				if n <= 0 {
					continue
				}
				r.insert(pos, stretch(theirs, pos, n), limit)
				checkReassembly(t, &r, limit)
				// What does not fit is dropped, so the model asks what was kept; but
				// nothing else appears, nothing vanishes, and with room all is kept.
				room := min(limit, int(budget.limit))
				full := r.memory+blockSizes[len(blockSizes)-1] > room
				for _, size := range blockSizes {
					if n <= size {
						full = r.memory+size > room
						break
					}
				}
				var kept [span + 1]bool
				r.each(func(left, right int64) bool {
					for i := left; i < right; i++ {
						kept[i] = true
					}
					return true
				})
				for i := range kept {
					given := int64(i) >= pos && int64(i) < pos+int64(n)
					switch {
					case have[i] && !kept[i], kept[i] && !have[i] && !given, given && !kept[i] && !full:
						t.Fatalf("seed %d: insert [%d,%d): position %d: had %v, has %v", seed, pos, pos+int64(n), i, have[i], kept[i])
					}
				}
				have = kept
				continue
			}
			// The gap before some position is filled.
			next += rng.Int64N(2000)
			for {
				c, ok := r.next(next)
				if !ok {
					break
				}
				if c.pos != next || len(c.data) == 0 {
					t.Fatalf("seed %d: next(%d) is [%d,%d)", seed, next, c.pos, c.end())
				}
				if err := compare([][]byte{c.data}, theirs, c.pos); err != nil {
					t.Fatal(err)
				}
				next = c.end()
				c.block.Free()
			}
			if next <= span && have[next] {
				t.Fatalf("seed %d: position %d is missing", seed, next)
			}
			clear(have[:min(next, span)])
			checkReassembly(t, &r, limit)
			if next > span/2 {
				break
			}
		}
		r.free()
		if r.memory != 0 || len(r.chunks) > 0 || budget.Used() != 0 {
			t.Fatalf("seed %d: not free", seed)
		}
	}
}

// checkReassembly asserts what the fields of reassembly say.
func checkReassembly(t *testing.T, r *reassembly, limit int) {
	t.Helper()
	memory := 0
	for i, c := range r.chunks {
		memory += len(c.block.B)
		if len(c.data) == 0 || i > 0 && c.pos < r.chunks[i-1].end() {
			t.Fatalf("chunk %d is [%d,%d)", i, c.pos, c.end())
		}
		if err := compare([][]byte{c.data}, theirs, c.pos); err != nil {
			t.Fatal(err)
		}
	}
	if memory != r.memory || memory > limit {
		t.Fatalf("memory %d, counted %d, limit %d", memory, r.memory, limit)
	}
	if b := r.budget; b.Used() != int64(memory) || b.Used() > b.limit {
		t.Fatalf("memory %d, %d of the budget's %d", memory, b.Used(), b.limit)
	}
	var ranges [4][2]int64
	n := r.ranges(ranges[:])
	for i, a := range ranges[:n] {
		if a[0] >= a[1] {
			t.Fatalf("range %v", a)
		}
		for _, b := range ranges[:i] {
			if a[0] <= b[1] && b[0] <= a[1] {
				t.Fatalf("ranges %v and %v touch", a, b)
			}
		}
	}
}
