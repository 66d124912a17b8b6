package notes

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// slowLog is a log handler that does not return before it may.
type slowLog struct {
	slog.Handler
	may chan struct{}
}

func (h slowLog) Enabled(context.Context, slog.Level) bool { return true }

func (h slowLog) Handle(context.Context, slog.Record) error {
	<-h.may
	return nil
}

// Whoever says something may hold a lock: the user's handler is not run by it.
func TestMustNotes(t *testing.T) {
	may, said := make(chan struct{}), make(chan struct{})
	n := New(slog.New(slowLog{may: may}))
	go func() {
		n.Info("said under a lock")
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(10 * time.Second):
		t.Error("who has said something waits for the user's handler")
	}
	close(may)
}
