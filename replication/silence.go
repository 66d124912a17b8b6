package replication

import (
	"sync/atomic"
	"time"
)

// untilSilent waits until the other side, last heard at heard, has been silent for longer than
// limit, and returns true; or until stopped says so. It calls tick, if not nil, with
// every heartbeat.
func (g *Group) untilSilent(heard *atomic.Int64, limit time.Duration, stopped func() bool, tick func(time.Time)) bool {
	t := time.NewTicker(g.cfg.Heartbeat / 2)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-t.C:
		case <-g.ctx.Done():
			return false
		}
		now := time.Now()
		if now.Sub(last) > g.silence() {
			// It is this process that was stopped. What the other side said
			// meanwhile has not been read yet.
			heard.Store(g.clock())
		}
		last = now
		if stopped() {
			return false
		}
		if g.clock()-heard.Load() > limit.Microseconds() {
			return true
		}
		if tick != nil {
			tick(now)
		}
	}
}
