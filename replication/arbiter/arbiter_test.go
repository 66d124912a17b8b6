package arbiter_test

import (
	"context"
	"sync"
	"testing"

	"github.com/ftcp-project/ftcp/replication/arbiter"
	"github.com/ftcp-project/ftcp/replication/reign"
)

// Of many that want to change the same record, one does.
func TestMemorySwap(t *testing.T) {
	var m arbiter.Memory
	ctx := context.Background()
	old, err := m.Load(ctx)
	if err != nil || old.Revision != 0 {
		t.Fatalf("at first: %+v, %v", old, err)
	}
	won := make(chan reign.Record, 100)
	var all sync.WaitGroup
	for i := range uint64(100) {
		all.Go(func() {
			next := reign.Record{Revision: 1, Reign: reign.Reign{Lineage: 7, Epoch: 1}, Active: reign.Member{Incarnation: i + 1}}
			if now, err := m.Swap(ctx, old, next); err != nil {
				t.Error(err)
			} else if now.Equal(next) {
				won <- now
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d have won", len(won))
	}
	if now, _ := m.Load(ctx); !now.Equal(<-won) {
		t.Errorf("the record is %+v", now)
	}
}

// What a caller does with a record that it was given changes nothing.
func TestMemoryCopies(t *testing.T) {
	var m arbiter.Memory
	ctx := context.Background()
	r := reign.Record{Revision: 1, Set: []reign.Member{{Incarnation: 1}}}
	if _, err := m.Swap(ctx, reign.Record{}, r); err != nil {
		t.Fatal(err)
	}
	r.Set[0].Incarnation = 2
	got, _ := m.Load(ctx)
	got.Set[0].Incarnation = 3
	if got, _ = m.Load(ctx); got.Set[0].Incarnation != 1 {
		t.Errorf("%+v", got)
	}
}

// A call whose time is over changes nothing, and says so.
func TestMemoryContext(t *testing.T) {
	var m arbiter.Memory
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Swap(ctx, reign.Record{}, reign.Record{Revision: 1}); err == nil {
		t.Error("a swap without an error")
	}
	if r, _ := m.Load(context.Background()); r.Revision != 0 {
		t.Errorf("%+v", r)
	}
}
