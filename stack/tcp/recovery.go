package tcp

import (
	"cmp"
	"slices"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// Loss recovery. With a peer that sends SACK, losses are found by time (RACK-TLP, RFC 8985,
// rack.go and tailprobe.go); without, by duplicate ACKs and partial
// acknowledgements (RFC 5681 section 3.2, RFC 6582). Both mark what is lost on the scoreboard,
// from which it is sent again, as the window of PRR (RFC 9937, prr.go) allows.

const dupThresh = 3 // RFC 5681

// delivery sums up what one ACK tells.
type delivery struct {
	bytes   int           // that have arrived, and were not known to have
	rtt     time.Duration // of the latest of them that was sent once; 0: none
	sample  time.Time     // when that one was sent
	flight  int           // FlightSize before: what had been sent and not been acknowledged
	pipe    int           // what of it was neither reported nor lost
	limited bool          // the congestion window was used up
	resent  bool          // some of them had been sent more than once
	moved   bool          // una moved
	safe    bool          // una moved, and nothing more was found to be lost: RFC 9937's SafeACK
	dsack   bool          // something had arrived twice
	marked  bool          // the network has marked something: RFC 3168
}

// acknowledge takes what an acceptable ACK says about what was sent. dup says that it
// repeats the one before (RFC 5681 section 2).
func (c *Core) acknowledge(now time.Time, seg *Segment, ack int64, dup bool) {
	d := delivery{flight: c.flightSize(), pipe: c.board.inFlight(), moved: ack > c.una}
	losses := c.board.losses
	d.limited = c.usage.used(c.cc.Window(), c.cc.Ssthresh())
	d.marked = c.ecn.on && seg.Flags&(wire.ECE|wire.SYN) == wire.ECE
	age, echoed := c.echoed(now, seg)
	deliver := func(s *sent) {
		d.bytes += s.len()
		if s.resent {
			d.resent = true
		} else if !s.at.Before(d.sample) {
			d.sample, d.rtt = s.at, max(now.Sub(s.at), time.Microsecond)
		}
		if s.resent && echoed && now.Add(-age-time.Millisecond).Before(s.at) {
			return // it was an earlier transmission that arrived: RFC 8985 section 6.2, step 2
		}
		c.rack.delivered(now, s)
		if c.rates != nil {
			c.sampler.arrived(s)
		}
	}
	before := c.una
	if d.moved && c.una == 0 && c.retries > 0 {
		// RFC 5681 section 3.1 and RFC 6298 (5.7): after a lost SYN, a window of one segment and a longer timeout.
		c.cc.OnTimeout(now, 0, false)
		c.rtt.initial, c.rtt.backoff = initialRTOAfterLoss, 0
	}
	if d.moved {
		c.board.ack(ack, deliver)
		c.advance(ack)
		c.retries = 0
	}
	if c.sack {
		c.takeSACK(seg, &d, deliver)
	}
	c.sampleRTT(now, seg, &d)
	if !c.sack {
		c.countDuplicate(&d, dup, int(ack-before))
	}

	lost := c.undone(now, seg, &d)
	c.tail.acknowledged(c, now, &d)
	if c.sack && c.rack.detect(now, &c.board, c.reorderWindow()) {
		lost = true
	}
	lost = c.probed(lost)
	d.safe = d.moved && c.board.losses == losses
	c.respond(now, &d, lost)
	c.armRecovery(now, d.moved)
	if d.moved {
		c.settle(now)
	}
}

// takeSACK takes the blocks: RFC 2018, and RFC 2883 for what had arrived before.
func (c *Core) takeSACK(seg *Segment, d *delivery, deliver func(*sent)) {
	var ranges [len(seg.Options.SACK)][2]int64
	news := ranges[:0]
	for i, b := range seg.Options.Blocks() {
		left, right := c.sndPos(b.Left), c.sndPos(b.Right)
		if left >= right || right > c.max {
			continue
		}
		if i == 0 && c.duplicate(left, right, seg) {
			d.dsack = true
			c.rack.duplicated(c.una, c.nxt)
			c.episode.duplicated(int(right - left))
			continue
		}
		if left = max(left, c.una); left < right {
			news = append(news, [2]int64{left, right})
		}
	}
	// The first block is the latest, and a lower one may be news too, if an ACK was lost. Taken in
	// that order it would look as if it had been overtaken.
	slices.SortFunc(news, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
	for _, r := range news {
		c.board.sack(r[0], r[1], deliver)
	}
	if r := c.board.ranges; len(r) > 0 && r[0].sacked {
		// The peer has taken back what it reported (RFC 2018 section 8).
		c.board.renege()
	}
}

// duplicate says whether a first block reports a duplicate: RFC 2883 section 4.
func (c *Core) duplicate(left, right int64, seg *Segment) bool {
	if right <= c.una {
		return true
	}
	if blocks := seg.Options.Blocks(); len(blocks) > 1 {
		return c.sndPos(blocks[1].Left) <= left && right <= c.sndPos(blocks[1].Right)
	}
	return false
}

// sampleRTT measures the round trip by what was sent once (Karn), else by the echoed
// timestamp (RFC 7323 section 4.1).
func (c *Core) sampleRTT(now time.Time, seg *Segment, d *delivery) {
	if d.resent {
		d.rtt = 0 // Karn: an ACK that ends a recovery measures the recovery
	}
	if d.rtt == 0 && d.moved {
		if age, ok := c.echoed(now, seg); ok {
			d.rtt = max(age, time.Microsecond)
		}
	}
	if d.rtt > 0 {
		c.rtt.sample(d.rtt)
		c.rack.sample(d.rtt)
		c.rtt.backoff = 0 // RFC 6298 section 5
	}
}

// echoed returns how long ago this node sent the timestamp that seg echoes.
func (c *Core) echoed(now time.Time, seg *Segment) (age time.Duration, ok bool) {
	if !c.ts || !seg.Options.HasTimestamps || seg.Options.TSEcr == 0 {
		return 0, false
	}
	age = time.Duration(int32(c.timestamp(now)-seg.Options.TSEcr)) * time.Millisecond
	return age, age >= 0 && age <= now.Sub(c.spoke) // else another node sent it, or nobody
}

// countDuplicate finds losses by duplicate ACKs and partial ones: RFC 5681, RFC 6582.
func (c *Core) countDuplicate(d *delivery, dup bool, acked int) {
	b := &c.board
	switch {
	case dup:
		c.dupAcks++
		d.bytes += c.smss // each tells of a segment that has arrived
		b.implied += c.smss
		if c.dupAcks == dupThresh && !c.recovering && c.una > c.recover {
			b.loseFirst(c.smss)
		}
	case acked > 0:
		known := min(b.implied, max(0, acked-c.smss))
		d.bytes = max(0, d.bytes-known)
		if b.implied -= known; c.recovering && c.una < c.recover {
			b.loseFirst(c.smss) // a partial acknowledgement: the next hole begins at una
		} else {
			c.dupAcks, b.implied = 0, 0
		}
	}
	b.implied = min(b.implied, int(c.max-c.una))
}

// respond tells the congestion controller. What arrives behind a hole may be a sign of loss, and counts for the window only when
// the hole has been filled (RFC 5681 section 3.2, RFC 3465). Where the network is known to reorder it counts at once, as in Linux:
// the hole is waited for, and what has arrived meanwhile has left the network.
func (c *Core) respond(now time.Time, d *delivery, lost bool) {
	if c.recovering && c.una >= c.recover {
		c.recovering = false
		c.dupAcks, c.board.implied = 0, 0
		c.rack.recovered()
		c.cc.OnRecovered(now)
	}
	switch {
	case !c.recovering && lost && c.una >= c.recover:
		if c.una >= c.ecn.recover { // else this window has been reduced already, for a mark
			c.cc.OnLoss(now, d.flight)
		}
		c.recovering, c.recover = true, c.max
		c.episode, c.reported = episode{}, 0
		c.prr.begin(d.pipe, c.cc.Ssthresh())
		c.prr.ack(d.bytes, c.board.inFlight(), c.smss, false)
	case c.recovering:
		c.prr.ack(d.bytes, c.board.inFlight(), c.smss, d.safe)
	case d.marked:
		c.congested(now, d.flight)
	case d.moved, d.bytes > 0 && c.rack.reordering:
		c.ack = d.ack(c, now)
		c.ack.Acked += c.reported
		c.reported = 0
		c.cc.OnAck(&c.ack)
	default:
		c.reported += d.bytes
	}
	if c.rates != nil && d.bytes > 0 {
		c.ack = d.ack(c, now)
		c.ack.Rate = c.sampler.sample(c, now, d.bytes)
		c.rates.OnRate(&c.ack)
	}
}

func (d *delivery) ack(c *Core, now time.Time) Ack {
	return Ack{Now: now, Acked: d.bytes, RTT: d.rtt, SRTT: c.rtt.srtt, Una: c.una, Nxt: c.nxt, Limited: d.limited}
}

// flightSize is RFC 5681's FlightSize.
func (c *Core) flightSize() int { return int(c.max - c.una) }

// cwnd is how much may be in flight.
func (c *Core) cwnd() int {
	if c.recovering && c.rates == nil {
		return c.prr.window
	}
	return c.cc.Window()
}

func (c *Core) reorderWindow() time.Duration {
	return c.rack.window(c.rtt.srtt, c.board.sacked/c.smss, c.recovering)
}

// armRecovery sets the timers of what is in flight: RFC 6298 (5.2), (5.3).
func (c *Core) armRecovery(now time.Time, moved bool) {
	if c.una == c.max {
		c.rtoAt = time.Time{}
	} else if moved {
		c.rtoAt = now.Add(c.rtt.rto())
	}
	c.tail.arm(c, now)
}

// reorderTimeout is RFC 8985's reordering timer: what was suspect is lost.
func (c *Core) reorderTimeout(now time.Time) {
	d := delivery{flight: c.flightSize(), pipe: c.board.inFlight()}
	if c.probed(c.rack.detect(now, &c.board, c.reorderWindow())) {
		c.respond(now, &d, true)
	}
}

// recoverTimeout starts over from una: RFC 6298 (5.4) to (5.6), RFC 5681 section 3.1. What the peer has
// reported it is not sent again.
func (c *Core) recoverTimeout(now time.Time) {
	if c.una == 0 {
		c.nxt = 0 // what a lost SYN means follows when it is acknowledged
	} else {
		c.cc.OnTimeout(now, c.flightSize(), c.retries == 0)
		c.board.loseAll()
	}
	c.recovering, c.recover, c.reported = false, c.max, 0
	c.dupAcks, c.board.implied = 0, 0
	if c.retries == 0 {
		c.episode = episode{}
	}
	c.rack.at = time.Time{}
	c.tail = tailProbe{}
	c.path.size = 0
	c.rtt.backoff++
}
