package tcp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ftcp-project/ftcp/wire"
)

// Segments as the scripts write them:
//
//	P. 1:1001(1000) ack 1 win 32768 <sack 2001:3001, ts 100 ecr 90> gso 1460 ect0
//
// Sequence numbers are positions. The length in parentheses counts bytes of data only.

// formatSegment writes a segment of the core's.
func formatSegment(c *Core, s *Segment) string {
	pos := int64(int32(s.Seq - c.cfg.ISS))
	rel := func(seq uint32) int64 { return int64(int32(seq - c.irs)) }
	var b strings.Builder
	fmt.Fprintf(&b, "%v %d:%d(%d)", s.Flags, pos, pos+int64(s.Len), s.Len)
	if s.Flags&wire.ACK != 0 {
		fmt.Fprintf(&b, " ack %d", rel(s.Ack))
	}
	if s.Flags&wire.RST == 0 {
		fmt.Fprintf(&b, " win %d", s.Window)
	}
	var opts []string
	o := &s.Options
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
		fmt.Fprintf(&b, " <%s>", strings.Join(opts, ", "))
	}
	if s.SegmentSize != 0 {
		fmt.Fprintf(&b, " gso %d", s.SegmentSize)
	}
	if s.ECN != wire.NotECT {
		fmt.Fprintf(&b, " %s", codepoints[s.ECN])
	}
	return b.String()
}

var codepoints = [...]string{"", "ect1", "ect0", "ce"}

const defaultWindow = 32768 // of a segment of the peer's that does not say

// parseSegment reads a segment of the peer's. Its payload is the stream's.
func parseSegment(text string, iss, irs uint32) (*Segment, error) {
	s := &Segment{}
	s.Window = defaultWindow
	text, opts, hasOpts := strings.Cut(text, "<")
	if hasOpts {
		var rest string
		var ok bool
		if opts, rest, ok = strings.Cut(opts, ">"); !ok {
			return nil, fmt.Errorf("options without an end")
		}
		text += rest
		if err := parseOptions(&s.Options, opts, iss); err != nil {
			return nil, err
		}
	}
	f := strings.Fields(text)
	if len(f) < 2 {
		return nil, fmt.Errorf("a segment has flags and a range")
	}
	for _, r := range f[0] {
		i := strings.IndexRune("FSRP.UEW", r)
		if i < 0 {
			return nil, fmt.Errorf("no flag %q", r)
		}
		s.Flags |= 1 << i
	}
	var from, to, n int64
	if k, err := fmt.Sscanf(f[1], "%d:%d(%d)", &from, &to, &n); k != 3 || err != nil || to-from != n {
		return nil, fmt.Errorf("no range: %q", f[1])
	}
	s.Seq = irs + uint32(from)
	first := from
	if s.Flags&wire.SYN != 0 {
		first++
	}
	s.Payload = stretch(theirs, first, int(n))
	f = f[2:]
	if n := len(f); n > 0 {
		if i := slices.Index(codepoints[:], f[n-1]); i > 0 {
			s.ECN, f = wire.ECN(i), f[:n-1]
		}
	}
	for len(f) >= 2 {
		v, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return nil, err
		}
		switch f[0] {
		case "ack":
			s.Ack = iss + uint32(v)
		case "win":
			s.Window = uint16(v)
			if v > 65535 {
				return nil, fmt.Errorf("window %d", v)
			}
		case "gso":
			s.SegmentSize = int(v)
		default:
			return nil, fmt.Errorf("what is %q?", f[0])
		}
		f = f[2:]
	}
	if len(f) > 0 {
		return nil, fmt.Errorf("what is %q?", f[0])
	}
	return s, nil
}

func parseOptions(o *wire.Options, text string, iss uint32) error {
	for opt := range strings.SplitSeq(text, ",") {
		f := strings.Fields(opt)
		if len(f) == 0 {
			return fmt.Errorf("an empty option")
		}
		var n []uint64
		for _, a := range f[1:] {
			if a == "ecr" {
				continue
			}
			for v := range strings.SplitSeq(a, ":") {
				x, err := strconv.ParseUint(v, 10, 32)
				if err != nil {
					return err
				}
				n = append(n, x)
			}
		}
		switch {
		case f[0] == "mss" && len(n) == 1:
			o.MSS = uint16(n[0])
		case f[0] == "wscale" && len(n) == 1:
			o.HasWindowScale, o.WindowScale = true, uint8(n[0])
		case f[0] == "sackOK" && len(n) == 0:
			o.SACKPermitted = true
		case f[0] == "ts" && len(n) == 2:
			o.HasTimestamps, o.TSVal, o.TSEcr = true, uint32(n[0]), uint32(n[1])
		case f[0] == "sack" && len(n) == 2 && o.NumSACK < 4:
			o.SACK[o.NumSACK] = wire.SACKBlock{Left: iss + uint32(n[0]), Right: iss + uint32(n[1])}
			o.NumSACK++
		default:
			return fmt.Errorf("what is %q?", opt)
		}
	}
	return nil
}
