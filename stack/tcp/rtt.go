package tcp

import "time"

const (
	// RFC 6298 (2.4) would have a minimum of one second. Every stack in wide use
	// has a lower one; this is Linux's.
	minRTO     = 200 * time.Millisecond
	maxRTO     = 120 * time.Second // (2.5): at least 60 s
	initialRTO = time.Second       // (2.1)

	initialRTOAfterLoss = 3 * time.Second // (5.7): the SYN was lost
)

// rttEstimator computes the retransmission timeout: RFC 6298 section 2.
type rttEstimator struct {
	srtt, rttvar time.Duration // SRTT and RTTVAR; srtt is zero before the first sample
	initial      time.Duration // the timeout before the first sample; zero: initialRTO
	backoff      uint          // times that the timeout has been doubled (5.5) since the last sample
}

func (r *rttEstimator) sample(rtt time.Duration) {
	rtt = max(rtt, time.Microsecond)
	r.backoff = 0
	if r.srtt == 0 {
		r.srtt, r.rttvar = rtt, rtt/2
		return
	}
	d := r.srtt - rtt
	if d < 0 {
		d = -d
	}
	r.rttvar += (d - r.rttvar) / 4
	r.srtt += (rtt - r.srtt) / 8
}

// rto returns the timeout, with back-off.
func (r *rttEstimator) rto() time.Duration {
	rto := max(initialRTO, r.initial)
	if r.srtt != 0 {
		// Like Linux, the minimum bounds the variance term, not the sum: a path
		// with a long and steady round trip keeps a margin.
		rto = r.srtt + max(4*r.rttvar, minRTO)
	}
	return min(rto<<min(r.backoff, 16), maxRTO)
}
