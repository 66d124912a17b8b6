package tcp

import "time"

// Congestion is a congestion controller. All amounts are bytes of payload.
// It is called with its connection locked.
type Congestion interface {
	// Window is the congestion window: the most that may be in flight.
	Window() int

	// Ssthresh is the slow start threshold: where the window goes in fast recovery.
	Ssthresh() int

	// PacingRate is how fast to send, in bytes per second. Zero: the window, spread over the round trip.
	PacingRate() int64

	// OnAck says that the peer has got more, outside of fast recovery.
	OnAck(a *Ack)

	// OnLoss says that a loss was found and fast recovery begins (RFC 5681 section 3.2). Here and below, flight is
	// FlightSize: what has been sent and not been acknowledged, also if it has been reported by SACK or is lost.
	OnLoss(now time.Time, flight int)

	// OnRecovered says that fast recovery is over.
	OnRecovered(now time.Time)

	// OnMark says that the network has marked a packet instead of dropping it. No recovery follows (RFC 3168 section 6.1.2).
	OnMark(now time.Time, flight int)

	// Undo says that what the last OnLoss or OnTimeout told was no loss (RFC 4015).
	Undo()

	// OnTimeout says that the retransmission timer expired. first is set for the first
	// expiry in a row.
	OnTimeout(now time.Time, flight int, first bool)

	// OnIdle says that nothing was sent for longer than a retransmission timeout: what the
	// window was is no longer known to be right (RFC 5681 section 4.1).
	OnIdle(now time.Time)

	// SetMSS says that the maximum segment size has changed.
	SetMSS(mss int)
}

// Ack is what a controller learns from an acknowledgement.
type Ack struct {
	Now      time.Time
	Acked    int           // bytes that the peer has got, by its word, since the last one
	RTT      time.Duration // of the segment that this one acknowledges; zero: not known
	SRTT     time.Duration // smoothed
	Una, Nxt int64         // positions: what is acknowledged now, and what has been sent
	Limited  bool          // the congestion window was what kept more from being sent
	Rate     RateSample    // for a RateController, in OnRate
}

// RateController is a controller that goes by the rate at which the peer gets data. A loss says little to it, so in fast
// recovery its window holds, and not the reduction towards Ssthresh that others are given (RFC 9937).
type RateController interface {
	Congestion

	// OnRate says what an ACK has told about the rate, in fast recovery, too. It follows the other calls that the
	// ACK gives rise to.
	OnRate(a *Ack)
}

// RateSample is what an ACK tells about the rate: draft-ietf-ccwg-bbr section 4.1, of the packet that was sent last of those that it says
// have arrived.
type RateSample struct {
	Delivered int64         // C.delivered: bytes that have ever arrived
	Prior     int64         // RS.prior_delivered: that many when the packet was sent; -1: there is no such packet
	Rate      float64       // RS.delivery_rate, in bytes per second; zero: not known
	Limited   bool          // RS.is_app_limited: the user, not the network, may have been what limited the rate
	RTT       time.Duration // of the packet, to the exactness of the clock; zero: not known
	InFlight  int           // C.inflight: now
	Lost      int           // bytes that were found to be lost since the last sample
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

	undoCwnd, undoSsthresh int // before the last reduction; zero: nothing to undo
}

// NewReno returns a Reno controller.
func NewReno(mss int) Congestion {
	return &reno{mss: mss, cwnd: initialWindow(mss), ssthresh: 1 << 30}
}

func (r *reno) Window() int { return r.cwnd }

func (r *reno) Ssthresh() int { return r.ssthresh }

func (r *reno) PacingRate() int64 { return 0 }

func (r *reno) OnAck(a *Ack) {
	if !a.Limited {
		return // RFC 7661
	}
	if r.cwnd < r.ssthresh {
		r.cwnd += min(a.Acked, r.ssthresh-r.cwnd)
		return
	}
	r.counted += a.Acked
	for r.counted >= r.cwnd {
		r.counted -= r.cwnd
		r.cwnd += r.mss
	}
}

func (r *reno) reduce(flight int) {
	r.undoCwnd, r.undoSsthresh = r.cwnd, r.ssthresh
	r.ssthresh = max(min(r.cwnd, flight)/2/r.mss, 2) * r.mss // RFC 5681 equation (4); part of a segment is of no use
	r.counted = 0
}

func (r *reno) OnLoss(now time.Time, flight int) {
	r.reduce(flight)
	r.cwnd = r.ssthresh
}

func (r *reno) OnMark(now time.Time, flight int) {
	r.OnLoss(now, flight)
	r.undoCwnd = 0
}

func (r *reno) OnRecovered(now time.Time) { r.cwnd = r.ssthresh }

func (r *reno) OnTimeout(now time.Time, flight int, first bool) {
	if first {
		r.reduce(flight)
	}
	r.cwnd = r.mss
}

func (r *reno) Undo() {
	if r.undoCwnd > 0 {
		r.cwnd = max(r.cwnd, r.undoCwnd)
		r.ssthresh = r.undoSsthresh
	}
}

func (r *reno) OnIdle(now time.Time) { r.cwnd = min(r.cwnd, initialWindow(r.mss)) }

func (r *reno) SetMSS(mss int) {
	r.mss = mss
	r.cwnd = max(r.cwnd, mss)
}
