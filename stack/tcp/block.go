package tcp

import (
	"sync"

	"github.com/ftcp-project/ftcp/stack/device"
)

// Block is pooled storage for payload. It has one owner at a time: the device
// loop that reads a packet into it, or the buffer that keeps the payload.
type Block struct {
	B     []byte
	class int
}

// blockSizes are the size classes. The largest takes whatever a device delivers;
// the small ones keep a quiet connection cheap.
var blockSizes = [...]int{2 << 10, 16 << 10, device.BufferSize}

var blockPools [len(blockSizes)]sync.Pool

// NewBlock returns a block of at least n bytes, n at most device.BufferSize.
// Its content is undefined.
func NewBlock(n int) *Block {
	for class, size := range blockSizes {
		if n <= size {
			if b, ok := blockPools[class].Get().(*Block); ok {
				return b
			}
			return &Block{B: make([]byte, size), class: class}
		}
	}
	panic("tcp: block too large")
}

// Free gives the block back. The caller must not use it, nor its bytes, again.
func (b *Block) Free() { blockPools[b.class].Put(b) }
