package tcp

import "time"

// rack finds losses by time: a segment is lost if one that was sent later has
// arrived, and longer ago than reordering explains. RFC 8985,
// https://www.rfc-editor.org/rfc/rfc8985.html, whose names the fields have.
type rack struct {
	xmit   time.Time     // RACK.xmit_ts: when the latest sent of what has arrived was sent,
	end    int64         // RACK.end_seq: and its end
	rtt    time.Duration // RACK.rtt
	minRTT time.Duration // RACK.min_RTT; zero: no sample
	fack   int64         // RACK.fack: the highest position that has arrived

	reordering bool      // RACK.reordering_seen
	mult       int       // RACK.reo_wnd_mult, less one
	persist    int       // RACK.reo_wnd_persist: recoveries until mult falls back
	round      int64     // RACK.dsack_round: mult grows once until una is past it
	at         time.Time // when what is suspect becomes lost; zero: nothing is
}

// later says that a range sent at t up to end was sent after one that was sent at u up to v.
func later(t time.Time, end int64, u time.Time, v int64) bool {
	return t.After(u) || t.Equal(u) && end > v
}

// delivered takes note of a range that has arrived: RFC 8985 section 6.2, steps 1 to 3.
func (r *rack) delivered(now time.Time, s *sent) {
	rtt := now.Sub(s.at)
	if s.resent && rtt < r.minRTT {
		return // it was the first transmission that arrived
	}
	r.rtt = rtt
	if r.xmit.IsZero() || later(s.at, s.end, r.xmit, r.end) {
		r.xmit, r.end = s.at, s.end
	}
	if s.end > r.fack {
		r.fack = s.end
	} else if s.end < r.fack && !s.resent {
		r.reordering = true
	}
}

// sample takes note of a round trip. RFC 8985 wants the minimum over a recent time; a minimum that is
// too low only makes the reordering window smaller.
func (r *rack) sample(rtt time.Duration) {
	if r.minRTT == 0 || rtt < r.minRTT {
		r.minRTT = rtt
	}
}

// window is how long after its later sibling's arrival a segment is still
// waited for: step 4.
func (r *rack) window(srtt time.Duration, sackedSegments int, recovering bool) time.Duration {
	if !r.reordering && (recovering || sackedSegments >= dupThresh) {
		return 0
	}
	return min(time.Duration(1+r.mult)*r.minRTT/4, srtt)
}

// duplicated takes note of a DSACK: something was sent again in vain, so the window was too small.
func (r *rack) duplicated(una, nxt int64) {
	if una >= r.round {
		r.round = nxt
		r.mult++
		r.persist = 16
	}
}

// recovered takes note of the end of a recovery.
func (r *rack) recovered() {
	if r.persist > 0 {
		if r.persist--; r.persist == 0 {
			r.mult = 0
		}
	}
}

// detect deems lost what was sent long enough before something that has arrived: step 5.
// It says whether there was anything, and sets at to when there may be more.
func (r *rack) detect(now time.Time, b *scoreboard, window time.Duration) (found bool) {
	r.at = time.Time{}
	if r.xmit.IsZero() {
		return false
	}
	for i := range b.ranges {
		s := &b.ranges[i]
		if s.sacked || s.lost || !later(r.xmit, r.end, s.at, s.end) {
			continue
		}
		if due := s.at.Add(r.rtt + window); !now.Before(due) {
			b.lose(i)
			found = true
		} else if due.After(r.at) {
			r.at = due
		}
	}
	return found
}
