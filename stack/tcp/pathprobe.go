package tcp

import "time"

// pathProbe searches for the largest segment that the path takes when no router says so: RFC 8899 and RFC 4821, with data
// as probes. Sizes are those of an MSS: payload and options.
//
// It sleeps until full segments get lost time and again (a black hole), or a router has named a size, which
// may grow again (RFC 1191 section 6.3).
type pathProbe struct {
	low, high int       // low is known to pass, more than high not to; low is 0: nothing is searched for
	halve     bool      // high has been tried: continue in the middle
	tries     int       // probes of this size that were lost
	at        time.Time // no probe before
	size      int       // of the probe that is in flight; 0: none is
	pos, end  int64     // where that one is
}

const (
	probeBase   = 1140             // BASE_PLPMTU, 1200 bytes, for either version of IP
	probeLeast  = defaultMSS       // every path takes it: RFC 9293 section 3.7.1
	probeStep   = 16               // what is not worth a probe any more
	probeTries  = 3                // MAX_PROBES
	probeBehind = 3                // segments that follow a probe, to show its loss
	probeRaise  = 10 * time.Minute // PMTU_RAISE_TIMER
	probeHole   = 3                // timeouts in a row that look like a black hole
)

// fullMSS is the largest size that the two ends allow.
func (c *Core) fullMSS() int { return min(c.peerMSS, c.cfg.MSS) }

// pathMSS is the size in use.
func (c *Core) pathMSS() int { return c.smss + c.optionLen() }

// limitedMSS is pathMSS if that is less than the ends allow, and 0 otherwise.
func (c *Core) limitedMSS() int {
	if mss := c.pathMSS(); c.rcvNxt > 0 && mss < c.fullMSS() {
		return mss
	}
	return 0
}

func (c *Core) setPathMSS(mss int) {
	c.cfg.SendMSS = mss
	c.setSMSS()
}

// blackHole makes segments smaller when full ones have not been acknowledged for several timeouts. If the path was
// just broken, the first probe shows it.
func (c *Core) blackHole(now time.Time) {
	mss := c.pathMSS()
	if c.retries%probeHole != probeHole-1 || int(c.max-c.una) < c.smss || mss <= probeLeast {
		return
	}
	low := probeLeast
	if mss > probeBase {
		low = probeBase
	}
	c.path = pathProbe{low: low, high: max(mss, c.path.high), at: now}
	c.setPathMSS(low)
}

// limited takes note that a router has named a size.
func (p *pathProbe) limited(c *Core, now time.Time, mss int) {
	*p = pathProbe{low: mss, high: c.fullMSS(), at: now.Add(probeRaise)}
	c.setPathMSS(mss)
}

// next returns the payload of the probe that is due; 0 if none is. A probe is worth its risk only when nothing else is
// amiss, and enough follows it that its loss is found out soon.
func (p *pathProbe) next(c *Core, now time.Time, room int) int {
	if p.low == 0 || p.size != 0 || now.Before(p.at) || c.recovering || c.board.lost > 0 || c.retries > 0 || c.una < c.recover {
		return 0
	}
	if p.high-p.low < probeStep {
		*p = pathProbe{low: p.low, high: c.fullMSS(), at: now.Add(probeRaise)}
		if p.high-p.low < probeStep {
			*p = pathProbe{}
		}
		return 0
	}
	size := p.high
	if p.halve {
		size = (p.low + p.high + 1) / 2
	}
	n := size - c.optionLen()
	all := n + probeBehind*c.smss
	if room < all || min(c.dataEnd(), c.marks.Sendable, c.sndEdge)-c.nxt < int64(all) {
		return 0
	}
	return n
}

// sent takes note of a probe of n bytes at pos.
func (p *pathProbe) sent(c *Core, pos int64, n int) {
	p.size, p.pos, p.end = n+c.optionLen(), pos, pos+int64(n)
}

// failed takes note that the probe was lost.
func (p *pathProbe) failed() {
	if p.tries++; p.tries >= probeTries {
		p.high, p.halve, p.tries = p.size-1, true, 0
	}
	p.size = 0
}

// probed looks what has become of the probe. If it alone was lost, that is no sign of congestion (RFC 8899 section 3): the loss
// is then none to respond to.
func (c *Core) probed(lost bool) bool {
	p := &c.path
	switch {
	case p.size == 0:
	case c.una >= p.end || c.board.sackedAt(p.pos, p.end):
		p.low, p.tries, p.size = p.size, 0, 0
		c.setPathMSS(p.low)
	case c.board.lostAt(p.pos):
		if c.board.lost > int(p.end-p.pos) {
			p.size = 0 // there is congestion; the probe says nothing
			return lost
		}
		p.failed()
		return false
	}
	return lost
}

// PathMTU takes a message of the network that a packet of ours, with the given sequence number, was too
// large, and that the path takes so much payload and options a segment. A message that quotes
// nothing in flight is not believed (RFC 5927 section 7), nor one that quotes our SYN, which every path takes.
func (c *Core) PathMTU(now time.Time, seq uint32, mss int) bool {
	pos := c.sndPos(seq)
	if c.closed || c.replica != nil || c.una == 0 || pos < c.una || pos >= c.max || mss < minMSS+timestampLen {
		return false
	}
	if p := &c.path; p.size != 0 && pos == p.pos && c.pathMSS() <= mss && mss < p.size {
		p.high = mss // of a probe, whose loss is found in its time
		return true
	}
	if mss >= c.pathMSS() {
		return false
	}
	c.path.limited(c, now, mss)
	c.board.loseAll()
	c.recover = c.max // a loss, but not one of congestion
	return true
}
