package tcp

import (
	"testing"
	"time"
)

// fuzzHost is one end of a connection.
func fuzzHost(w *world, name string) *host {
	h := &host{name: name, cfg: fuzzConfig(w.c, w.now)}
	h.pace = of(w.c, 0, 0, 100, 1000)
	h.total = int64(min(of(w.c, 0, 1, 1000, 5000, 20000), 50*h.cfg.ReceiveBuffer))
	h.user = exchange(w.t)
	return h
}

// FuzzPair joins two cores by a link that loses, repeats and delays. In the end both have had all
// of the other's stream.
func FuzzPair(f *testing.F) {
	f.Add([]byte{})
	for i := range 16 {
		seed := make([]byte, 300)
		for j := range seed {
			seed[j] = theirs(int64(i<<16 + j))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2048 {
			return
		}
		w := newWorld(t, (*choices)(&data))
		w.client, w.server = fuzzHost(w, "client"), fuzzHost(w, "server")
		// What is written has to fit into the other's buffer in reasonable time.
		w.client.total = min(w.client.total, int64(50*w.server.cfg.ReceiveBuffer))
		w.server.total = min(w.server.total, int64(50*w.client.cfg.ReceiveBuffer))
		w.client.core = Connect(w.client.cfg, w.now)
		if w.c.byte()%4 == 0 {
			// Simultaneous open.
			w.server.core = Connect(w.server.cfg, w.now)
			w.serve(w.server)
		}
		nagle := w.c.byte()
		w.client.core.SetNoDelay(nagle&1 == 0)
		w.client.core.SetKeepAlive(w.now, of(w.c, 0, time.Second), time.Second, 20)
		w.serve(w.client)
		for range 100_000 {
			w.event(w.client, w.server)
			if w.done() {
				return
			}
		}
		t.Fatalf("no end:\n%s\n%s", w.client.outcome(w.server.total), w.server.outcome(w.client.total))
	})
}

func (w *world) done() bool {
	c, s := w.client, w.server
	if c.outcome(s.total) == "" && s.outcome(c.total) == "" {
		return true
	}
	for _, h := range []*host{c, s} {
		if h.core != nil && h.core.Err() != nil && h.outcome(w.peer(h).total) != "" {
			w.t.Fatal(h.outcome(w.peer(h).total))
		}
	}
	return false
}
