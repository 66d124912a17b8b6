package wire

import "encoding/binary"

// The kinds of TCP options that are understood.
// See https://www.iana.org/assignments/tcp-parameters.
const (
	optEnd           = 0
	optNop           = 1
	optMSS           = 2  // RFC 9293 section 3.7.1
	optWindowScale   = 3  // RFC 7323 section 2.2
	optSACKPermitted = 4  // RFC 2018 section 2
	optSACK          = 5  // RFC 2018 section 3
	optTimestamps    = 8  // RFC 7323 section 3.2
	maxOptions       = 40 // bytes, for want of bits in the data offset
)

// MaxWindowScale is the largest shift that a window scale option may ask for (RFC 7323 section 2.3).
const MaxWindowScale = 14

// timestampsOnly begins the options of almost every segment of a connection that has timestamps: two NOPs to align
// them, kind and length (RFC 7323 appendix A).
const timestampsOnly = optNop<<24 | optNop<<16 | optTimestamps<<8 | 10

// Options are the options of a TCP header. The zero value is none.
type Options struct {
	MSS            uint16 // zero: absent
	HasWindowScale bool
	WindowScale    uint8 // shift; Parse makes more than MaxWindowScale that
	SACKPermitted  bool
	HasTimestamps  bool
	TSVal, TSEcr   uint32
	NumSACK        uint8 // how many of SACK are meant
	SACK           [4]SACKBlock
}

// SACKBlock is a range of sequence numbers that have been received out of order: Left is the first, Right the one
// after the last.
type SACKBlock struct {
	Left, Right uint32
}

// Blocks returns the SACK blocks. The slice is a part of o.
func (o *Options) Blocks() []SACKBlock {
	return o.SACK[:min(int(o.NumSACK), len(o.SACK))]
}

// parse reads the options part of a TCP header into o, which is zero. It never fails: RFC 9293 section 3.2 has unknown
// options skipped by their length, and where a length cannot be right nothing that follows can be trusted, so the rest
// is ignored. The segment is good without. A known option of the wrong length is skipped like an unknown one.
func (o *Options) parse(b []byte) {
	if len(b) == 12 && binary.BigEndian.Uint32(b) == timestampsOnly {
		o.HasTimestamps = true
		o.TSVal = binary.BigEndian.Uint32(b[4:8])
		o.TSEcr = binary.BigEndian.Uint32(b[8:12])
		return
	}
	for len(b) > 0 {
		if b[0] == optEnd {
			return
		}
		if b[0] == optNop {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return
		}
		o.parseOne(b[0], b[2:b[1]])
		b = b[b[1]:]
	}
}

func (o *Options) parseOne(kind byte, v []byte) {
	switch {
	case kind == optMSS && len(v) == 2:
		o.MSS = binary.BigEndian.Uint16(v)
	case kind == optWindowScale && len(v) == 1:
		o.HasWindowScale = true
		o.WindowScale = min(v[0], MaxWindowScale)
	case kind == optSACKPermitted && len(v) == 0:
		o.SACKPermitted = true
	case kind == optTimestamps && len(v) == 8:
		o.HasTimestamps = true
		o.TSVal = binary.BigEndian.Uint32(v[0:4])
		o.TSEcr = binary.BigEndian.Uint32(v[4:8])
	case kind == optSACK && len(v) > 0 && len(v)%8 == 0:
		// Forty bytes of options hold at most four blocks.
		o.SACK = [4]SACKBlock{}
		o.NumSACK = uint8(min(len(v)/8, len(o.SACK)))
		for i := range o.Blocks() {
			o.SACK[i].Left = binary.BigEndian.Uint32(v[8*i:])
			o.SACK[i].Right = binary.BigEndian.Uint32(v[8*i+4:])
		}
	}
}

// fixedLen is the length of what precedes the SACK option.
func (o *Options) fixedLen() int {
	n := 0
	if o.MSS != 0 {
		n += 4
	}
	if o.HasTimestamps {
		n += 12
	} else if o.SACKPermitted {
		n += 4
	}
	if o.HasWindowScale {
		n += 4
	}
	return n
}

// fit returns the SACK blocks for which there is room after the other options.
func (o *Options) fit(fixedLen int) []SACKBlock {
	blocks := o.Blocks()
	return blocks[:min(len(blocks), (maxOptions-4-fixedLen)/8)]
}

// Len returns the length of the options as Append of the TCP header writes them, a multiple of four. SACK blocks for
// which there is no room do not count.
func (o *Options) Len() int {
	n := o.fixedLen()
	if o.NumSACK != 0 {
		n += 4 + 8*len(o.fit(n))
	}
	return n
}

// append writes the options in the order and with the alignment that Linux uses, which every middlebox has seen.
func (o *Options) append(b []byte) []byte {
	if o.MSS != 0 {
		b = append(b, optMSS, 4, byte(o.MSS>>8), byte(o.MSS))
	}
	switch {
	case o.HasTimestamps && o.SACKPermitted:
		b = append(b, optSACKPermitted, 2, optTimestamps, 10)
	case o.HasTimestamps:
		b = append(b, optNop, optNop, optTimestamps, 10)
	case o.SACKPermitted:
		b = append(b, optNop, optNop, optSACKPermitted, 2)
	}
	if o.HasTimestamps {
		b = binary.BigEndian.AppendUint32(b, o.TSVal)
		b = binary.BigEndian.AppendUint32(b, o.TSEcr)
	}
	if o.HasWindowScale {
		b = append(b, optNop, optWindowScale, 3, o.WindowScale)
	}
	if o.NumSACK != 0 {
		blocks := o.fit(o.fixedLen())
		b = append(b, optNop, optNop, optSACK, byte(2+8*len(blocks)))
		for _, s := range blocks {
			b = binary.BigEndian.AppendUint32(b, s.Left)
			b = binary.BigEndian.AppendUint32(b, s.Right)
		}
	}
	return b
}
