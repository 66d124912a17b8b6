package replication

import (
	"testing"
	"time"
)

// An answer is believed that repeats the nonce of one of the latest questions, and no other.
func TestMustNonce(t *testing.T) {
	g := &Group{}
	g.asked.nonces[0] = nonce{7, time.Second}
	g.asked.nonces[1] = nonce{8, 2 * time.Second}
	for value, at := range map[uint64]time.Duration{7: time.Second, 8: 2 * time.Second, 9: 0, 0: 0} {
		if asked, ok := g.askedAt(value); ok != (at != 0) || asked != at {
			t.Errorf("nonce %d: asked at %v, %v; want %v", value, asked, ok, at)
		}
	}
}
