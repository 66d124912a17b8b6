package tcp

import "time"

// challengeLimit bounds the challenge ACKs (RFC 5961 section 7) and other answers to segments
// without data that make no sense here.
type challengeLimit struct {
	from time.Time
	sent int
}

const challengesPerSecond = 10

// sendChallenge answers with an ACK, within the limit.
func (c *Core) sendChallenge(now time.Time) {
	l := &c.challenge
	if now.Sub(l.from) >= time.Second {
		l.from, l.sent = now, 0
	}
	if l.sent < challengesPerSecond {
		l.sent++
		c.ackForce = true
	}
}
