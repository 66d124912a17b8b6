package ftcptest_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/wire"
)

// A monitor sees all that leaves for the service network, and holds the service address to what
// a client may rely on, whichever machine speaks for it:
//
//   - no position of a stream ever has two different bytes, and its end stays where it is;
//   - acknowledgements, the right edge of the window and timestamps never go back;
//   - there is no RST, but for connections that are over.
//
// Frames of a machine that has been replaced may still come out. A client's kernel drops
// them as old, by their timestamps (PAWS) or numbers, so only their bytes are held to anything.
type monitor struct {
	service netip.AddrPort
	active  func() string // name of the machine that is active, by the highest epoch

	mu     sync.Mutex
	resets bool // are allowed
	conns  map[watch]*watched
	frames []ftcptest.Frame // the latest
	faults []string
}

// watch names a connection: the service's end first, whose port is the service's or one that was dialed from.
type watch struct{ local, peer netip.AddrPort }

// watched is one connection, as seen from the wire.
type watched struct {
	iss, irs uint32 // irs: from the peer's SYN on
	scale    uint8
	out      []byte // from position 1 on
	seen     []bool // which of it was: what a cable swallows is not seen
	fin      int64  // position; 0: not seen
	over     bool   // the client has acknowledged it, and has sent its own

	speaker string // port of the last frame that was not old
	ts      uint32 // the latest timestamp of the service
	ack     int64  // highest
	edge    int64  // rightmost
}

// tail is how many frames are kept for the report of a failure.
const tail = 100

// allowResets ends the watch for RSTs.
func (m *monitor) allowResets() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resets = true
}

// see looks at a frame as it leaves its port.
func (m *monitor) see(f ftcptest.Frame) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.frames) >= 2*tail {
		m.frames = append(m.frames[:0], m.frames[tail:]...)
	}
	m.frames = append(m.frames, f)
	ip, seg, payload, ok := parseTCP(f)
	if !ok || ip.Src != m.service.Addr() && ip.Dst != m.service.Addr() {
		return
	}
	ours := ip.Src == m.service.Addr()
	id := watch{netip.AddrPortFrom(ip.Dst, seg.DstPort), netip.AddrPortFrom(ip.Src, seg.SrcPort)}
	if ours {
		id = watch{id.peer, id.local}
	}
	reset := seg.Flags&wire.RST != 0
	if ours && !reset {
		m.check(f, id, seg, payload)
		return
	}
	w := m.conns[id]
	if reset && !m.resets && (w == nil || !w.over) {
		m.fault(f, "a RST")
	}
	if !ours && w != nil && seg.Flags&wire.SYN != 0 && w.ack == 0 {
		w.irs = seg.Seq // a later one answers a SYN that was late
	}
	if !ours && w != nil && w.fin != 0 && seg.Flags&wire.ACK != 0 {
		w.over = w.over || w.ack > 1 && seg.Seq == w.irs+uint32(w.ack) && seg.Ack == w.iss+uint32(w.fin)+1
	}
}

func (m *monitor) check(f ftcptest.Frame, id watch, seg *wire.TCP, payload []byte) {
	w := m.conns[id]
	if seg.Flags&wire.SYN != 0 && (w == nil || w.iss != seg.Seq) {
		w = &watched{iss: seg.Seq, irs: seg.Ack - 1, scale: seg.Options.WindowScale, ts: seg.Options.TSVal, speaker: f.From}
		m.conns[id] = w
	}
	if w == nil {
		m.fault(f, "a segment before the SYN")
		return
	}
	pos := int64(len(w.out)) + 1
	pos += int64(int32(seg.Seq - (w.iss + uint32(pos))))
	ack := w.ack + int64(int32(seg.Ack-(w.irs+uint32(w.ack))))

	w.bytes(m, f, pos, seg, payload)
	if f.From != w.speaker && f.From != m.active() {
		return
	}
	if int32(seg.Options.TSVal-w.ts) < 0 {
		m.fault(f, "the timestamp goes back by %d", w.ts-seg.Options.TSVal)
	}
	if seg.Flags&wire.ACK == 0 {
		w.speaker, w.ts = f.From, seg.Options.TSVal
		return
	}
	edge := ack + int64(seg.Window)<<w.scale
	if seg.Flags&wire.SYN != 0 {
		// A client that knows it already ignores its window.
		edge = max(w.edge, ack+int64(seg.Window))
	}
	if ack < w.ack || ack < 1 {
		m.fault(f, "the acknowledgement goes back from %d to %d", w.ack, ack)
	}
	if edge < w.edge {
		m.fault(f, "the right edge of the window goes back from %d to %d", w.edge, edge)
	}
	w.speaker, w.ts, w.ack, w.edge = f.From, seg.Options.TSVal, max(w.ack, ack), max(w.edge, edge)
}

// bytes compares a segment's data and FIN with what was sent before.
func (w *watched) bytes(m *monitor, f ftcptest.Frame, pos int64, seg *wire.TCP, payload []byte) {
	if pos < 1 {
		return // the SYN, or a probe before the first byte
	}
	for i, b := range payload {
		at := int(pos) - 1 + i
		for len(w.out) <= at {
			w.out, w.seen = append(w.out, 0), append(w.seen, false)
		}
		if w.seen[at] && w.out[at] != b {
			m.fault(f, "another byte at position %d", at+1)
			break
		}
		w.out[at], w.seen[at] = b, true
	}
	end := pos + int64(len(payload))
	if w.fin != 0 && end > w.fin && len(payload) > 0 {
		m.fault(f, "data behind the FIN at %d", w.fin)
	}
	if seg.Flags&wire.FIN != 0 {
		if w.fin != 0 && end != w.fin || end <= int64(len(w.out)) {
			m.fault(f, "a FIN at %d", end)
		}
		w.fin = end
	}
}

func (m *monitor) fault(f ftcptest.Frame, format string, args ...any) {
	if len(m.faults) < 10 {
		m.faults = append(m.faults, fmt.Sprintf(format, args...)+": "+f.String())
	}
}

// report returns what was wrong; empty if nothing was.
func (m *monitor) report() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.faults, "\n")
}

// history returns the latest frames, a line each.
func (m *monitor) history() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, f := range m.frames {
		b.WriteString(f.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// parseTCP takes a frame apart; false if it is not TCP.
func parseTCP(f ftcptest.Frame) (ip wire.IP, seg *wire.TCP, payload []byte, ok bool) {
	_, packet, err := wire.ParseEthernet(f.Data)
	if err != nil {
		return
	}
	ip, segment, err := wire.ParseIP(packet)
	if err != nil || ip.Proto != wire.ProtoTCP {
		return
	}
	seg = new(wire.TCP)
	payload, err = seg.Parse(segment)
	return ip, seg, payload, err == nil
}
