package tcp

import "time"

// hystart is the slow start of RFC 9406 (HyStart++): when the round trip grows,
// it becomes conservative for some rounds, and if it goes on growing, ends before there is a loss.
type hystart struct {
	roundEnd      int64         // windowEnd: the round ends when this is acknowledged
	last, current time.Duration // lastRoundMinRTT, currentRoundMinRTT; 0: none
	samples       int
	baseline      time.Duration // cssBaselineMinRtt; 0: not in conservative slow start
	rounds        int           // of conservative slow start
}

const (
	hystartMin     = 4 * time.Millisecond  // MIN_RTT_THRESH
	hystartMax     = 16 * time.Millisecond // MAX_RTT_THRESH
	hystartDivisor = 8                     // MIN_RTT_DIVISOR
	hystartSamples = 8                     // N_RTT_SAMPLE
	cssDivisor     = 4                     // CSS_GROWTH_DIVISOR
	cssRounds      = 5                     // CSS_ROUNDS
)

func newHystart() hystart { return hystart{} }

// done says that slow start is over.
func (h *hystart) done() bool { return h.rounds >= cssRounds }

// increase returns by how much an ACK opens the window. Segments are paced or leave in
// large pieces, so that RFC 9406's limit L is infinite.
func (h *hystart) increase(a *Ack, mss int) float64 {
	if a.Una >= h.roundEnd {
		h.roundEnd = a.Nxt
		h.last, h.current, h.samples = h.current, 0, 0
		if h.baseline != 0 {
			h.rounds++
		}
	}
	if a.RTT > 0 {
		if h.current == 0 || a.RTT < h.current {
			h.current = a.RTT
		}
		h.samples++
	}
	if h.samples >= hystartSamples && h.last != 0 && h.current != 0 {
		switch threshold := max(hystartMin, min(h.last/hystartDivisor, hystartMax)); {
		case h.baseline == 0 && h.current >= h.last+threshold:
			h.baseline, h.rounds = h.current, 0
		case h.baseline != 0 && h.current < h.baseline:
			h.baseline, h.rounds = 0, 0
		}
	}
	if !a.Limited {
		return 0
	}
	if h.baseline != 0 {
		return float64(a.Acked) / cssDivisor
	}
	return float64(a.Acked)
}
