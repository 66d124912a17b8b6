package prober

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// How long to wait.
const (
	patience = 2 * time.Second        // for what has to come
	moment   = 300 * time.Millisecond // for what must not; longer than an ACK is delayed
)

// A probe is a client with an address of its own, that sends what it likes, and one
// connection, to a listener of its own; more are made by another.
type probe struct {
	*flow
	host   host
	isFTCP bool
	o      options
	net    *network
	addr   netip.Addr
	l      listener

	mu    sync.Mutex
	flows map[uint16]*flow // by the probe's port
	start time.Time
	trace []string

	stray   chan packet // what is of no flow
	conns   []conn
	cleanup []func()
	capture func(packet []byte) // takes what send would send; nil: it is sent
}

// packet is one that is of no flow.
type packet struct {
	at      time.Time
	ip      wire.IP
	payload []byte
	whole   []byte
}

// A flow is a connection, from the probe's side. Its state follows the segments that the probe has received.
type flow struct {
	p        *probe
	port     uint16
	remote   netip.AddrPort
	iss, irs uint32
	synced   bool  // irs is known
	next     int64 // everything before has come
	window   uint16
	shift    uint8 // of the host's window
	ts       bool
	tsval    uint32
	tsecr    uint32
	queue    chan *segment
	tos      uint8
}

// failure ends a probe.
type failure struct{ text string }

func (p *probe) fatalf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

func (p *probe) check(err error) {
	if err != nil {
		p.fatalf("%v", err)
	}
}

// note adds a line to what is shown when the probe fails.
func (p *probe) note(at time.Time, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.trace) < 400 {
		p.trace = append(p.trace, fmt.Sprintf("%7.3f  ", at.Sub(p.start).Seconds())+fmt.Sprintf(format, args...))
	}
}

func (p *probe) another() *flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &flow{
		p: p, port: uint16(20000 + len(p.flows)), iss: rand.Uint32(), window: 32768, tsval: 1000,
		queue: make(chan *segment, 1<<13),
	}
	if p.l != nil {
		f.remote = netip.AddrPortFrom(p.host.addr(p.o.v6), p.l.port())
	}
	p.flows[f.port] = f
	return f
}

// deliver is called with what the host has sent.
func (p *probe) deliver(at time.Time, ip *wire.IP, payload, whole []byte) {
	if ip.Proto == wire.ProtoTCP && !ip.Fragment() {
		s := &segment{ip: *ip, at: at}
		var err error
		if s.payload, err = s.Parse(payload); err == nil {
			p.mu.Lock()
			f := p.flows[s.DstPort]
			p.mu.Unlock()
			if f != nil {
				if !wire.TCPChecksumOK(payload, ip.Src, ip.Dst) {
					p.note(at, "> wrong checksum")
					return
				}
				select {
				case f.queue <- s:
				default: // it has lost count, which it will notice
				}
				return
			}
		}
	}
	p.note(at, "> %s", wire.FormatIP(whole))
	select {
	case p.stray <- packet{at, *ip, payload, whole}:
	default:
	}
}

func (f *flow) rel(seq uint32) int64 { return int64(int32(seq - f.iss)) }

// take takes note of a segment of the host's.
func (f *flow) take(s *segment) {
	if s.Flags&wire.SYN != 0 && !f.synced {
		f.irs, f.synced = s.Seq, true
		f.remote = netip.AddrPortFrom(s.ip.Src, s.SrcPort)
		if s.Options.HasWindowScale {
			f.shift = s.Options.WindowScale
		}
	}
	s.pos = int64(int32(s.Seq - f.irs))
	s.ack = f.rel(s.Ack)
	if s.pos <= f.next {
		f.next = max(f.next, s.end())
	}
	if s.Options.HasTimestamps {
		f.tsecr = s.Options.TSVal
	}
	win := int(s.Window)
	if s.Flags&wire.SYN == 0 {
		win <<= f.shift
	}
	s.text = format(s.Flags, s.pos, len(s.payload), s.ack, win, &s.Options, f.rel)
	f.p.note(s.at, "> %s", s.text)
}

// send sends a segment. Its payload is the stream's, at its position.
func (f *flow) send(s string) { f.sendEdited(s, nil, nil) }

// sendEdited lets the probe spoil the header (before its checksum is computed) and the whole packet.
func (f *flow) sendEdited(s string, header, whole func([]byte)) {
	t, err := parseText(s)
	f.p.check(err)
	pos := t.pos
	if t.flags&wire.SYN != 0 {
		pos++
	}
	b := append(t.header(f), stream(ours, pos, t.n)...)
	if header != nil {
		header(b)
	}
	checksum(b, f)
	ip := wire.IP{Src: f.p.addr, Dst: f.remote.Addr(), Proto: wire.ProtoTCP, TTL: 64, TOS: f.tos, DF: true}
	b = append(ip.Append(nil, len(b)), b...)
	if whole != nil {
		whole(b)
	}
	f.p.note(time.Now(), "< %s", s)
	if f.p.capture != nil {
		f.p.capture(b)
		return
	}
	f.p.host.send(b)
}

// receive returns the next segment; nil after the time.
func (f *flow) receive(within time.Duration) *segment {
	select {
	case s := <-f.queue:
		f.take(s)
		return s
	case <-time.After(within):
		return nil
	}
}

// verify compares the payload with what the host's stream is.
func (f *flow) verify(s *segment) {
	pos := s.pos
	if s.Flags&wire.SYN != 0 {
		pos++
	}
	if !bytes.Equal(s.payload, stream(theirs, pos, len(s.payload))) {
		f.p.fatalf("wrong bytes in %v", s)
	}
}

// expect waits for the next segment, which has to be as given.
func (f *flow) expect(want string) *segment { return f.expectWithin(patience, want) }

func (f *flow) expectWithin(d time.Duration, want string) *segment {
	t, err := parseText(want)
	f.p.check(err)
	s := f.receive(d)
	if s == nil {
		f.p.fatalf("nothing came; want %s", want)
	}
	if diff := t.differs(s, f); diff != "" {
		f.p.fatalf("want %s\ngot  %v (%s)", want, s, diff)
	}
	f.verify(s)
	return s
}

// until waits for a segment as given, past any others.
func (f *flow) until(d time.Duration, want string) *segment {
	t, err := parseText(want)
	f.p.check(err)
	var last string
	for deadline := time.Now().Add(d); ; {
		s := f.receive(time.Until(deadline))
		if s == nil {
			f.p.fatalf("never came: %s %s", want, last)
		}
		f.verify(s)
		if diff := t.differs(s, f); diff == "" {
			return s
		} else {
			last = fmt.Sprintf("\nlast %v (%s)", s, diff)
		}
	}
}

// acked waits until everything before pos, and nothing else, is acknowledged.
func (f *flow) acked(pos int64) *segment {
	for deadline := time.Now().Add(patience); ; {
		s := f.receive(time.Until(deadline))
		if s == nil {
			f.p.fatalf("no ack %d", pos)
		}
		f.verify(s)
		switch {
		case s.Flags&(wire.RST|wire.ACK) != wire.ACK:
			f.p.fatalf("want ack %d, got %v", pos, s)
		case s.ack > pos:
			f.p.fatalf("want ack %d, got %v", pos, s)
		case s.ack == pos:
			return s
		}
	}
}

// silent expects that nothing comes.
func (f *flow) silent(d time.Duration) {
	if s := f.receive(d); s != nil {
		f.p.fatalf("want silence, got %v", s)
	}
}

// drain returns what comes in a time.
func (f *flow) drain(d time.Duration) (all []*segment) {
	for deadline := time.Now().Add(d); ; {
		s := f.receive(time.Until(deadline))
		if s == nil {
			return all
		}
		f.verify(s)
		all = append(all, s)
	}
}

// alive expects that the connection works, both ways: nothing done to it has moved its numbers, and
// the next position of ours is pos.
func (f *flow) alive(c conn, pos int64) {
	f.send(fmt.Sprintf("P. %d:%d(10)", pos, pos+10))
	f.p.readAt(c, pos, 10)
	f.acked(pos + 10)
	at := f.next
	f.p.write(c, at, 10)
	f.until(patience, fmt.Sprintf(". %d:%d(10)", at, at+10))
	f.send(fmt.Sprintf(". %d:%d(0)", pos+10, pos+10))
}

// pause is silence for so long that the host answers what makes no sense once more: Linux does
// every half second (tcp_invalid_ratelimit).
func (f *flow) pause() { f.silent(550 * time.Millisecond) }

// gone expects that the host does not know the connection any more; pos is our next position.
func (f *flow) gone(pos int64) {
	f.drain(20 * time.Millisecond)
	f.send(fmt.Sprintf(". %d:%d(0) ack 1", pos, pos))
	f.expect("R 1:1(0)")
}

// connect does the handshake; opts are the options of the SYN.
func (f *flow) connect(opts string) {
	f.send(fmt.Sprintf("S 0:0(0) <%s>", opts))
	f.expect("S. 0:0(0) ack 1")
	f.ts = slices.Contains(strings.Split(strings.ReplaceAll(opts, " ", ""), ","), "ts")
	f.send(". 1:1(0) ack 1")
}

// open is connect, and the host's socket.
func (p *probe) open(opts string) conn {
	p.connect(opts)
	return p.accept()
}

func (p *probe) accept() conn {
	c, err := p.l.accept(patience)
	if err != nil {
		p.fatalf("accept: %v", err)
	}
	p.conns = append(p.conns, c)
	return c
}

// dial makes the host connect to the probe, up to its SYN.
func (p *probe) dial() (syn *segment, done <-chan dialed) {
	ch := make(chan dialed, 1)
	p.remote = netip.AddrPort{}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	go func() {
		defer cancel()
		c, err := p.host.dial(ctx, netip.AddrPortFrom(p.addr, p.port))
		ch <- dialed{c, err}
	}()
	syn = p.expect("S 0:0(0)")
	return syn, ch
}

type dialed struct {
	c   conn
	err error
}

// dialed waits for the end of a dial.
func (p *probe) dialed(ch <-chan dialed) dialed {
	select {
	case d := <-ch:
		if d.c != nil {
			p.conns = append(p.conns, d.c)
		}
		return d
	case <-time.After(patience):
		p.fatalf("dial does not return")
	}
	return dialed{}
}

// established is dialed, for a dial that has to succeed.
func (p *probe) established(ch <-chan dialed) conn {
	d := p.dialed(ch)
	p.check(d.err)
	return d.c
}

// read reads the n first bytes of our stream at the host, and compares them.
func (p *probe) read(c conn, n int) { p.readAt(c, 1, n) }

func (p *probe) readAt(c conn, pos int64, n int) {
	b := make([]byte, n)
	c.SetReadDeadline(time.Now().Add(patience))
	if k, err := io.ReadFull(c, b); err != nil {
		p.fatalf("read %d of %d bytes: %v", k, n, err)
	}
	if !bytes.Equal(b, stream(ours, pos, n)) {
		p.fatalf("wrong bytes were read")
	}
	p.note(time.Now(), "* read %d", n)
}

// eof expects the end of our stream at the host.
func (p *probe) eof(c conn) {
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(make([]byte, 10)); n != 0 || err != io.EOF {
		p.fatalf("read %d bytes, %v; want EOF", n, err)
	}
}

// unread expects that there is nothing to read.
func (p *probe) unread(c conn) {
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := c.Read(make([]byte, 10)); n != 0 || err == nil || err == io.EOF || !isTimeout(err) {
		p.fatalf("read %d bytes, %v; want nothing", n, err)
	}
}

// broken expects that the host's socket has an error.
func (p *probe) broken(c conn) {
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(make([]byte, 10)); err == nil || err == io.EOF || isTimeout(err) {
		p.fatalf("read %d bytes, %v; want an error", n, err)
	}
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}

// write writes n bytes of the host's stream, in the background: it may be more than fits.
func (p *probe) write(c conn, pos int64, n int) {
	p.note(time.Now(), "* write %d", n)
	go c.Write(stream(theirs, pos, n))
}

// nothingElse expects that nothing came besides segments of flows.
func (p *probe) nothingElse(d time.Duration) {
	select {
	case k := <-p.stray:
		p.fatalf("want silence, got %s", wire.FormatIP(k.whole))
	case <-time.After(d):
	}
}

// run runs a probe.
func (k *probeCase) run(p *probe) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			if p.flow != nil {
				for len(p.queue) > 0 {
					p.receive(0)
				}
			}
			err = fmt.Errorf("%s\n%s", r.text, strings.Join(p.trace, "\n"))
		default:
			panic(r)
		}
		for _, f := range p.cleanup {
			f()
		}
		for _, c := range p.conns {
			c.SetLinger(0)
			c.Close()
		}
		if p.l != nil {
			p.l.close()
		}
		p.net.unplug(p)
	}()
	p.flows = map[uint16]*flow{}
	p.stray = make(chan packet, 1<<13)
	p.start = time.Now()
	p.net.plug(p)
	if p.l, err = p.host.listen(p.port0(), p.o); err != nil {
		return err
	}
	p.flow = p.another()
	k.do(p)
	return nil
}

// port0 is the port to listen on: one of its own where hosts are shared.
func (p *probe) port0() uint16 {
	if p.isFTCP {
		return 80
	}
	return 0
}
