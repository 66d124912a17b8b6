package tcp

import (
	"testing"
	"time"
)

// The active node may have offered a window of which the replica has not heard, with an
// acknowledgement that left less to be rounded off. It must not be taken back.
func TestWindowAfterTakeOver(t *testing.T) {
	const buffer, shift = 1<<20 + 66, 5
	now := time.Now()
	s := Snapshot{MSS: 1460, PeerMSS: 1460, ReceiveBuffer: buffer, Scale: true, RcvShift: shift}
	c, err := Restore(Config{Epoch: now, SendBuffer: 1 << 20}, s, now)
	if err != nil {
		t.Fatal(err)
	}
	u := Update{InAt: 1, Input: []byte("unread"), Una: 1, Edge: 65536, SndWnd: 65535}
	if err := c.Replay(now, &u); err != nil {
		t.Fatal(err)
	}
	c.TakeOver(now, 0)
	const offered = 1 + buffer>>shift<<shift
	sent := 0
	c.Send(now, func(seg *Segment) {
		sent++
		if edge := int64(seg.Ack) + int64(seg.Window)<<shift; edge < offered {
			t.Errorf("the window ends at %d, less than the %d that may have been offered", edge, offered)
		}
	})
	if sent == 0 {
		t.Error("no segment")
	}
}
