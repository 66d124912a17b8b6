package tcp

import "time"

// Congestion is a congestion controller. All amounts are bytes of payload.
// It is called with its connection locked.
type Congestion interface {
	// Window is the congestion window: the most that may be in flight.
	Window() int

	// OnAck says that acked bytes were newly acknowledged outside of recovery,
	// while flight were in flight before.
	OnAck(now time.Time, acked, flight int)

	// OnLoss says that a loss was found, with flight bytes in flight, and fast
	// recovery begins (RFC 5681 section 3.2).
	OnLoss(now time.Time, flight int)

	// OnRecovered says that fast recovery is over.
	OnRecovered(now time.Time)

	// OnTimeout says that the retransmission timer expired. first is set for the first
	// expiry in a row.
	OnTimeout(now time.Time, flight int, first bool)

	// SetMSS says that the maximum segment size has changed.
	SetMSS(mss int)
}

// initialWindow is RFC 6928's.
func initialWindow(mss int) int { return min(10*mss, max(2*mss, 14600)) }

// reno is the controller of RFC 5681, with byte counting (RFC 3465) in place of
// counting ACKs: behind receive offload one ACK often covers many segments.
type reno struct {
	mss      int
	cwnd     int
	ssthresh int
	counted  int // bytes acknowledged towards the next increase in congestion avoidance
}

// NewReno returns a Reno controller.
func NewReno(mss int) Congestion {
	return &reno{mss: mss, cwnd: initialWindow(mss), ssthresh: 1 << 30}
}

func (r *reno) Window() int { return r.cwnd }

func (r *reno) OnAck(now time.Time, acked, flight int) {
	if flight+r.mss < r.cwnd {
		return // the window was not the limit: RFC 7661
	}
	if r.cwnd < r.ssthresh {
		r.cwnd += min(acked, r.ssthresh-r.cwnd)
		return
	}
	r.counted += acked
	for r.counted >= r.cwnd {
		r.counted -= r.cwnd
		r.cwnd += r.mss
	}
}

func (r *reno) OnLoss(now time.Time, flight int) {
	r.ssthresh = max(flight/2, 2*r.mss)
	r.cwnd = r.ssthresh
	r.counted = 0
}

func (r *reno) OnRecovered(now time.Time) { r.cwnd = r.ssthresh }

func (r *reno) OnTimeout(now time.Time, flight int, first bool) {
	if first {
		r.ssthresh = max(flight/2, 2*r.mss) // RFC 5681 equation (4)
	}
	r.cwnd = r.mss
	r.counted = 0
}

func (r *reno) SetMSS(mss int) {
	r.mss = mss
	r.cwnd = max(r.cwnd, mss)
}
