package netns

import (
	"errors"
	"os"
	"sync"
	"time"
)

// A Cable joins two interfaces through this process, which loses, delays and reorders
// what passes. It lasts until Close, also when its namespaces are closed.
type Cable struct {
	forth, back *way
	running     sync.WaitGroup
}

// AddCable joins n and peer, which may be the same, by a cable with faults: forth is what
// happens from n to peer, back what happens from peer to n. Of two cables with the same seed and faults,
// the same number of frames sent have the same fate, but for those that find a queue full.
// The interfaces at its ends are up, and are Ethernet without offloads.
func (n *Namespace) AddCable(name string, peer *Namespace, peerName string, seed uint64, forth, back Faults) (*Cable, error) {
	here, err := n.addTAP(name)
	if err != nil {
		return nil, err
	}
	there, err := peer.addTAP(peerName)
	if err != nil {
		here.Close()
		return nil, err
	}
	c := &Cable{
		forth: &way{from: here, to: there, transit: newTransit(forth, seed, 0)},
		back:  &way{from: there, to: here, transit: newTransit(back, seed, 1)},
	}
	for _, w := range []*way{c.forth, c.back} {
		if w.alarm, err = newAlarm(); err != nil {
			c.Close()
			return nil, err
		}
	}
	for _, w := range []*way{c.forth, c.back} {
		c.running.Go(w.take)
		c.running.Go(w.deliver)
	}
	return c, nil
}

// Stats returns what has happened so far in each direction.
func (c *Cable) Stats() (forth, back Stats) {
	return c.forth.counted(), c.back.counted()
}

// Close removes the cable, and the interfaces at its ends. Closing twice is harmless.
func (c *Cable) Close() error {
	err := errors.Join(c.forth.close(), c.back.close())
	c.running.Wait()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// A way is one direction of a cable.
type way struct {
	from, to *os.File // TAPs
	alarm    alarm

	mu      sync.Mutex // guards what follows
	transit transit
	flights flights
}

const (
	frameMax = 14 + 4 + 65535 // an Ethernet header, a VLAN tag, the longest packet
	underWay = 64 << 20       // bytes in flights, at the most
)

// take reads what the sender's kernel sends, until the TAP is closed.
func (w *way) take() {
	b := make([]byte, frameMax)
	for {
		n, err := w.from.Read(b)
		if err != nil {
			return
		}
		w.launch(time.Now(), b[:n])
	}
}

// launch puts a frame on its way.
func (w *way) launch(now time.Time, frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.flights.bytes+len(frame) > underWay {
		w.transit.stats.Sent++
		w.transit.stats.QueueFull++
		return
	}
	before, busy := w.flights.next()
	w.transit.transmit(now, frame, func(at time.Time) { w.flights.push(at, frame) })
	if next, ok := w.flights.next(); ok && (!busy || next.Before(before)) {
		w.alarm.set(next)
	}
}

// deliver hands what has arrived to the receiver's kernel, until the cable is closed.
func (w *way) deliver() {
	var batch []*flight
	for w.alarm.wait() == nil {
		w.mu.Lock()
		batch = w.flights.arrived(time.Now(), batch[:0])
		w.mu.Unlock()
		refused := 0
		for _, f := range batch {
			if _, err := w.to.Write(f.data); err != nil {
				refused++
			}
		}
		w.mu.Lock()
		w.transit.stats.Delivered += len(batch) - refused
		w.transit.stats.Unplugged += refused
		w.flights.recycle(batch)
		if next, ok := w.flights.next(); ok {
			w.alarm.set(next)
		}
		w.mu.Unlock()
	}
}

func (w *way) counted() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.transit.stats
}

// close closes the sender's TAP, which is the other way's receiver's.
func (w *way) close() error {
	err := w.from.Close()
	if w.alarm.file != nil {
		err = errors.Join(err, w.alarm.file.Close())
	}
	return err
}
