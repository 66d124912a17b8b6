package tcp

import "time"

// Delivery rate samples: how fast the peer got what it acknowledges. draft-ietf-ccwg-bbr section 4.1,
// https://datatracker.ietf.org/doc/html/draft-ietf-ccwg-bbr, whose names the fields have. The rate is what has arrived since a
// packet was sent, over the time that it took to arrive, or to be sent if that was longer: ACKs that
// come in a heap do not show a rate at which nothing was sent.

// departure is what is remembered of a transmission.
type departure struct {
	at          time.Time     // P.send_time
	delivered   int64         // P.delivered
	deliveredAt time.Duration // P.delivered_time, since Config.Epoch; zero: nothing is measured
	firstAt     time.Duration // P.first_send_time, likewise
	limited     bool          // P.is_app_limited
}

// sampler measures for a RateController.
type sampler struct {
	delivered   int64         // C.delivered: bytes that have ever arrived
	deliveredAt time.Duration // C.delivered_time: when it was last raised
	firstAt     time.Duration // C.first_send_time: when the latest sent of what has arrived was sent
	limited     int64         // C.app_limited: what is sent until so much has arrived shows what the user sends; 0: not
	losses      int64         // scoreboard.losses as last told
	newest      sent          // the latest sent of what this ACK tells of; deliveredAt is zero: none
}

// departure takes note that something is about to be sent.
func (c *Core) departure(now time.Time) departure {
	if c.rates == nil {
		return departure{at: now}
	}
	r := &c.sampler
	if c.board.inFlight() == 0 {
		r.firstAt = now.Sub(c.cfg.Epoch)
		r.deliveredAt = r.firstAt
	}
	return departure{at: now, delivered: r.delivered, deliveredAt: r.deliveredAt, firstAt: r.firstAt, limited: r.limited != 0}
}

// ranDry takes note that nothing may be sent. If that is neither for the window nor for what is lost, the
// user has nothing, or a mark holds it back: what arrives shows no more than that.
func (c *Core) ranDry() {
	if c.rates == nil || c.board.lost > 0 || c.ready()-c.nxt >= int64(c.smss) {
		return
	}
	if flight := c.board.inFlight(); flight < c.cwnd() {
		c.sampler.limited = max(1, c.sampler.delivered+int64(flight))
	}
}

// arrived takes note of a range that has arrived.
func (r *sampler) arrived(s *sent) {
	if n := &r.newest; s.deliveredAt != 0 && (n.deliveredAt == 0 || later(s.at, s.end, n.at, n.end)) {
		*n = *s
	}
}

// sample is what an ACK tells of that many bytes.
func (r *sampler) sample(c *Core, now time.Time, bytes int) RateSample {
	t := now.Sub(c.cfg.Epoch)
	r.delivered += int64(bytes)
	r.deliveredAt = t
	if r.delivered > r.limited {
		r.limited = 0
	}
	s := RateSample{Delivered: r.delivered, Prior: -1, InFlight: c.board.inFlight(), Lost: int(c.board.losses - r.losses)}
	r.losses = c.board.losses
	n := r.newest
	r.newest = sent{}
	if n.deliveredAt == 0 {
		return s
	}
	sentAt := n.at.Sub(c.cfg.Epoch)
	r.firstAt = sentAt
	s.Prior, s.Limited = n.delivered, n.limited
	if !n.resent {
		s.RTT = max(t-sentAt, time.Microsecond)
	}
	// Less than a round trip: it was sent again, and an earlier transmission has arrived.
	if interval := max(sentAt-n.firstAt, t-n.deliveredAt); interval > 0 && interval >= c.rack.minRTT {
		s.Rate = float64(r.delivered-n.delivered) / interval.Seconds()
	}
	return s
}
