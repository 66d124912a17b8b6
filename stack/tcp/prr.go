package tcp

// prr is Proportional Rate Reduction (RFC 6937, in the form of RFC 9937): in fast recovery it
// spreads the reduction of the window over the round trip, and lets as much leave as arrives.
type prr struct {
	ssthresh  int
	recoverFS int // RecoverFS: in flight when recovery began
	delivered int // prr_delivered
	out       int // prr_out
	window    int // the congestion window
}

func (p *prr) begin(inFlight, ssthresh int) {
	*p = prr{ssthresh: ssthresh, recoverFS: max(inFlight, 1), window: inFlight}
}

// ack follows an ACK that told of delivered more bytes. safe says that it moved una and told of no new loss.
func (p *prr) ack(delivered, inFlight, mss int, safe bool) {
	if delivered <= 0 && p.out > 0 {
		return
	}
	p.delivered += delivered
	var n int
	if inFlight > p.ssthresh {
		// Rounded up as the RFC has it, and to whole segments, which is how they leave.
		n = (p.delivered*p.ssthresh+p.recoverFS-1)/p.recoverFS + mss - 1
		n = n - n%mss - p.out
	} else {
		n = max(p.delivered-p.out, delivered)
		if safe {
			n += mss
		}
		n = min(n, p.ssthresh-inFlight)
	}
	if p.out == 0 {
		n = max(n, mss) // the fast retransmit
	}
	p.window = inFlight + max(n, 0)
}
