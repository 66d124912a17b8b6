package ledger

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestWalks does what can be done to a connection in random orders, with two standbys,
// and looks after each step for what must always hold. Standbys confirm what there is,
// and no more.
func TestWalks(t *testing.T) {
	guarded, walks := 0, 20000
	for seed := range walks {
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		c := newConn()
		var done []string
		for range 5 + r.IntN(40) {
			f := next(c, r)
			if f == nil {
				continue
			}
			done = append(done, strings.Join(f, " "))
			if _, err := c.do(f); err != nil {
				t.Fatal(err)
			}
			if err := c.check(); err != nil {
				t.Fatalf("seed %d: %v\n%s\n%v", seed, err, strings.Join(done, "\n"), c)
			}
			if c.guard.Protected() {
				guarded++
			}
		}
	}
	if guarded < walks {
		t.Errorf("only %d states of %d walks were protected", guarded, walks)
	}
}

// next is something that may happen to a connection now.
func next(c *conn, r *rand.Rand) []string {
	who := []string{"b", "c"}[r.IntN(2)]
	n := fmt.Sprint(1 + r.IntN(3))
	p := c.standbys[who]
	switch k := r.IntN(10); {
	case k < 3:
		return []string{[]string{"in", "read", "out"}[k], n}
	case p == nil:
		return []string{[]string{"replay", "freeze"}[r.IntN(2)], who}
	case p.Phase() == Replaying && k == 3:
		return []string{"freeze", who}
	case k < 6:
		return []string{"confirm", who, fmt.Sprint(p.Confirmed() + r.Int64N(c.at.In-p.Confirmed()+1))}
	case k < 8:
		verified := p.Verified() + r.Int64N(c.at.Out-p.Verified()+1)
		return []string{"report", who, fmt.Sprint(verified), fmt.Sprint(p.Read() + r.Int64N(p.Confirmed()-p.Read()+1))}
	case p.Phase() == Releasing:
		return []string{"forgotten", who}
	case k == 8 && r.IntN(4) == 0:
		return []string{"release", who}
	}
	return nil
}
