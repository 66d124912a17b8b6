package prober

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// A text is a segment as probes write it:
//
//	P. 1:1001(1000) ack 1 win 32768 <sack 2001:3001, ts 100 ecr 90>
//
// The range may be "*" in what is expected, and ack, win and options left out. Besides
// those of the scripts of package tcp, it knows "win>=N" and "win<=N", "urg N", "raw 0101080a…" for options
// that are not in order, "nots" to have none, and "no mss" and the like for what must be absent.
type text struct {
	flags    wire.Flags
	anyRange bool
	pos      int64
	n        int
	hasAck   bool
	ack      int64
	winIs    string // "", "win", "win>=" or "win<="
	win      int
	urg      int

	mss          int // -1: not said
	wscale       int // -1: not said
	sackOK       bool
	ts           bool
	tsval, tsecr uint32 // tsval is not looked at in what is expected
	tsOnly       bool   // with any values
	sacks        [][2]int64
	hasRaw       bool
	raw          []byte
	absent       []string
}

// parseText reads a segment, to be sent or expected.
func parseText(s string) (t text, err error) {
	t.mss, t.wscale = -1, -1
	head, opts, _ := strings.Cut(s, " <")
	opts = strings.TrimSuffix(opts, ">")
	f := strings.Fields(head)
	if len(f) < 2 {
		return t, fmt.Errorf("%q: a segment has flags and a range", s)
	}
	for _, r := range f[0] {
		i := strings.IndexRune("FSRP.UEW", r)
		if i >= 0 {
			t.flags |= 1 << i
		} else if r != '0' { // no flags at all
			return t, fmt.Errorf("%q: no flag %q", s, r)
		}
	}
	if f[1] == "*" {
		t.anyRange = true
	} else {
		var from, to int64
		if k, err := fmt.Sscanf(f[1], "%d:%d(%d)", &from, &to, &t.n); k != 3 || err != nil || to-from != int64(t.n) {
			return t, fmt.Errorf("%q: no range", s)
		}
		t.pos = from
	}
	for f = f[2:]; len(f) > 0; {
		word := f[0]
		if name, v, ok := strings.Cut(word, "="); ok { // win>=N
			f = append([]string{name + "=", v}, f[1:]...)
			word = f[0]
		}
		if len(f) < 2 {
			return t, fmt.Errorf("%q: what is %q?", s, word)
		}
		v, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return t, err
		}
		switch word {
		case "ack":
			t.ack, t.hasAck = v, true
		case "win", "win>=", "win<=":
			t.win, t.winIs = int(v), word
		case "urg":
			t.urg = int(v)
		default:
			return t, fmt.Errorf("%q: what is %q?", s, word)
		}
		f = f[2:]
	}
	for o := range strings.SplitSeq(opts, ",") {
		if err := t.option(strings.Fields(o)); err != nil {
			return t, fmt.Errorf("%q: %w", s, err)
		}
	}
	return t, nil
}

func (t *text) option(f []string) (err error) {
	if len(f) == 0 {
		return nil
	}
	number := func(s string) int {
		v, e := strconv.ParseInt(s, 10, 64)
		if e != nil {
			err = e
		}
		return int(v)
	}
	switch {
	case f[0] == "mss" && len(f) == 2:
		t.mss = number(f[1])
	case f[0] == "wscale" && len(f) == 2:
		t.wscale = number(f[1])
	case f[0] == "sackOK":
		t.sackOK = true
	case f[0] == "ts" && len(f) == 1:
		t.tsOnly = true
	case f[0] == "ts" && len(f) == 4:
		t.ts, t.tsval, t.tsecr = true, uint32(number(f[1])), uint32(number(f[3]))
	case f[0] == "sack" && len(f) == 2:
		l, r, _ := strings.Cut(f[1], ":")
		t.sacks = append(t.sacks, [2]int64{int64(number(l)), int64(number(r))})
	case f[0] == "raw" && len(f) <= 2:
		t.hasRaw = true
		if len(f) == 2 {
			t.raw, err = hex.DecodeString(f[1])
		}
	case f[0] == "no" && len(f) == 2 && slices.Contains([]string{"mss", "wscale", "sackOK", "ts", "sack"}, f[1]):
		t.absent = append(t.absent, f[1])
	case f[0] == "nots":
		t.absent = append(t.absent, "ts")
	default:
		err = fmt.Errorf("what is %q?", f)
	}
	return err
}

// A segment is one that came.
type segment struct {
	wire.TCP
	ip       wire.IP
	pos, ack int64 // relative to the connection
	payload  []byte
	at       time.Time
	text     string
}

func (s *segment) String() string { return s.text }

// end is one past the last position of the segment.
func (s *segment) end() int64 {
	end := s.pos + int64(len(s.payload))
	if s.Flags&wire.SYN != 0 {
		end++
	}
	if s.Flags&wire.FIN != 0 {
		end++
	}
	return end
}

// differs says in what a segment is not as expected; empty: in nothing. PSH is not looked at.
func (t *text) differs(s *segment, f *flow) string {
	var d []string
	say := func(bad bool, format string, args ...any) {
		if bad {
			d = append(d, fmt.Sprintf(format, args...))
		}
	}
	say((t.flags^s.Flags)&^wire.PSH != 0, "flags %v", s.Flags)
	say(!t.anyRange && (t.pos != s.pos || t.n != len(s.payload)), "range %d:%d", s.pos, s.pos+int64(len(s.payload)))
	say(t.hasAck && t.ack != s.ack, "ack %d", s.ack)
	win := int(s.Window)
	if s.Flags&wire.SYN == 0 {
		win <<= f.shift
	}
	switch t.winIs {
	case "win":
		say(win != t.win, "win %d", win)
	case "win>=":
		say(win < t.win, "win %d", win)
	case "win<=":
		say(win > t.win, "win %d", win)
	}
	o := &s.Options
	say(t.mss >= 0 && int(o.MSS) != t.mss, "mss %d", o.MSS)
	say(t.wscale >= 0 && (!o.HasWindowScale || int(o.WindowScale) != t.wscale), "wscale %d", o.WindowScale)
	say(t.sackOK && !o.SACKPermitted, "no sackOK")
	say((t.ts || t.tsOnly) && !o.HasTimestamps, "no ts")
	say(t.ts && o.TSEcr != t.tsecr, "ecr %d", o.TSEcr)
	if t.sacks != nil {
		var got [][2]int64
		for _, b := range o.Blocks() {
			got = append(got, [2]int64{f.rel(b.Left), f.rel(b.Right)})
		}
		say(!slices.Equal(got, t.sacks), "sack %v", got)
	}
	for _, name := range t.absent {
		say(name == "mss" && o.MSS != 0 || name == "wscale" && o.HasWindowScale || name == "sackOK" && o.SACKPermitted ||
			name == "ts" && o.HasTimestamps || name == "sack" && o.NumSACK > 0, "has %s", name)
	}
	return strings.Join(d, ", ")
}

// header makes the header of a segment to send, options and all.
func (t *text) header(f *flow) []byte {
	h := wire.TCP{
		SrcPort: f.port, DstPort: f.remote.Port(),
		Seq: f.iss + uint32(t.pos), Flags: t.flags, Window: f.window, Urgent: uint16(t.urg),
	}
	if t.winIs != "" {
		h.Window = uint16(t.win)
	}
	if t.flags&wire.ACK != 0 {
		ack := f.next
		if t.hasAck {
			ack = t.ack
		}
		h.Ack = f.irs + uint32(ack)
	}
	o := &h.Options
	o.MSS = uint16(max(t.mss, 0))
	o.HasWindowScale, o.WindowScale = t.wscale >= 0, uint8(max(t.wscale, 0))
	o.SACKPermitted = t.sackOK
	switch {
	case t.ts:
		o.HasTimestamps, o.TSVal, o.TSEcr = true, t.tsval, t.tsecr
	case t.tsOnly, f.ts && t.flags&wire.RST == 0 && !slices.Contains(t.absent, "ts"):
		o.HasTimestamps, o.TSVal = true, f.tsval
		if t.flags&wire.ACK != 0 {
			o.TSEcr = f.tsecr
		}
	}
	for _, b := range t.sacks {
		o.SACK[o.NumSACK] = wire.SACKBlock{Left: f.irs + uint32(b[0]), Right: f.irs + uint32(b[1])}
		o.NumSACK++
	}
	if t.hasRaw {
		h.Options = wire.Options{}
	}
	b := h.Append(nil)
	if t.hasRaw {
		for len(t.raw)%4 != 0 {
			t.raw = append(t.raw, 0)
		}
		b = append(b, t.raw...)
		b[12] = byte(len(b)/4) << 4
	}
	return b
}

// format describes a segment in the notation.
func format(flags wire.Flags, pos int64, n int, ack int64, win int, o *wire.Options, rel func(uint32) int64) string {
	b := fmt.Sprintf("%v %d:%d(%d)", flags, pos, pos+int64(n), n)
	if flags&wire.ACK != 0 {
		b += fmt.Sprintf(" ack %d", ack)
	}
	b += fmt.Sprintf(" win %d", win)
	var opts []string
	if o.MSS != 0 {
		opts = append(opts, fmt.Sprintf("mss %d", o.MSS))
	}
	if o.HasWindowScale {
		opts = append(opts, fmt.Sprintf("wscale %d", o.WindowScale))
	}
	if o.SACKPermitted {
		opts = append(opts, "sackOK")
	}
	if o.HasTimestamps {
		opts = append(opts, fmt.Sprintf("ts %d ecr %d", o.TSVal, o.TSEcr))
	}
	for _, r := range o.Blocks() {
		opts = append(opts, fmt.Sprintf("sack %d:%d", rel(r.Left), rel(r.Right)))
	}
	if opts != nil {
		b += " <" + strings.Join(opts, ", ") + ">"
	}
	return b
}

// stream is n bytes of a direction from a position on. Their values do not repeat at any power of two.
func stream(salt byte, pos int64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		x := uint32(pos+int64(i)) * 2654435761
		b[i] = byte(x>>24) ^ salt
	}
	return b
}

const ours, theirs = 'p', 'h' // the salts: the prober's and the host's

// checksum completes a segment.
func checksum(b []byte, f *flow) {
	wire.SetTCPChecksum(b, wire.PseudoHeaderSum(f.p.addr, f.remote.Addr(), wire.ProtoTCP, len(b)))
}
