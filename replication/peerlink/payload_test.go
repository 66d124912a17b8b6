package peerlink

import (
	"bytes"
	"math"
	"testing"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

func TestPayload(t *testing.T) {
	b := random(10)
	log := logFrame(1, 3, 0, 6).GetLog()
	p := Payload(b)
	for i, want := range [][]byte{b[:3], nil, b[3:9]} {
		got, err := p.Cut(log.Records[i])
		if err != nil || !bytes.Equal(got, want) || cap(got) != len(want) {
			t.Errorf("record %d: %v of capacity %d, %v, want %v", i, got, cap(got), err, want)
		}
	}
	if got, err := p.Cut(&replpb.Record{Step: &replpb.Record_End{}}); err != nil || len(got) != 0 {
		t.Errorf("an end: %v, %v", got, err)
	}
	wantError(t, "done", p.Done(), "1 bytes of input more")
	for _, n := range []int{2, math.MaxUint32} {
		_, err := p.Cut(logFrame(1, n).GetLog().Records[0])
		wantError(t, "cut", err, "connection 7", "only 1 more")
	}
	if _, err := p.Cut(logFrame(1, 1).GetLog().Records[0]); err != nil {
		t.Error(err)
	}
	if err := p.Done(); err != nil {
		t.Error(err)
	}
}
