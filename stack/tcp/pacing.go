package tcp

import "time"

// pacing spreads what the congestion window allows over the round trip, so that queues on the way do not
// have to take it all at once. It is a leaky bucket that bounds how far output runs ahead of the rate:
// by an initial window, or by what a late timer has to make up for.
type pacing struct {
	at    time.Time // when all that has been sent would have left at the rate
	until time.Time // when more may leave; zero: pacing holds nothing back
}

const (
	// paceAbove is the round trip below which the ACK clock paces better than timers do.
	paceAbove = time.Millisecond

	// paceQuantum is the time that what leaves at once is worth. Timers are no more exact.
	paceQuantum = time.Millisecond

	// paceLate is how late a timer may be and throughput not suffer.
	paceLate = 2 * paceQuantum
)

// pacingRate is in bytes per second; zero does not pace. Like Linux, an algorithm without a rate of its own is
// given some more than its window a round trip, so that pacing does not become what limits it.
func (c *Core) pacingRate() float64 {
	if r := c.cc.PacingRate(); r > 0 {
		return float64(r)
	}
	if c.rtt.srtt < paceAbove {
		return 0
	}
	rate := float64(max(c.cwnd(), int(c.max-c.una))) / c.rtt.srtt.Seconds()
	if c.cc.Window() < c.cc.Ssthresh()/2 {
		return 2 * rate
	}
	return 1.2 * rate
}

// paced says how many of n bytes leave now, in whole segments, and counts them. If there are none, until is set.
func (c *Core) paced(now time.Time, n int) int {
	p := &c.pace
	rate := c.pacingRate()
	if rate == 0 || c.tail.force {
		return n
	}
	if now.Before(p.until) {
		return 0
	}
	p.until = time.Time{}
	if p.at.Before(now) {
		p.at = now
	}
	burst := max(float64(initialWindow(c.smss)+c.smss), rate*paceLate.Seconds())
	credit := burst - rate*p.at.Sub(now).Seconds()
	if least := float64(min(n, c.smss)); credit < least {
		waiting := max(n, c.board.lost, int(c.ready()-c.nxt))
		quantum := max(least, min(float64(waiting), rate*paceQuantum.Seconds()))
		p.until = now.Add(seconds((quantum-credit)/rate).Truncate(time.Microsecond) + time.Microsecond)
		return 0
	}
	if most := int(credit); n > most {
		n = max(most-most%c.smss, min(n, c.smss))
	}
	p.at = p.at.Add(seconds(float64(n) / rate))
	return n
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
