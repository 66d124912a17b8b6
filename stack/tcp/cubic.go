package tcp

import (
	"math"
	"time"
)

// cubic is the controller of RFC 9438, https://www.rfc-editor.org/rfc/rfc9438.html, with
// the slow start of RFC 9406 (HyStart++). Windows are in bytes; RFC 9438's are in segments.
type cubic struct {
	mss      int
	cwnd     float64
	ssthresh float64

	wMax  float64   // W_max: the window before the last reduction
	epoch time.Time // when this congestion avoidance began; zero: not yet
	start float64   // cwnd_epoch
	k     float64   // K, in seconds
	est   float64   // W_est: what Reno would have
	prior float64   // cwnd_prior

	slow hystart
	undo *cubic // the state before the last reduction
}

const (
	cubicC    = 0.4 // segments per second cubed
	cubicBeta = 0.7
	// RFC 9438 section 4.3: Reno-friendly increase
	cubicAlpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
)

// NewCubic returns a CUBIC controller, which is the default.
func NewCubic(mss int) Congestion {
	return &cubic{mss: mss, cwnd: float64(initialWindow(mss)), ssthresh: math.MaxInt32, slow: newHystart()}
}

func (c *cubic) Window() int   { return int(c.cwnd) }
func (c *cubic) Ssthresh() int { return int(c.ssthresh) }

// PacingRate implements Congestion.
func (c *cubic) PacingRate() int64 { return 0 }

func (c *cubic) OnAck(a *Ack) {
	if c.cwnd < c.ssthresh {
		c.cwnd += c.slow.increase(a, c.mss)
		if c.slow.done() {
			c.ssthresh = c.cwnd
		}
		c.cwnd = min(c.cwnd, c.ssthresh)
		return
	}
	if !a.Limited {
		// Time in which the window was not needed must not count: section 5.8.
		c.epoch = time.Time{}
		return
	}
	if c.epoch.IsZero() {
		c.epoch = a.Now
		c.start = c.cwnd
		c.est = c.cwnd
		c.wMax = max(c.wMax, c.cwnd)
		c.k = math.Cbrt((c.wMax - c.cwnd) / float64(c.mss) / cubicC)
	}
	t := a.Now.Sub(c.epoch).Seconds()
	target := min(max(c.at(t+a.SRTT.Seconds()), c.cwnd), 1.5*c.cwnd)
	alpha := cubicAlpha
	if c.est >= c.prior {
		alpha = 1
	}
	c.est += alpha * float64(a.Acked) / c.cwnd * float64(c.mss)
	if c.at(t) < c.est {
		c.cwnd = max(c.cwnd, c.est)
	} else {
		c.cwnd += (target - c.cwnd) / c.cwnd * float64(a.Acked)
	}
}

// at is W_cubic(t): equation (1).
func (c *cubic) at(t float64) float64 {
	d := t - c.k
	return cubicC*d*d*d*float64(c.mss) + c.wMax
}

func (c *cubic) save() {
	saved := *c
	saved.undo = nil
	c.undo = &saved
}

// reduce is section 4.6, with fast convergence (4.7).
func (c *cubic) reduce(flight int) {
	c.prior = c.cwnd
	if c.cwnd < c.wMax {
		c.wMax = c.cwnd * (1 + cubicBeta) / 2
	} else {
		c.wMax = c.cwnd
	}
	c.ssthresh = max(cubicBeta*min(c.cwnd, float64(max(flight, 2*c.mss))), 2*float64(c.mss))
	c.epoch = time.Time{}
	c.slow = newHystart()
}

func (c *cubic) OnLoss(now time.Time, flight int) {
	c.save()
	c.reduce(flight)
	c.cwnd = c.ssthresh
}

func (c *cubic) OnMark(now time.Time, flight int) {
	c.reduce(flight)
	c.cwnd = c.ssthresh
	c.undo = nil
}

func (c *cubic) OnRecovered(now time.Time) { c.cwnd = c.ssthresh }

func (c *cubic) OnTimeout(now time.Time, flight int, first bool) {
	if first {
		c.save()
		c.reduce(flight)
	}
	c.cwnd = float64(c.mss)
}

func (c *cubic) Undo() {
	if c.undo != nil {
		cwnd := max(c.cwnd, c.undo.cwnd)
		mss := c.mss
		*c = *c.undo
		c.cwnd, c.mss = cwnd, mss
	}
}

func (c *cubic) OnIdle(now time.Time) {
	c.cwnd = min(c.cwnd, float64(initialWindow(c.mss)))
	c.epoch = time.Time{}
}

func (c *cubic) SetMSS(mss int) {
	c.mss = mss
	c.cwnd = max(c.cwnd, float64(mss))
}
