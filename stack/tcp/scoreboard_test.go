package tcp

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The scoreboard, against one that has an entry for every byte.
func TestScoreboard(t *testing.T) {
	type fate struct{ sacked, lost, resent bool }
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var b scoreboard
		model := map[int64]fate{}
		una, nxt := int64(1), int64(1)
		now := time.Unix(1, 0)
		for range 200 {
			now = now.Add(time.Millisecond)
			delivered, want := 0, 0
			count := func(s *sent) { delivered += s.len() }
			take := func(pos int64) {
				if !model[pos].sacked {
					want++
				}
			}
			switch left := una + rnd.Int64N(nxt-una+1); rnd.IntN(6) {
			case 0, 1:
				n := 1 + rnd.Int64N(50)
				b.push(nxt, nxt+n, departure{at: now})
				for ; n > 0; n-- {
					model[nxt] = fate{}
					nxt++
				}
			case 2:
				for ; una < left; una++ {
					take(una)
					delete(model, una)
				}
				b.ack(una, count)
			case 3:
				right := min(nxt, left+1+rnd.Int64N(30))
				if left == right {
					continue // RFC 2018 has no empty blocks
				}
				for p := left; p < right; p++ {
					take(p)
					f := model[p]
					f.sacked, f.lost = true, false
					model[p] = f
				}
				b.sack(left, right, count)
			case 4:
				for p, f := range model {
					f.lost = !f.sacked
					model[p] = f
				}
				b.loseAll()
			case 5:
				if start, n := b.firstLost(1 + rnd.IntN(20)); n > 0 {
					for p := start; p < start+int64(n); p++ {
						f := model[p]
						if !f.lost {
							t.Fatalf("seed %d: %d is said to be lost", seed, p)
						}
						f.lost, f.resent = false, true
						model[p] = f
					}
					b.resend(start, start+int64(n), departure{at: now})
				}
			}
			if delivered != want {
				t.Fatalf("seed %d: delivered %d; want %d", seed, delivered, want)
			}
			pos, sacked, lost := una, 0, 0
			for i, r := range b.ranges {
				if r.start != pos || r.end <= r.start {
					t.Fatalf("seed %d: range %d is [%d, %d) at %d", seed, i, r.start, r.end, pos)
				}
				for ; pos < r.end; pos++ {
					f := model[pos]
					if f.sacked != r.sacked || f.lost != r.lost || !f.sacked && f.resent != r.resent {
						t.Fatalf("seed %d: %d: %+v; want %+v", seed, pos, r, f)
					}
					if f.sacked {
						sacked++
					}
					if f.lost {
						lost++
					}
				}
			}
			if pos != nxt || sacked != b.sacked || lost != b.lost || b.inFlight() != int(nxt-una)-sacked-lost {
				t.Fatalf("seed %d: ends at %d, sacked %d, lost %d; want %d, %d, %d", seed, pos, b.sacked, b.lost, nxt, sacked, lost)
			}
		}
	}
}
