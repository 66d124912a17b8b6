package tcp

import (
	"slices"
	"time"
)

// bbr is BBR, https://datatracker.ietf.org/doc/html/draft-ietf-ccwg-bbr: it measures how much the path delivers and how long
// it takes, sends at that rate, and keeps in flight about what the path holds, not what its queues do.
//
// Of the draft, which is BBRv3, this has the model of the path, the states, and the gains of Startup and ProbeRTT. ProbeBW is
// version 1's, as in Linux: a cycle of eight round trips, which does not ask how much was lost. What the draft has
// for that (inflight_longterm, inflight_shortterm, bw_shortterm, and the end of Startup by losses) is left out, for it gives the rate up
// where more than 2 % are lost at random; the price is that where queues are short, flows that share
// one lose much, and Reno and CUBIC beside them get less than their part. Left out, too, are extra_acked, and version 1's
// detection of policers.
type bbr struct {
	mss    int
	cwnd   int     // C.cwnd
	prior  int     // BBR.prior_cwnd: the window before a loss or ProbeRTT; zero: there is nothing to restore
	pacing float64 // C.pacing_rate, in bytes per second; zero: no round trip has been measured
	state  bbrState

	// The path.
	bw        [bbrFilter]float64 // the highest rate of each of the last rounds
	bwRound   int                // index of the one that lasts
	maxBW     float64            // BBR.max_bw: the highest of them
	minRTT    time.Duration      // BBR.min_rtt; zero: not known
	minRTTAt  time.Time          // when it was measured, or confirmed by ProbeRTT
	delivered int64              // C.delivered
	inFlight  int                // C.inflight, as of the last ACK
	roundEnd  int64              // BBR.next_round_delivered
	limitedTo int64              // what was sent before so much had arrived shows ProbeRTT's rate, not the path's

	// Startup: it is over when the rate has not grown by a quarter for three rounds.
	full      bool    // BBR.full_bw_reached
	fullBW    float64 // BBR.full_bw
	fullCount int     // BBR.full_bw_count

	phase   int       // of ProbeBW: index of bbrCycle
	phaseAt time.Time // when it began
	idle    bool      // BBR.idle_restart: nothing has arrived since the user had nothing to send

	probeEnd   time.Time     // BBR.probe_rtt_done_stamp; zero: too much is in flight yet
	probeRound int64         // the round of ProbeRTT is over when what was sent at this C.delivered arrives
	probeMin   time.Duration // the least round trip in ProbeRTT

	conserve bool  // as much leaves as arrives, for the first round of a recovery
	lossEnd  int64 // C.delivered when that began
}

type bbrState int

const (
	bbrStartup  bbrState = iota // double the rate every round
	bbrDrain                    // get rid of the queue that this made
	bbrProbeBW                  // stay there, and look whether there is more
	bbrProbeRTT                 // leave the path half empty to see how long it is
)

const (
	bbrStartupGain   = 2.77 // BBR.StartupPacingGain: 4 ln 2
	bbrDrainGain     = 0.5  // BBR.DrainPacingGain
	bbrCwndGain      = 2    // BBR.DefaultCwndGain
	bbrProbeRTTGain  = 0.5  // BBR.ProbeRTTCwndGain
	bbrPacingMargin  = 0.99 // BBR.PacingMarginPercent: queues that there are become shorter
	bbrFilter        = 10   // rounds that a rate is remembered for, more than there are in a cycle
	bbrMinRTTFilter  = 10 * time.Second
	bbrProbeRTTTime  = 200 * time.Millisecond // BBR.ProbeRTTDuration
	bbrMinPipe       = 4                      // BBR.MinPipeCwnd, in segments
	bbrMaxQuantum    = 64 << 10               // of BBR.send_quantum
	bbrFullGrowth    = 1.25
	bbrFullRounds    = 3
	bbrDrainingPhase = 1 // of bbrCycle
)

// bbrCycle is the pacing gain of each phase of ProbeBW.
var bbrCycle = [...]float64{1.25, 0.75, 1, 1, 1, 1, 1, 1}

// NewBBR returns a BBR controller.
func NewBBR(mss int) Congestion {
	return &bbr{mss: mss, cwnd: initialWindow(mss)}
}

func (b *bbr) Window() int { return b.cwnd }

// Ssthresh implements Congestion.
func (b *bbr) Ssthresh() int { return 1 << 30 }

// PacingRate implements Congestion.
func (b *bbr) PacingRate() int64 { return int64(b.pacing) }

// OnAck implements Congestion: all that there is to do is done in OnRate.
func (b *bbr) OnAck(*Ack) {}

func (b *bbr) OnRate(a *Ack) {
	s := &a.Rate
	b.delivered, b.inFlight = s.Delivered, s.InFlight
	limited := s.Limited || s.Prior < b.limitedTo
	newRound := s.Prior >= b.roundEnd
	if newRound {
		b.roundEnd = s.Delivered
	}
	b.measureRate(s.Rate, limited, newRound)
	b.measureRTT(a)
	switch b.state {
	case bbrStartup:
		if newRound && !limited {
			b.checkFull()
		}
		if b.full {
			b.state = bbrDrain
		}
	case bbrProbeBW:
		b.nextPhase(a.Now, s)
	case bbrProbeRTT:
		b.probeRTT(a.Now, s)
	}
	if b.state == bbrDrain && s.InFlight <= b.bdp(1) {
		b.enterProbeBW(a.Now)
	}
	b.idle = false
	b.setPacing(a.SRTT)
	b.setWindow(a)
}

// measureRate updates the highest rate. Rounds in which the user had little to send do not count.
func (b *bbr) measureRate(rate float64, limited, newRound bool) {
	if newRound && !limited {
		b.bwRound = (b.bwRound + 1) % bbrFilter
		b.bw[b.bwRound] = 0
	}
	if rate > b.bw[b.bwRound] && (rate > b.maxBW || !limited) {
		b.bw[b.bwRound] = rate
	}
	b.maxBW = slices.Max(b.bw[:])
}

// measureRTT updates the least round trip, and enters ProbeRTT when it has not been seen for long. A pause of the user has
// emptied the path, too.
func (b *bbr) measureRTT(a *Ack) {
	rtt := a.Rate.RTT
	expired := b.minRTT != 0 && a.Now.Sub(b.minRTTAt) > bbrMinRTTFilter
	if rtt > 0 && (b.minRTT == 0 || rtt <= b.minRTT || expired && b.idle) {
		b.minRTT, b.minRTTAt = rtt, a.Now
	} else if expired && b.state != bbrProbeRTT {
		b.prior = max(b.prior, b.cwnd)
		b.state = bbrProbeRTT
		b.probeEnd, b.probeMin = time.Time{}, 0
	}
}

// checkFull looks, once a round, whether the rate still grows: section 5.3.1.
func (b *bbr) checkFull() {
	if b.maxBW >= bbrFullGrowth*b.fullBW {
		b.fullBW, b.fullCount = b.maxBW, 0
		return
	}
	b.fullCount++
	b.full = b.fullCount >= bbrFullRounds
}

// enterProbeBW begins the cycle somewhere, so that flows do not all look for more at the same time, but not where
// less is sent.
func (b *bbr) enterProbeBW(now time.Time) {
	b.state = bbrProbeBW
	b.phaseAt = now
	b.phase = now.Nanosecond() / 1000 % (len(bbrCycle) - 1)
	if b.phase >= bbrDrainingPhase {
		b.phase++
	}
}

// nextPhase goes on in the cycle: after a round trip; but with more only when that much is in flight or something is lost,
// and with less only until the queue must be gone.
func (b *bbr) nextPhase(now time.Time, s *RateSample) {
	gain := bbrCycle[b.phase]
	over := now.Sub(b.phaseAt) > b.minRTT
	switch {
	case gain > 1:
		over = over && (s.Lost > 0 || s.InFlight+s.Lost >= b.bdp(gain))
	case gain < 1:
		over = over || s.InFlight <= b.bdp(1)
	}
	if over {
		b.phase = (b.phase + 1) % len(bbrCycle)
		b.phaseAt = now
	}
}

// probeRTT is over after 200 ms, and a round, with little in flight: section 5.3.4.
func (b *bbr) probeRTT(now time.Time, s *RateSample) {
	b.limitedTo = s.Delivered + int64(s.InFlight)
	if b.probeEnd.IsZero() {
		if s.InFlight <= b.probeRTTWindow() {
			b.probeEnd = now.Add(bbrProbeRTTTime)
			b.probeRound = s.Delivered
		}
		return
	}
	if s.RTT > 0 && (b.probeMin == 0 || s.RTT < b.probeMin) {
		b.probeMin = s.RTT
	}
	if now.Before(b.probeEnd) || s.Prior < b.probeRound {
		return
	}
	if b.probeMin > 0 {
		b.minRTT = b.probeMin
	}
	b.minRTTAt = now
	b.restore()
	if b.full {
		b.enterProbeBW(now)
	} else {
		b.state = bbrStartup
	}
}

func (b *bbr) probeRTTWindow() int { return max(b.bdp(bbrProbeRTTGain), bbrMinPipe*b.mss) }

// bdp is what the path holds, times gain.
func (b *bbr) bdp(gain float64) int {
	if b.minRTT == 0 || b.maxBW == 0 {
		return int(gain * float64(initialWindow(b.mss)))
	}
	return int(gain * b.maxBW * b.minRTT.Seconds())
}

// gain is the pacing gain.
func (b *bbr) gain() float64 {
	switch b.state {
	case bbrStartup:
		return bbrStartupGain
	case bbrDrain:
		return bbrDrainGain
	case bbrProbeBW:
		return bbrCycle[b.phase]
	}
	return 1
}

// setPacing is section 5.6.2. Before the path is known to be full, a low rate is the user's, or the window's.
func (b *bbr) setPacing(srtt time.Duration) {
	if b.pacing == 0 && srtt > 0 {
		b.pacing = bbrStartupGain * float64(b.cwnd) / srtt.Seconds()
	}
	if rate := bbrPacingMargin * b.gain() * b.maxBW; b.full || rate > b.pacing {
		b.pacing = rate
	}
}

// setWindow is section 5.6.4: twice what the path holds, for ACKs that come late or in heaps, and what
// pacing lets out at once.
func (b *bbr) setWindow(a *Ack) {
	s := &a.Rate
	if b.conserve && s.Prior >= b.lossEnd {
		b.conserve = false
	}
	quantum := max(2*b.mss, min(int(b.pacing/1000), bbrMaxQuantum))
	target := b.bdp(bbrCwndGain) + 3*quantum
	switch {
	case b.conserve:
		b.cwnd = max(b.cwnd, s.InFlight+a.Acked)
	case b.full:
		b.cwnd = min(b.cwnd+a.Acked, target)
	case b.cwnd < target || s.Delivered < int64(initialWindow(b.mss)):
		b.cwnd += a.Acked
	}
	b.cwnd = max(b.cwnd, bbrMinPipe*b.mss)
	if b.state == bbrProbeRTT {
		b.cwnd = min(b.cwnd, b.probeRTTWindow())
	}
}

// restore takes back what a loss or ProbeRTT has done to the window.
func (b *bbr) restore() {
	b.cwnd = max(b.cwnd, b.prior)
	b.prior, b.conserve = 0, false
}

// OnLoss lets as much leave as arrives, until the next round shows what the path still delivers.
func (b *bbr) OnLoss(now time.Time, flight int) {
	b.prior = max(b.prior, b.cwnd)
	b.cwnd = max(min(b.cwnd, b.inFlight), bbrMinPipe*b.mss)
	b.conserve, b.lossEnd = true, b.delivered
}

func (b *bbr) OnRecovered(now time.Time) { b.restore() }

func (b *bbr) Undo() { b.restore() }

// OnMark takes a mark for what it says: there is a queue.
func (b *bbr) OnMark(now time.Time, flight int) {
	b.full = true
	if b.state == bbrProbeBW {
		b.phase, b.phaseAt = bbrDrainingPhase, now
	}
}

func (b *bbr) OnTimeout(now time.Time, flight int, first bool) {
	b.prior = max(b.prior, b.cwnd)
	b.cwnd = b.mss
	b.conserve = false
	b.fullBW, b.fullCount = 0, 0
}

// OnIdle leaves the window as it is: what follows is paced.
func (b *bbr) OnIdle(now time.Time) {
	b.idle = true
	if b.state == bbrProbeBW && bbrCycle[b.phase] > 1 {
		b.enterProbeBW(now)
	}
}

func (b *bbr) SetMSS(mss int) {
	b.mss = mss
	b.cwnd = max(b.cwnd, mss)
}
