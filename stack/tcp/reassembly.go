package tcp

// reassembly holds data that arrived out of order, until the gap before it is
// filled.
type reassembly struct {
	chunks []chunk // sorted by position, disjoint; touching ones are not merged
	memory int     // bytes of storage that the chunks hold; the budget has been asked for them
	budget *Budget // what all connections hold together

	// recent are positions of what arrived last, the latest first: the order in which
	// RFC 2018 section 4 reports.
	recent [8]int64
}

// insert keeps the part of data that is not there yet; limit, and the budget, bound the storage
// of all that is kept. Data that does not fit is dropped: its sender has to keep it until it is
// acknowledged.
func (r *reassembly) insert(pos int64, data []byte, limit int) {
	r.note(pos)
	i := 0
	for ; len(data) > 0; i++ {
		// Skip what is before pos, and cut off what is there already.
		for i < len(r.chunks) && r.chunks[i].end() <= pos {
			i++
		}
		n := len(data)
		if i < len(r.chunks) {
			if c := &r.chunks[i]; c.pos <= pos {
				n = min(n, int(c.end()-pos))
				pos, data = pos+int64(n), data[n:]
				continue
			} else if c.pos < pos+int64(n) {
				n = int(c.pos - pos)
			}
		}
		if i > 0 {
			// Segments after a loss come one behind the other; they share a block.
			if c := &r.chunks[i-1]; c.end() == pos && cap(c.data)-len(c.data) >= n {
				c.data = append(c.data, data[:n]...)
				pos, data = pos+int64(n), data[n:]
				i--
				continue
			}
		}
		size := min(n, blockSizes[len(blockSizes)-1])
		if i > 0 && r.chunks[i-1].end() == pos {
			size = min(8*n, blockSizes[len(blockSizes)-1])
		}
		n = min(n, size)
		block := r.block(size, limit)
		if block == nil && size > n {
			block = r.block(n, limit)
		}
		if block == nil {
			r.budget.refuse()
			return
		}
		r.chunks = append(r.chunks, chunk{})
		copy(r.chunks[i+1:], r.chunks[i:])
		r.chunks[i] = chunk{pos: pos, data: append(block.B[:0], data[:n]...), block: block}
		pos, data = pos+int64(n), data[n:]
	}
}

// block returns storage for n bytes, or nil if a bound does not allow it.
func (r *reassembly) block(n, limit int) *Block {
	block := NewBlock(n)
	if size := len(block.B); r.memory+size > limit || !r.budget.take(size) {
		block.Free()
		return nil
	}
	r.memory += len(block.B)
	return block
}

// overlap returns the first part of [left, right) that is here already; one that is empty if there is none.
func (r *reassembly) overlap(left, right int64) (from, to int64) {
	r.each(func(l, rt int64) bool {
		from, to = max(l, left), min(rt, right)
		return from >= to && l < right
	})
	return from, to
}

// next removes and returns the chunk that continues the stream at pos, without
// the bytes before pos. Its block belongs to the caller.
func (r *reassembly) next(pos int64) (chunk, bool) {
	for len(r.chunks) > 0 && r.chunks[0].pos <= pos {
		c := r.chunks[0]
		copy(r.chunks, r.chunks[1:])
		r.chunks[len(r.chunks)-1] = chunk{}
		r.chunks = r.chunks[:len(r.chunks)-1]
		r.memory -= len(c.block.B)
		r.budget.give(len(c.block.B))
		if c.end() > pos {
			c.data = c.data[pos-c.pos:]
			c.pos = pos
			return c, true
		}
		c.block.Free()
	}
	return chunk{}, false
}

// note puts pos in front of recent, in the place of what is in the same range.
func (r *reassembly) note(pos int64) {
	i := 0
	for i < len(r.recent)-1 && r.recent[i] != pos {
		i++
	}
	copy(r.recent[1:i+1], r.recent[:i])
	r.recent[0] = pos
}

// ranges stores up to len(dst) contiguous ranges in dst, those of the latest arrivals
// first, then any others upwards, and returns how many.
func (r *reassembly) ranges(dst [][2]int64) int {
	n := 0
	add := func(left, right int64) {
		for _, d := range dst[:n] {
			if d[0] == left {
				return
			}
		}
		dst[n] = [2]int64{left, right}
		n++
	}
	for _, pos := range r.recent {
		if n == len(dst) || pos == 0 {
			break
		}
		r.each(func(left, right int64) bool {
			if left <= pos && pos < right {
				add(left, right)
				return false
			}
			return left <= pos
		})
	}
	r.each(func(left, right int64) bool {
		if n < len(dst) {
			add(left, right)
		}
		return n < len(dst)
	})
	return n
}

// each calls f for every contiguous range, upwards, until it returns false.
func (r *reassembly) each(f func(left, right int64) bool) {
	for i := 0; i < len(r.chunks); {
		left, right := r.chunks[i].pos, r.chunks[i].end()
		for i++; i < len(r.chunks) && r.chunks[i].pos == right; i++ {
			right = r.chunks[i].end()
		}
		if !f(left, right) {
			return
		}
	}
}

func (r *reassembly) free() {
	for _, c := range r.chunks {
		c.block.Free()
	}
	r.budget.give(r.memory)
	*r = reassembly{budget: r.budget}
}
