package mirror

import (
	"slices"
	"time"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// reportWriter makes the frames of a follower. It is used by follower.send only.
type reportWriter struct {
	f         *follower
	confirmed uint64    // as said last
	echo      int64     // likewise,
	sent      time.Time // and when
	listeners []string  // likewise
	looked    time.Time // for deadlines that are overdue
}

// write sends what there is to confirm and to report; due, even if that is nothing. It returns true
// when nothing more will be sent.
func (w *reportWriter) write(due bool) (done bool) {
	f := w.f
	f.mu.Lock()
	if f.stopped {
		f.mu.Unlock()
		return true
	}
	// What is confirmed was in memory before this moment.
	report := &replpb.Report{Confirmed: f.applied, Progress: f.refused}
	f.refused = nil
	ready := f.ready
	f.ready = nil
	for _, r := range ready {
		r.queued = false
	}
	frame := replpb.Frame{EchoClockUs: f.echo}
	leaving := f.leaving
	f.mu.Unlock()
	for _, r := range ready {
		if p := r.progress(due); p != nil {
			report.Progress = append(report.Progress, p)
		}
	}
	// The active node's certainty that nobody has taken over rests on its echo: see Mirror.Sure. It
	// must not grow old here for a whole heartbeat.
	stale := frame.EchoClockUs > w.echo && time.Since(w.sent) >= f.g.cfg.Heartbeat/2
	if len(report.Progress) == 0 && report.Confirmed == w.confirmed && !due && !leaving && !stale {
		return false
	}
	w.echo, w.sent = frame.EchoClockUs, time.Now()
	f.mu.Lock()
	stopped := f.stopped
	f.mu.Unlock()
	if stopped {
		return true
	}
	frame.ClockUs = f.g.clock()
	if due {
		frame.Health = f.g.health()
	}
	frame.Body = &replpb.Frame_Report{Report: report}
	if f.link.Send(&frame) != nil {
		return true // receive finds out why; there may be a last word to be read
	}
	w.confirmed = report.Confirmed
	if leaving {
		frame = replpb.Frame{ClockUs: f.g.clock(), Body: &replpb.Frame_Goodbye{Goodbye: &replpb.Goodbye{}}}
		f.link.Send(&frame)
		close(f.byeSent)
		return true
	}
	return false
}

// overdue gives up the replicas whose handlers wait for a deadline that has long expired, and has
// not on the active node: they are not where that one's are.
func (w *reportWriter) overdue(now time.Time) {
	f := w.f
	if now.Sub(w.looked) < f.g.cfg.MaxLag/4 {
		return
	}
	w.looked = now
	for _, r := range f.replicas() {
		if r.conn.Overdue(now) > f.g.cfg.MaxLag {
			f.refuse(r, replpb.Refused_DEADLINE, "one has passed here that has not there")
			r.end(ErrUnprotected)
		}
	}
}

// settings tells the active node where this node's program listens, if that has changed. It
// returns false if the link is broken.
func (w *reportWriter) settings() bool {
	s := w.f.g.Settings()
	if w.listeners == nil {
		w.listeners = w.f.saidListeners
	}
	if slices.Equal(s.Listeners, w.listeners) {
		return true
	}
	w.listeners = s.Listeners
	frame := replpb.Frame{ClockUs: w.f.g.clock(), Body: &replpb.Frame_Settings{Settings: s}}
	return w.f.link.Send(&frame) == nil
}

// Settings are what has to be alike on both nodes.
func (g *Mirror) Settings() *replpb.Settings {
	s := &replpb.Settings{ReceiveBuffer: g.cfg.ReceiveBuffer, SendBuffer: g.cfg.SendBuffer}
	for _, a := range g.stack.Listeners() {
		s.Listeners = append(s.Listeners, a.String())
	}
	slices.Sort(s.Listeners)
	return s
}

// health is the state of this node's port to the service network, as it is said on the link.
func (g *Mirror) health() *replpb.Health {
	h := g.stack.Health()
	m := &replpb.Health{Carrier: h.Carrier, HeardMs: -1}
	if !h.Heard.IsZero() {
		m.HeardMs = time.Since(h.Heard).Milliseconds()
	}
	return m
}
