package tcp

// buffer holds the bytes [base, end) of one direction's stream, by position.
// Bytes once appended do not move in memory until they are released, so that
// they may be read outside the lock that guards the buffer.
type buffer struct {
	base, end int64
	chunks    []chunk // in order, without gaps; chunks[0] may begin before base
}

// chunk is a run of bytes at a position. Its capacity beyond its length is free
// for bytes that follow.
type chunk struct {
	pos   int64
	data  []byte
	block *Block
}

func (c *chunk) end() int64 { return c.pos + int64(len(c.data)) }

func (b *buffer) init(pos int64) { b.base, b.end = pos, pos }

func (b *buffer) len() int { return int(b.end - b.base) }

// append copies p behind the end.
func (b *buffer) append(p []byte) {
	for len(p) > 0 {
		n := b.extend(p)
		if n == 0 {
			b.grow(len(p))
		}
		p = p[n:]
	}
}

// extend copies what fits of p into the free part of the last chunk.
func (b *buffer) extend(p []byte) int {
	if len(b.chunks) == 0 {
		return 0
	}
	last := &b.chunks[len(b.chunks)-1]
	n := min(len(p), cap(last.data)-len(last.data))
	last.data = append(last.data, p[:n]...)
	b.end += int64(n)
	return n
}

// grow adds an empty chunk. A stream that has bytes waiting is busy and gets
// more at a time than one that begins.
func (b *buffer) grow(n int) {
	size := n
	if b.len() > 0 {
		size = max(n, 8*b.len())
	}
	block := NewBlock(min(size, blockSizes[len(blockSizes)-1]))
	b.push(chunk{pos: b.end, data: block.B[:0], block: block})
}

// push appends a chunk, with its block. It must begin at end.
func (b *buffer) push(c chunk) {
	b.chunks = append(b.chunks, c)
	b.end += int64(len(c.data))
}

// slices appends to dst the parts of memory that hold [from, to).
func (b *buffer) slices(dst [][]byte, from, to int64) [][]byte {
	for i := b.find(from); from < to; i++ {
		c := &b.chunks[i]
		part := c.data[from-c.pos : min(to, c.end())-c.pos]
		dst = append(dst, part)
		from += int64(len(part))
	}
	return dst
}

// find returns the index of the chunk that holds pos, base <= pos < end.
func (b *buffer) find(pos int64) int {
	lo, hi := 0, len(b.chunks)
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) >> 1); b.chunks[mid].pos <= pos {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// release forgets the bytes before pos.
func (b *buffer) release(pos int64) {
	if pos <= b.base {
		return
	}
	b.base = min(pos, b.end)
	n := 0
	for n < len(b.chunks) && b.chunks[n].end() <= b.base {
		b.chunks[n].block.Free()
		n++
	}
	if n > 0 {
		m := copy(b.chunks, b.chunks[n:])
		clear(b.chunks[m:])
		b.chunks = emptied(b.chunks[:m])
	}
}

// emptied returns s, but without the memory of one that has been large and is empty now: a connection
// that was busy once must not hold it for ever.
func emptied[T any](s []T) []T {
	if len(s) == 0 && cap(s) > 512 {
		return nil
	}
	return s
}

// free gives all memory back.
func (b *buffer) free() { b.release(b.end) }
