// Package arbiter has the place where a group's record is kept: who serves, and who may take over.
// It is asked at changes only, never while nothing changes.
//
// A group without an arbiter goes by the pair's rule, which is no Arbiter but part of package
// reign (pair.go): what it decides by is evidence over time, which a Swap could only hide.
package arbiter

import (
	"context"
	"slices"
	"sync"

	"github.com/ftcp-project/ftcp/replication/reign"
)

// Arbiter keeps one record, and changes it for one of those who ask at the same time. Its methods
// may be called at the same time, by all nodes of a group.
type Arbiter interface {
	// Load returns the record; the zero Record if there is none yet.
	Load(ctx context.Context) (reign.Record, error)

	// Swap puts another record in old's place, if the record is old, and returns what it is then.
	// That is next if this or an equal Swap was carried out. With an error it is not known whether
	// it was, or will be.
	Swap(ctx context.Context, old, next reign.Record) (current reign.Record, err error)
}

// Memory is an Arbiter in memory, for tests, and for nodes of one process. The zero value is ready
// for use, and has no record.
type Memory struct {
	mu     sync.Mutex
	record reign.Record
}

// Load implements Arbiter.
func (m *Memory) Load(ctx context.Context) (reign.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.copyLocked(), ctx.Err()
}

// Swap implements Arbiter.
func (m *Memory) Swap(ctx context.Context, old, next reign.Record) (reign.Record, error) {
	if err := ctx.Err(); err != nil {
		return reign.Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.record.Equal(old) {
		m.record = next
		m.record.Set = slices.Clone(next.Set)
	}
	return m.copyLocked(), nil
}

func (m *Memory) copyLocked() reign.Record {
	r := m.record
	r.Set = slices.Clone(r.Set)
	return r
}
