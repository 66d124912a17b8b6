package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A killer kills the active server, once or several times.
type killer struct {
	place *place
	kills []kill
	next  int // of kills; the client's
	ended chan struct{}
	err   error
	took  []time.Duration // from each kill to the takeover
}

// A kill is one of them.
type kill struct {
	at      int64         // so many bytes into the transfer
	reached chan struct{} // closed when the client is there
	now     chan struct{} // closed when it happens
}

// newKiller returns a killer for a transfer. Each round has an equal share of the transfer.
func newKiller(cfg config, p *place, t *transfer) *killer {
	k := &killer{place: p, ended: make(chan struct{})}
	for i := range cfg.rounds {
		f := float64(cfg.killAt)
		if f < 0 {
			f = rand.Float64()
		}
		at := int64((float64(i) + f) / float64(cfg.rounds) * float64(2*t.size))
		at = min(at, 2*t.size-int64(len(t.chunk))) // where the client is before its last Read
		k.kills = append(k.kills, kill{at, make(chan struct{}), make(chan struct{})})
	}
	t.before = k.before
	return k
}

// before is called by the client. Where a kill is due, it holds the client up until the connection is
// protected, which it may not be after an earlier kill; and lets it go on while the server dies.
func (k *killer) before(done int64) {
	for k.next < len(k.kills) && done >= k.kills[k.next].at {
		due := k.kills[k.next]
		k.next++
		close(due.reached)
		select {
		case <-due.now:
		case <-k.ended:
		}
	}
}

// run kills. It ends when all is done, or something failed.
func (k *killer) run(ctx context.Context, bar *bar) {
	defer close(k.ended)
	k.err = k.killAll(ctx, bar)
}

func (k *killer) killAll(ctx context.Context, bar *bar) error {
	serving := k.place.machines[0]
	for i, due := range k.kills {
		victim := serving
		serving = k.place.other(victim)
		select {
		case <-due.reached:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := await(ctx, victim, protecting); err != nil {
			return err
		}
		close(due.now)
		begin := time.Now()
		victim.kill()
		bar.printf("killed:  %v", victim)
		if err := await(ctx, serving, active); err != nil {
			return err
		}
		took := time.Since(begin)
		k.took = append(k.took, took)
		bar.printf("active:  %v, %v later", serving, round(took))
		if i == len(k.kills)-1 {
			break
		}
		if err := victim.start(); err != nil {
			return err
		}
		if err := await(ctx, victim, settled); err != nil {
			return err
		}
		if err := await(ctx, serving, protecting); err != nil {
			return err
		}
		bar.printf("standby: %v, after %v", victim, round(time.Since(begin)))
	}
	return nil
}

// wait waits for run's end, and returns what went wrong.
func (k *killer) wait() error {
	<-k.ended
	if errors.Is(k.err, context.Canceled) {
		return nil // the client says why
	}
	return k.err
}
