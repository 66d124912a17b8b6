package tcp

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// path is a bottleneck on the way to the server: a queue that is emptied at a rate. The way back is wide.
type path struct {
	rate  float64       // bytes per second
	delay time.Duration // one way
	queue int           // bytes that fit into the queue
	loss  float64       // the part of the packets that is lost at random
	luck  *rand.Rand
	free  time.Time // when the queue will be empty
}

const packetHeader = 52

func (p *path) carry(w *world, to *host, s *Segment) {
	if to == w.client {
		w.enqueue(p.delay, to, s)
		return
	}
	if p.free.Before(w.now) {
		p.free = w.now
	}
	size := len(s.Payload) + packetHeader
	if p.luck.Float64() < p.loss || p.queued(w.now)+float64(size) > float64(p.queue) {
		return
	}
	p.free = p.free.Add(seconds(float64(size) / p.rate))
	w.enqueue(p.free.Sub(w.now)+p.delay, to, s)
}

// queued is how many bytes are in the queue.
func (p *path) queued(now time.Time) float64 { return max(0, p.free.Sub(now).Seconds()) * p.rate }

// longWorld is a client that writes without an end to a server that reads all, over a path of 20 Mbit/s and 40 ms, whose
// queue takes two round trips.
func longWorld(t *testing.T, loss float64) (*world, *bbr) {
	w := newWorld(t, &choices{})
	w.path = &path{rate: 20e6 / 8, delay: 20 * time.Millisecond, queue: 200e3, loss: loss, luck: rand.New(rand.NewPCG(1, 2))}
	cfg := Config{MSS: 1460, GSO: 65535, ReceiveBuffer: 4 << 20, SendBuffer: 4 << 20, Epoch: w.now, Congestion: NewBBR}
	w.client = &host{name: "client", cfg: cfg, user: writeAll}
	w.server = &host{name: "server", cfg: cfg, user: func(h *host) { h.consume(t, h.core.Readable()) }}
	w.client.core = Connect(cfg, w.now)
	w.serve(w.client)
	for w.client.core.cc == nil {
		w.event(w.client, w.server)
	}
	return w, w.client.core.cc.(*bbr)
}

func writeAll(h *host) {
	if n := h.core.Room(); n > 0 {
		h.core.Append(stretch(ours, h.core.dataEnd(), n))
	}
}

// spend lets the time pass, looks around after every event, and returns which part of the rate was used.
func (w *world) spend(d time.Duration, look func()) float64 {
	before, end := w.server.got, w.now.Add(d)
	for w.now.Before(end) {
		w.event(w.client, w.server)
		if look != nil {
			look()
		}
	}
	return float64(w.server.got-before) * (1460 + 40) / 1448 / (w.path.rate * d.Seconds())
}

// Losses at random cost what is lost, and little more.
func TestBBRFillsThePath(t *testing.T) {
	for _, loss := range []float64{0, 0.01, 0.05} {
		t.Run(fmt.Sprint(loss), func(t *testing.T) {
			w, b := longWorld(t, loss)
			w.spend(time.Second, nil)
			if !b.full {
				t.Error("Startup lasts more than a second")
			}
			if used := w.spend(8*time.Second, nil); used < 0.9*(1-loss) {
				t.Errorf("%.3f of the rate was used", used)
			}
		})
	}
}

// The queue that Startup makes is drained, and what is found out about more rate makes none that lasts.
func TestBBRDrainsTheQueue(t *testing.T) {
	w, b := longWorld(t, 0)
	most := 0.0
	w.spend(time.Second, func() { most = max(most, w.path.queued(w.now)) })
	if most < 50e3 {
		t.Fatalf("Startup made a queue of %.0f bytes: it did not look for the limit", most)
	}
	if b.state != bbrProbeBW {
		t.Fatalf("state %v after a second", b.state)
	}
	sum, n := 0.0, 0
	w.spend(5*time.Second, func() { sum += w.path.queued(w.now); n++ })
	if mean := sum / float64(n); mean > 20e3 { // a fifth of what the path holds
		t.Errorf("there are %.0f bytes in the queue", mean)
	}
	if flight, bdp := w.client.core.board.inFlight(), 100e3; float64(flight) > bbrCwndGain*bdp {
		t.Errorf("%d bytes are in flight", flight)
	}
}

// Every ten seconds the path is left half empty for a while, which shows how long it has become.
func TestBBRProbesTheRoundTrip(t *testing.T) {
	w, b := longWorld(t, 0.01)
	w.spend(2*time.Second, nil)
	if b.minRTT < 40*time.Millisecond || b.minRTT > 43*time.Millisecond {
		t.Fatalf("minRTT %v; the path takes 40 ms", b.minRTT)
	}
	w.path.delay = 40 * time.Millisecond
	least, began, lasted := 1<<30, time.Time{}, time.Duration(0)
	w.spend(15*time.Second, func() {
		if b.state == bbrProbeRTT {
			if began.IsZero() {
				began = w.now
			}
			least = min(least, w.client.core.board.inFlight())
			lasted = w.now.Sub(began)
		}
	})
	if lasted < bbrProbeRTTTime || lasted > 2*time.Second || least > 60e3 {
		t.Errorf("ProbeRTT lasted %v, with no less than %d bytes in flight", lasted, least)
	}
	if b.minRTT < 80*time.Millisecond || b.minRTT > 84*time.Millisecond {
		t.Errorf("minRTT %v; the path takes 80 ms by now", b.minRTT)
	}
	if used := w.spend(5*time.Second, nil); used < 0.9 {
		t.Errorf("%.3f of the rate was used", used)
	}
}

// The rate follows the path's.
func TestBBRFollowsTheRate(t *testing.T) {
	for _, factor := range []float64{0.5, 2} {
		t.Run(fmt.Sprint(factor), func(t *testing.T) {
			w, b := longWorld(t, 0.01)
			w.spend(2*time.Second, nil)
			w.path.rate *= factor
			w.spend(3*time.Second, nil)
			if used := w.spend(4*time.Second, nil); used < 0.85 {
				t.Errorf("%.3f of the rate was used", used)
			}
			if b.maxBW > 1.1*w.path.rate {
				t.Errorf("rate is thought to be %.0f, and is %.0f", b.maxBW, w.path.rate)
			}
			if q := w.path.queued(w.now); q > 50e3 {
				t.Errorf("%.0f bytes are in the queue", q)
			}
		})
	}
}

// A user who sends little shows nothing about the path.
func TestBBRUserWithLittle(t *testing.T) {
	w, b := longWorld(t, 0.01)
	w.spend(2*time.Second, nil)
	before := b.maxBW
	if before < 0.9*w.path.rate || before > 1.1*w.path.rate {
		t.Fatalf("rate is thought to be %.0f, and is %.0f", before, w.path.rate)
	}
	tick := w.now
	w.client.user = func(h *host) {
		if !w.now.Before(tick) { // 1 % of the rate
			tick = tick.Add(100 * time.Millisecond)
			h.core.Append(stretch(ours, h.core.dataEnd(), 2500))
		}
	}
	w.spend(30*time.Second, nil)
	if b.maxBW < 0.9*before {
		t.Errorf("rate was thought to be %.0f, and %.0f after a time with little to send", before, b.maxBW)
	}
	w.client.user = writeAll
	if used := w.spend(2*time.Second, nil); used < 0.85 {
		t.Errorf("%.3f of the rate was used after that", used)
	}
}
