package tcp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// world is a client and a server, the link between them, and the time. The bytes of a fuzzer decide
// what the link does; when they have run out it is perfect.
type world struct {
	t              *testing.T
	c              *choices
	now            time.Time
	client, server *host
	packets        []packet // sorted by time of arrival
	tick           time.Time
	loss           int // packets that may still be lost
	path           *path
}

type packet struct {
	at  time.Time
	to  *host
	seg *Segment
}

// host is a core and its user. Both streams are ours.
type host struct {
	name   string
	cfg    Config
	core   *Core
	next   time.Time
	oracle oracle
	user   func(*host)
	pace   int // bytes that the user reads at a tick; 0: all, at once

	// The user of a client.
	total int64 // bytes to write

	got int64 // bytes read
	eof bool
}

const (
	linkDelay = 10 * time.Millisecond
	tickEvery = 100 * time.Millisecond
)

func newWorld(t *testing.T, c *choices) *world {
	// A SYN is sent 7 times, of which a takeover may swallow two.
	w := &world{t: t, c: c, now: time.Unix(1<<30, 0), loss: 4}
	w.tick = w.now.Add(tickEvery)
	return w
}

// peer is who receives what h sends.
func (w *world) peer(h *host) *host {
	if h == w.client {
		return w.server
	}
	return w.client
}

// transmit puts a segment on the link, cut into what fits in a packet.
func (w *world) transmit(to *host, s *Segment) {
	var payload []byte
	for _, p := range s.Parts {
		payload = append(payload, p...)
	}
	size := s.SegmentSize
	if size == 0 {
		size = max(1, len(payload))
	}
	for at := 0; at == 0 || at < len(payload); at += size {
		one := &Segment{TCP: s.TCP, Payload: payload[at:min(at+size, len(payload))]}
		one.Seq += uint32(at)
		if at+size < len(payload) {
			one.Flags &^= wire.FIN | wire.PSH
		}
		w.fate(to, one)
	}
}

// fate decides what becomes of a packet.
func (w *world) fate(to *host, s *Segment) {
	if w.path != nil {
		w.path.carry(w, to, s)
		return
	}
	switch b := w.c.byte(); {
	case b < 128:
		w.enqueue(linkDelay, to, s)
	case b < 160 && w.loss > 0:
		w.loss--
	case b < 192:
		w.enqueue(linkDelay, to, s)
		again := *s
		w.enqueue(4*linkDelay, to, &again)
	default:
		w.enqueue(time.Duration(b-190)*linkDelay, to, s)
	}
}

func (w *world) enqueue(delay time.Duration, to *host, s *Segment) {
	p := packet{w.now.Add(delay), to, s}
	i := len(w.packets)
	for i > 0 && w.packets[i-1].at.After(p.at) {
		i--
	}
	w.packets = slices.Insert(w.packets, i, p)
}

// deliver gives a segment to a host as a stack would.
func (w *world) deliver(h *host, s *Segment) {
	switch {
	case h.core == nil && s.Flags&(wire.SYN|wire.ACK|wire.RST) == wire.SYN:
		h.core = Accept(h.cfg, w.now, &s.TCP)
		return
	case h.core == nil || h.core.Ended():
		if s.Flags&(wire.RST|wire.ACK) == wire.ACK {
			rst := &Segment{}
			rst.Flags, rst.Seq = wire.RST, s.Ack
			w.enqueue(linkDelay, w.peer(h), rst)
		}
		return
	}
	if len(s.Payload)%2 == 1 {
		s.Block = NewBlock(len(s.Payload))
		s.Payload = s.Block.B[:copy(s.Block.B, s.Payload)]
	}
	h.core.Recv(w.now, s)
	if s.Block != nil {
		clear(s.Payload)
		s.Block.Free()
	}
}

// serve lets the user of a host do what is possible, and the core send.
func (w *world) serve(h *host) {
	if h.core == nil {
		return
	}
	if err := h.core.check(); err != nil {
		w.t.Fatalf("%s: %v", h.name, err)
	}
	if h.core.Established() {
		h.user(h)
	}
	if h.core.Replica() {
		return
	}
	emit := func(s *Segment) {
		if err := h.oracle.judge(h.core, s); err != nil {
			w.t.Fatalf("%s: %s: %v", h.name, formatSegment(h.core, s), err)
		}
		w.transmit(w.peer(h), s)
	}
	if h.next = h.core.Send(w.now, emit); h.core.ResetDue() {
		h.core.SendReset(w.now, emit)
		h.next = h.core.deadline()
	}
	if err := h.core.check(); err != nil {
		w.t.Fatalf("%s: %v", h.name, err)
	}
	if !h.next.IsZero() && !h.next.After(w.now) {
		w.t.Fatalf("%s: the deadline %v has passed already", h.name, h.next.Sub(w.now))
	}
}

// event lets the time pass until the next thing happens, and lets it happen.
func (w *world) event(hosts ...*host) {
	at := w.tick
	for _, h := range hosts {
		if !h.next.IsZero() && h.next.Before(at) {
			at = h.next
		}
	}
	if len(w.packets) > 0 && !w.packets[0].at.After(at) {
		p := w.packets[0]
		w.packets = w.packets[1:]
		w.now = p.at
		w.deliver(p.to, p.seg)
	} else {
		w.now = at
	}
	if !w.now.Before(w.tick) {
		w.tick = w.now.Add(tickEvery)
		for _, h := range hosts {
			h.consume(w.t, h.pace)
		}
	}
	for _, h := range hosts {
		w.serve(h)
	}
}

// consume reads up to n bytes, and looks at them.
func (h *host) consume(t *testing.T, n int) int {
	if h.core == nil || h.eof {
		return 0
	}
	n = min(n, h.core.Readable())
	if err := compare(h.core.Peek(nil, n), ours, h.got+1); err != nil {
		t.Fatalf("%s: %v", h.name, err)
	}
	h.core.Consume(n)
	h.got += int64(n)
	return n
}

// exchange is a user that writes all it has and closes, and reads until the peer does.
func exchange(t *testing.T) func(*host) {
	return func(h *host) {
		c := h.core
		if h.pace == 0 {
			h.consume(t, c.Readable())
		}
		if c.EOF() && c.Readable() == 0 {
			h.eof = true
		}
		if written := c.dataEnd() - 1; c.Writable() {
			n := min(int64(c.Room()), h.total-written)
			c.Append(stretch(ours, written+1, int(n)))
			if written+n == h.total {
				c.CloseWrite(time.Time{})
			}
		}
	}
}

// outcome is empty if a host has had all of its peer's stream, and its end.
func (h *host) outcome(total int64) string {
	switch {
	case h.core == nil:
		return h.name + ": no connection"
	case h.got != total || !h.eof:
		return fmt.Sprintf("%s: %v %v: got %d of %d bytes, end %v; %v", h.name, h.core.State(), h.core.Err(), h.got, total, h.eof, h.core.Positions())
	case !h.core.Ended() && h.core.State() != TimeWait:
		return fmt.Sprintf("%s: is in %v", h.name, h.core.State())
	}
	return ""
}
