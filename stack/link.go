package stack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
)

// LinkConfig says what a stack does with a device.
type LinkConfig struct {
	// Addr is the address that the stack answers for on this device. A device without a MAC may
	// leave it out: the stack then answers for whatever the device delivers.
	Addr netip.Addr

	// MAC is the Ethernet address that goes with Addr. Zero: the device's own.
	MAC wire.MAC

	// Prefix is the network that Addr is in. Zero: every address is on the link. NextHop returns the station in that network by way of
	// which an address outside of it is reached; nil: there is none. They are for active opens, and for peers that have not
	// answered for long: otherwise answers go where the question came from. NextHop may be called with a connection locked.
	Prefix  netip.Prefix
	NextHop func(netip.Addr) (netip.Addr, error)

	// Probe is for how long AddLink asks, before it uses Addr, whether another station has it: RFC 5227 section 2.1,
	// RFC 4862 section 5.4. Zero: not at all.
	Probe time.Duration

	// Reopen returns a device in the place of one that has failed, as one does whose
	// interface was removed. The link calls it until it succeeds, or the link is closed,
	// and holds no lock meanwhile. The new device may have another MAC and another MTU.
	// Nil: a device that has failed stays failed, and Accept fails for the listeners that
	// have no other.
	Reopen func() (device.Device, error)
}

// Link is a device that a stack uses.
type Link struct {
	stack *Stack
	cfg   LinkConfig
	hw    atomic.Pointer[hardware]
	quiet atomic.Bool // not to be heard yet, nor to hear: it is not known whether Addr is free
	done  chan struct{}

	failed atomic.Bool           // the device has failed, and there is no other yet
	dead   atomic.Pointer[error] // why there will be none; nil: there may be one
	mu     sync.Mutex            // guards the change of hw against close
	ending chan struct{}         // closed by close

	neighbors neighbors

	born    time.Time
	heard   atomic.Int64 // when another station was heard last, since born; 0: never
	foreign bool         // the batch that is being read has something of another station; used by the reading goroutine only
	asking  atomic.Bool  // the default gateway is being asked for

	fragments fragments // used by the reading goroutine only

	touched []*Conn // by the batch that is being read; used by the reading goroutine only
}

// hardware is a link's device with what does not change in its life.
type hardware struct {
	dev      device.Device
	features device.Features
	mac      wire.MAC // by which the stack answers; zero: bare IP packets
	own      wire.MAC // the device's own, by which a node that is not active is heard
}

func newHardware(dev device.Device, cfg *LinkConfig) (*hardware, error) {
	f := dev.Features()
	h := &hardware{dev: dev, features: f, mac: cfg.MAC, own: f.MAC}
	if h.mac.IsZero() || f.MAC.IsZero() {
		h.mac = f.MAC
	}
	if !f.MAC.IsZero() && !cfg.Addr.IsValid() {
		return nil, errors.New("stack: a device with a MAC needs an address")
	}
	return h, nil
}

func (l *Link) device() device.Device { return l.hw.Load().dev }
func (l *Link) mac() wire.MAC         { return l.hw.Load().mac }
func (l *Link) own() wire.MAC         { return l.hw.Load().own }

// AddLink starts to use a device. The stack closes it. The error is EADDRINUSE if another
// station answers for the address.
func (s *Stack) AddLink(dev device.Device, cfg LinkConfig) (*Link, error) {
	hw, err := newHardware(dev, &cfg)
	if err != nil {
		return nil, err
	}
	l := &Link{stack: s, cfg: cfg, born: time.Now(), done: make(chan struct{}), ending: make(chan struct{})}
	l.hw.Store(hw)
	l.neighbors.init()
	l.fragments.init(&s.Stats)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, net.ErrClosed
	}
	s.links = append(s.links, l)
	s.mu.Unlock()
	l.quiet.Store(cfg.Probe > 0)
	go l.run()
	if l.quiet.Load() && l.ethernet() && l.probeFor(cfg.Probe) {
		s.mu.Lock()
		s.links = slices.DeleteFunc(slices.Clone(s.links), func(o *Link) bool { return o == l })
		s.mu.Unlock()
		l.close()
		return nil, fmt.Errorf("stack: another station answers for %s: %w", cfg.Addr, errno.AddrInUse)
	}
	l.quiet.Store(false)
	if s.Active() {
		l.announce()
	}
	return l, nil
}

// active says whether the stack answers on this link.
func (l *Link) active() bool { return l.stack.Active() && !l.quiet.Load() }

// Addr is the address that the stack answers for on this link.
func (l *Link) Addr() netip.Addr { return l.cfg.Addr }

// ethernet says that packets on this link have Ethernet headers.
func (l *Link) ethernet() bool { return !l.mac().IsZero() }

// mtuFor is the largest IP packet to send to addr.
func (l *Link) mtuFor(addr netip.Addr) int {
	hw := l.hw.Load()
	if d, ok := hw.dev.(interface{ MTUFor(netip.Addr) int }); ok {
		return d.MTUFor(addr)
	}
	return min(hw.features.MTU, 65535)
}

func (l *Link) close() error {
	err := l.end().Close()
	<-l.done
	return err
}

// readBatch is how many packets are read, and acknowledged, together.
const readBatch = 32

// run reads the device until it is closed, and the one in its place if it fails.
func (l *Link) run() {
	defer close(l.done)
	var b inbox
	b.init()
	said := sayings{}
	for {
		since := time.Now()
		err := l.read(&b, &said)
		if time.Since(since) >= steady {
			said.forget()
		}
		if errors.Is(err, net.ErrClosed) || !l.replace(err, &said) {
			l.die(err)
			return
		}
	}
}

// inbox is where packets are read into.
type inbox struct {
	pkts   [readBatch]device.Inbound
	blocks [readBatch]*tcp.Block
}

func (b *inbox) init() {
	for i := range b.blocks {
		b.blocks[i] = tcp.NewBlock(device.BufferSize)
		b.pkts[i].Buf = b.blocks[i].B
	}
}

// read reads the device until that fails.
func (l *Link) read(b *inbox, said *sayings) error {
	dev := l.device()
	for {
		n, err := dev.Read(b.pkts[:])
		if err != nil {
			return err
		}
		said.forget()
		now := time.Now()
		l.stack.Stats.Received.Add(uint64(n))
		l.foreign = false
		for i := range b.pkts[:n] {
			block := l.input(now, &b.pkts[i], b.blocks[i])
			if block == nil {
				block = tcp.NewBlock(device.BufferSize)
			}
			b.blocks[i] = block
			b.pkts[i] = device.Inbound{Buf: block.B}
		}
		if l.foreign {
			l.hear(now)
		}
		for i, c := range l.touched {
			c.mu.Lock()
			c.touched = false
			c.flush(now)
			c.mu.Unlock()
			l.touched[i] = nil
		}
		l.touched = l.touched[:0]
	}
}

// transmit is a batch of segments on their way to the device, with room for their headers.
type transmit struct {
	link  *Link
	conn  *Conn
	pkts  [writeBatch]device.Outbound
	hdrs  [writeBatch][headerRoom]byte
	parts [writeBatch][4][]byte
	n     int
	emit  func(*tcp.Segment) // the method segment, made once
}

const (
	writeBatch = 32
	headerRoom = 128 // Ethernet, IPv6 and TCP with options take 114
)

var transmits = sync.Pool{New: func() any {
	t := new(transmit)
	t.emit = t.segment
	return t
}}

func (l *Link) transmit(c *Conn) *transmit {
	t := transmits.Get().(*transmit)
	t.link, t.conn = l, c
	return t
}

// segment adds a segment of the batch's connection.
func (t *transmit) segment(seg *tcp.Segment) {
	c := t.conn
	seg.SrcPort, seg.DstPort = c.local.Port(), c.remote.Port()
	t.add(c.peerMAC, c.local.Addr(), c.remote.Addr(), c.class, seg)
}

// add adds a segment to the batch, which is sent when it is full.
func (t *transmit) add(to wire.MAC, src, dst netip.Addr, class uint8, seg *tcp.Segment) {
	l := t.link
	hw := l.hw.Load()
	hdr := t.hdrs[t.n][:0]
	if !hw.mac.IsZero() {
		hdr = wire.Ethernet{Dst: to, Src: hw.mac, Type: etherType(dst)}.Append(hdr)
	}
	length := seg.TCP.Len() + seg.Len
	ip := wire.IP{Src: src, Dst: dst, Proto: wire.ProtoTCP, TOS: class&^3 | uint8(seg.ECN), TTL: l.stack.cfg.TTL, DF: true}
	hdr = ip.Append(hdr, length)
	start := len(hdr)
	hdr = seg.TCP.Append(hdr)
	sum := wire.PseudoHeaderSum(src, dst, wire.ProtoTCP, length)

	p := &t.pkts[t.n]
	*p = device.Outbound{Header: hdr, Payload: append(t.parts[t.n][:0], seg.Parts...)}
	if hw.features.Checksum {
		wire.SetPartialChecksum(hdr[start:], sum)
		p.ChecksumStart, p.ChecksumOffset = start, wire.TCPChecksumOffset
		p.SegmentSize = seg.SegmentSize
	} else {
		wire.SetTCPChecksum(hdr[start:], sumParts(seg.Parts, sum))
	}
	if t.n++; t.n == writeBatch {
		t.flush()
	}
}

// flush sends the batch.
func (t *transmit) flush() {
	if t.n > 0 {
		t.link.device().Write(t.pkts[:t.n]) // a device that fails ends Read, which reports it
		clear(t.pkts[:t.n])
		for i := range t.parts[:t.n] {
			clear(t.parts[i][:])
		}
		t.n = 0
	}
}

// done sends what is left and gives the batch back.
func (t *transmit) done() {
	t.flush()
	t.link, t.conn = nil, nil
	transmits.Put(t)
}

// sumParts adds the checksum of parts, which may have odd lengths: the bytes after an odd
// one have changed sides (RFC 1071 section 2).
func sumParts(parts [][]byte, sum uint32) uint32 {
	odd := false
	for _, p := range parts {
		s := wire.Fold(wire.Sum(p, 0))
		if odd {
			s = s<<8 | s>>8
		}
		sum = uint32(wire.Fold(sum)) + uint32(s)
		odd = odd != (len(p)%2 == 1)
	}
	return sum
}

func etherType(a netip.Addr) wire.EtherType {
	if a.Is4() {
		return wire.EtherTypeIPv4
	}
	return wire.EtherTypeIPv6
}

// send sends one packet that is not of a connection: payload behind an IP header.
func (l *Link) send(to wire.MAC, ip wire.IP, payload []byte) {
	var hdr []byte
	if l.ethernet() {
		hdr = wire.Ethernet{Dst: to, Src: l.mac(), Type: etherType(ip.Dst)}.Append(hdr)
	}
	hdr = ip.Append(hdr, len(payload))
	l.device().Write([]device.Outbound{{Header: append(hdr, payload...)}})
}
