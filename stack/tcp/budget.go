package tcp

import "sync/atomic"

// A Budget bounds the storage that many connections together hold for data out of order. Without one, peers
// who leave gaps on purpose could have each of their connections hold as much as its receive
// buffer allows. What the budget refuses is dropped: its sender keeps it until
// it is acknowledged, so that a connection only becomes slower.
//
// A nil Budget bounds nothing. Methods may be called at the same time.
type Budget struct {
	limit   int64
	used    atomic.Int64
	refused *atomic.Uint64
}

// NewBudget returns a budget of so many bytes that counts in refused the segments of which something was dropped.
func NewBudget(limit int64, refused *atomic.Uint64) *Budget {
	return &Budget{limit: limit, refused: refused}
}

// Used is how many bytes are held now.
func (b *Budget) Used() int64 { return b.used.Load() }

// take asks for n bytes.
func (b *Budget) take(n int) bool {
	if b == nil {
		return true
	}
	if b.used.Add(int64(n)) > b.limit {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

// refuse counts data that is dropped.
func (b *Budget) refuse() {
	if b != nil {
		b.refused.Add(1)
	}
}

// give gives n bytes back.
func (b *Budget) give(n int) {
	if b != nil {
		b.used.Add(-int64(n))
	}
}
