package digest

import "testing"

// What doc.go says of NH is true of words of any width, and at 4 bits all pairs of words
// can be tried with all keys.
func TestBoundOfNH(t *testing.T) {
	const width = 4
	const size, low = 1 << width, 1<<width - 1
	number := func(m, w int) int {
		return ((m>>width + w>>width) & low) * ((m + w) & low) % (size * size)
	}
	most, collide := 0, 0
	for m1 := range size * size {
		for m2 := range m1 {
			var by [size * size]int // how many keys have this difference
			equal := 0              // how many have none but in the two bits at the top
			for w := range size * size {
				d := number(m1, w) - number(m2, w)
				by[(d+size*size)%(size*size)]++
				if d%(size*size/4) == 0 {
					equal++
				}
			}
			for _, n := range by {
				most = max(most, n)
			}
			collide = max(collide, equal)
		}
	}
	if most > size {
		t.Errorf("a difference has %d of %d keys, want at most %d", most, size*size, size)
	}
	if collide > 4*size {
		t.Errorf("%d of %d keys collide, want at most %d", collide, size*size, 4*size)
	}
}
