package tcp

// scoreboard is what has been sent and not been acknowledged: the ranges
// between SND.UNA and SND.NXT, when each was sent last, and what became of it (RFC 6675 section 3,
// RFC 8985 section 5.2). Bytes that have the same fate share a range.
type scoreboard struct {
	ranges  []sent // ascending, without gaps
	sacked  int    // bytes that the peer has reported
	implied int    // bytes that it seems to have, by its duplicate ACKs, if it cannot report them
	lost    int    // bytes that are deemed lost and have not been sent again
	losses  int64  // bytes that have ever been deemed lost
}

// sent is a range of positions. It is either sacked, or lost, or in flight.
type sent struct {
	start, end int64
	departure       // the last
	sacked     bool // the peer has reported it
	lost       bool // deemed lost, not yet sent again
	resent     bool // sent more than once
}

func (s *sent) len() int { return int(s.end - s.start) }

// push adds a range that is sent for the first time.
func (b *scoreboard) push(start, end int64, d departure) {
	if n := len(b.ranges); n > 0 {
		if r := &b.ranges[n-1]; r.end == start && r.at.Equal(d.at) && !r.sacked && !r.lost && !r.resent {
			r.end = end
			return
		}
	}
	b.ranges = append(b.ranges, sent{start: start, end: end, departure: d})
}

// inFlight is RFC 6675's pipe: what is thought to be on its way.
func (b *scoreboard) inFlight() int {
	if len(b.ranges) == 0 {
		return 0
	}
	return max(0, int(b.ranges[len(b.ranges)-1].end-b.ranges[0].start)-b.sacked-b.implied-b.lost)
}

// split makes a range begin at pos and returns its index.
func (b *scoreboard) split(i int, pos int64) int {
	r := b.ranges[i]
	if pos <= r.start {
		return i
	}
	b.ranges = append(b.ranges, sent{})
	copy(b.ranges[i+1:], b.ranges[i:])
	b.ranges[i].end = pos
	b.ranges[i+1].start = pos
	return i + 1
}

// find returns the index of the first range that ends after pos.
func (b *scoreboard) find(pos int64) int {
	lo, hi := 0, len(b.ranges)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); b.ranges[mid].end <= pos {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// ack forgets what is before una, and calls delivered for what the peer had not reported before.
func (b *scoreboard) ack(una int64, delivered func(*sent)) {
	n := 0
	for n < len(b.ranges) && b.ranges[n].start < una {
		if b.ranges[n].end > una {
			b.split(n, una)
		}
		r := &b.ranges[n]
		switch {
		case r.sacked:
			b.sacked -= r.len()
		case r.lost:
			b.lost -= r.len()
			fallthrough
		default:
			delivered(r)
		}
		n++
	}
	b.ranges = emptied(b.ranges[:copy(b.ranges, b.ranges[n:])])
}

// sack takes note that the peer has [left, right), and calls delivered for what is news.
func (b *scoreboard) sack(left, right int64, delivered func(*sent)) {
	for i := b.find(left); i < len(b.ranges) && b.ranges[i].start < right; i++ {
		if b.ranges[i].sacked {
			continue
		}
		i = b.split(i, left)
		if b.ranges[i].end > right {
			b.split(i, right)
		}
		r := &b.ranges[i]
		if r.lost {
			r.lost = false
			b.lost -= r.len()
		}
		delivered(r)
		r.sacked = true
		b.sacked += r.len()
	}
	b.merge()
}

// merge joins neighbours that have been reported: what they were sent as matters no more.
func (b *scoreboard) merge() {
	n := 0
	for i := 1; i < len(b.ranges); i++ {
		if p, r := &b.ranges[n], &b.ranges[i]; p.sacked && r.sacked {
			p.end = r.end
			continue
		}
		n++
		b.ranges[n] = b.ranges[i]
	}
	if len(b.ranges) > 0 {
		b.ranges = b.ranges[:n+1]
	}
}

// lose deems the i-th range lost.
func (b *scoreboard) lose(i int) {
	if r := &b.ranges[i]; !r.sacked && !r.lost {
		r.lost = true
		b.lost += r.len()
		b.losses += int64(r.len())
	}
}

// sackedAt says that the peer has reported all of [start, end).
func (b *scoreboard) sackedAt(start, end int64) bool {
	i := b.find(start)
	return i < len(b.ranges) && b.ranges[i].sacked && b.ranges[i].start <= start && end <= b.ranges[i].end
}

// lostAt says that pos is deemed lost.
func (b *scoreboard) lostAt(pos int64) bool {
	i := b.find(pos)
	return i < len(b.ranges) && b.ranges[i].lost && b.ranges[i].start <= pos
}

// loseFirst deems up to n bytes lost, from una on: what a peer without SACK tells of a loss.
func (b *scoreboard) loseFirst(n int) {
	if len(b.ranges) > 0 {
		if r := &b.ranges[0]; r.len() > n {
			b.split(0, r.start+int64(n))
		}
		b.lose(0)
	}
}

// loseLast deems lost the last n bytes, or fewer if they have different fates.
func (b *scoreboard) loseLast(n int) {
	if i := len(b.ranges) - 1; i >= 0 {
		i = b.split(i, b.ranges[i].end-int64(n))
		b.lose(i)
	}
}

// loseAll deems lost all that was not reported.
func (b *scoreboard) loseAll() {
	for i := range b.ranges {
		b.lose(i)
	}
}

// renege forgets what the peer has reported.
func (b *scoreboard) renege() {
	for i := range b.ranges {
		b.ranges[i].sacked = false
	}
	b.sacked = 0
	b.loseAll()
}

// findNothingLost takes back all losses: they were none.
func (b *scoreboard) findNothingLost() {
	for i := range b.ranges {
		b.ranges[i].lost = false
	}
	b.lost = 0
}

// firstLost returns the first range that is lost, at most n bytes of it.
func (b *scoreboard) firstLost(n int) (start int64, length int) {
	if b.lost > 0 {
		for i := range b.ranges {
			if r := &b.ranges[i]; r.lost {
				return r.start, min(n, r.len())
			}
		}
	}
	return 0, 0
}

// resend takes note that [start, end), which is within one range, is sent again.
func (b *scoreboard) resend(start, end int64, d departure) {
	i := b.split(b.find(start), start)
	if b.ranges[i].end > end {
		b.split(i, end)
	}
	r := &b.ranges[i]
	if r.lost {
		r.lost = false
		b.lost -= r.len()
	}
	r.departure, r.resent = d, true
}

// restart makes [una, end) all that there is, sent at an unknown time, and lost.
func (b *scoreboard) restart(una, end int64) {
	*b = scoreboard{ranges: b.ranges[:0], losses: b.losses}
	if una < end {
		b.ranges = append(b.ranges, sent{start: una, end: end, resent: true})
		b.loseAll()
	}
}
