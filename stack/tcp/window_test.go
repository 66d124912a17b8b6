package tcp

import (
	"testing"

	"github.com/ftcp-project/ftcp/wire"
)

// TestWindowRounding lets a peer send tiny segments to a user that does not read. Every
// ACK has to round the window up so that its edge does not move left; the
// buffer is bounded all the same, and the peer is answered when it is full.
func TestWindowRounding(t *testing.T) {
	now := epoch
	cfg := Config{MSS: 1460, ReceiveBuffer: 1 << 17, SendBuffer: 1000, Epoch: now}
	c := Accept(cfg, now, &wire.TCP{Flags: wire.SYN, Options: wire.Options{HasWindowScale: true}})
	var o oracle
	acks := 0
	emit := func(s *Segment) {
		acks++
		if err := o.judge(c, s); err != nil {
			t.Fatal(err)
		}
	}
	c.Send(now, emit)
	for pos := int64(1); pos < 1<<19; pos++ {
		s := &Segment{Payload: []byte{theirs(pos)}}
		s.Flags, s.Seq, s.Ack, s.Window = wire.ACK, c.rcvSeq(pos), c.sndSeq(1), 1000
		c.Recv(now, s)
		c.ackForce = true // as if the delayed ACK were due each time
		acks = 0
		c.Send(now, emit)
		if acks != 1 {
			t.Fatalf("%d ACKs", acks)
		}
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Readable(); n > 2*cfg.ReceiveBuffer {
		t.Errorf("%d bytes wait in a buffer of %d", n, cfg.ReceiveBuffer)
	}
}
