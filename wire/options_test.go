package wire

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestOptionsParse(t *testing.T) {
	sack := func(n uint8, blocks ...SACKBlock) Options {
		o := Options{NumSACK: n}
		copy(o.SACK[:], blocks)
		return o
	}
	for _, tt := range []struct {
		name, b string
		want    Options
	}{
		{"end at once", "00 0204 05b4", Options{}},
		{"nops, then end", "01010100", Options{}},
		{"mss", "0204 05b4", Options{MSS: 1460}},
		{"mss of wrong length, then another option", "0203 05 0303 07", Options{HasWindowScale: true, WindowScale: 7}},
		{"mss in 5 bytes", "0205 05b4 00 0303 07", Options{HasWindowScale: true, WindowScale: 7}},
		{"mss 0 is none", "0204 0000", Options{}},
		{"window scale 0", "0303 00", Options{HasWindowScale: true}},
		{"window scale 14", "0303 0e", Options{HasWindowScale: true, WindowScale: 14}},
		{"window scale 15 is 14", "0303 0f", Options{HasWindowScale: true, WindowScale: 14}},
		{"window scale 255 is 14", "0303 ff", Options{HasWindowScale: true, WindowScale: 14}},
		{"sack permitted", "0402 0101", Options{SACKPermitted: true}},
		{"timestamps aligned", "0101 080a 00000001 00000002", Options{HasTimestamps: true, TSVal: 1, TSEcr: 2}},
		{"timestamps first", "080a 00000001 00000002 0101", Options{HasTimestamps: true, TSVal: 1, TSEcr: 2}},
		{"timestamps of length 9", "0101 0809 00000001 00000002", Options{}},
		{"timestamps of length 8", "0101 0808 00000001 0000 0402", Options{SACKPermitted: true}},
		{"one block", "0101 050a 00000001 00000002", sack(1, SACKBlock{1, 2})},
		{"two blocks", "0101 0512 00000001 00000002 fffffff0 00000004", sack(2, SACKBlock{1, 2}, SACKBlock{0xfffffff0, 4})},
		{"four blocks", "0101 0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008",
			sack(4, SACKBlock{1, 2}, SACKBlock{3, 4}, SACKBlock{5, 6}, SACKBlock{7, 8})},
		{"no block", "0101 0502", Options{}},
		{"half a block", "0506 00000001 0101", Options{}},
		{"two sack options: the last", "0512 00000001 00000002 00000003 00000004 050a 00000005 00000006",
			sack(1, SACKBlock{5, 6})},
		{"unknown, then known", "fd06 01020304 0402", Options{SACKPermitted: true}},
		{"unknown of length 2", "fd02 0402", Options{SACKPermitted: true}},
		{"length 0 ends it", "0402 fd00 0303 0700", Options{SACKPermitted: true}},
		{"length 1 ends it", "0402 fd01 0303 0700", Options{SACKPermitted: true}},
		{"past the end", "0402 0204 05", Options{SACKPermitted: true}},
		{"kind without length", "0402 01 03", Options{SACKPermitted: true}},
		{"all 40 bytes unknown", "fd28" + strings.Repeat("00", 38), Options{}},
	} {
		var got Options
		got.parse(unhex(tt.b))
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestOptionsAppend(t *testing.T) {
	blocks := [4]SACKBlock{{1, 2}, {3, 4}, {5, 6}, {7, 8}}
	const b1, b2, b3, b4 = "0000000100000002", "0000000300000004", "0000000500000006", "0000000700000008"
	for _, tt := range []struct {
		name string
		o    Options
		want string
	}{
		{"none", Options{}, ""},
		{"mss", Options{MSS: 536}, "02040218"},
		{"sack permitted", Options{SACKPermitted: true}, "01010402"},
		{"timestamps", Options{HasTimestamps: true, TSVal: 1, TSEcr: 2}, "0101080a0000000100000002"},
		{"both", Options{SACKPermitted: true, HasTimestamps: true, TSVal: 1, TSEcr: 2}, "0402080a0000000100000002"},
		{"window scale", Options{HasWindowScale: true, WindowScale: 7}, "01030307"},
		{"window scale unset", Options{WindowScale: 7}, ""},
		{"one block", Options{NumSACK: 1, SACK: blocks}, "0101050a" + b1},
		{"four blocks", Options{NumSACK: 4, SACK: blocks}, "01010522" + b1 + b2 + b3 + b4},
		{"more than four", Options{NumSACK: 200, SACK: blocks}, "01010522" + b1 + b2 + b3 + b4},
		{"timestamps leave room for three", Options{HasTimestamps: true, NumSACK: 4, SACK: blocks},
			"0101080a0000000000000000" + "0101051a" + b1 + b2 + b3},
		{"timestamps and mss leave room for two", Options{MSS: 1460, HasTimestamps: true, NumSACK: 4, SACK: blocks},
			"020405b4" + "0101080a0000000000000000" + "01010512" + b1 + b2},
		{"everything leaves room for two",
			Options{MSS: 1460, HasTimestamps: true, SACKPermitted: true, HasWindowScale: true, NumSACK: 4, SACK: blocks},
			"020405b4" + "0402080a0000000000000000" + "01030300" + "01010512" + b1 + b2},
	} {
		got := hex.EncodeToString(tt.o.append(nil))
		if got != tt.want || tt.o.Len() != len(tt.want)/2 {
			t.Errorf("%s: %s, Len %d, want %s", tt.name, got, tt.o.Len(), tt.want)
		}
	}
}
