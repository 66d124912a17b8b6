package wire

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// naiveSum is the definition: 16-bit words, end-around carry.
func naiveSum(b []byte, initial uint32) uint16 {
	sum := uint64(initial)
	for i, c := range b {
		if i%2 == 0 {
			sum += uint64(c) << 8
		} else {
			sum += uint64(c)
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func TestSumRFC1071(t *testing.T) {
	// The example of RFC 1071 section 3.
	if got := Fold(Sum(unhex("00 01 f2 03 f4 f5 f6 f7"), 0)); got != 0xddf2 {
		t.Errorf("sum = %#04x, want 0xddf2", got)
	}
}

func TestSumAgainstDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, 4096)
	for i := range 20000 {
		for j := range buf[:256] {
			buf[j] = byte(r.Uint32())
		}
		if i%3 == 0 { // many carries
			for j := range buf {
				buf[j] = 0xff
			}
		}
		off := r.IntN(16)
		n := r.IntN(300)
		if i%10 == 0 {
			n = r.IntN(len(buf) - off)
		}
		initial := r.Uint32()
		if i%5 == 0 {
			initial = 0xffffffff
		}
		b := buf[off : off+n]
		want := naiveSum(b, initial)
		if got := Fold(Sum(b, initial)); got != want {
			t.Fatalf("Sum of %d bytes at %d with %#x = %#04x, want %#04x", n, off, initial, got, want)
		}
		cut := 2 * r.IntN(n/2+1)
		if got := Fold(Sum(b[cut:], Sum(b[:cut], initial))); got != want {
			t.Fatalf("Sum of %d bytes in parts, cut at %d, = %#04x, want %#04x", n, cut, got, want)
		}
	}
}

// Zero stays zero: the sum of nothing must not become 0xffff, which means the same but compares differently.
func TestSumOfZeros(t *testing.T) {
	for n := range 200 {
		if got := Sum(make([]byte, n), 0); got != 0 {
			t.Errorf("Sum of %d zeros = %#x", n, got)
		}
	}
}

func TestFold(t *testing.T) {
	for _, tt := range []struct {
		sum  uint32
		want uint16
	}{
		{0, 0}, {0xffff, 0xffff}, {0x10000, 1}, {0x1ffff, 1}, {0xffff0000, 0xffff}, {0xffffffff, 0xffff},
	} {
		if got := Fold(tt.sum); got != tt.want {
			t.Errorf("Fold(%#x) = %#x, want %#x", tt.sum, got, tt.want)
		}
	}
}

func TestPseudoHeaderSum(t *testing.T) {
	for _, tt := range []struct {
		src, dst string
		length   int
		header   string
	}{
		{"10.0.0.1", "192.168.255.254", 20, "0a000001 c0a8fffe 0006 0014"},
		{"::ffff:10.0.0.1", "192.168.255.254", 20, "0a000001 c0a8fffe 0006 0014"},
		{"255.255.255.255", "255.255.255.255", 65535, "ffffffff ffffffff 0006 ffff"},
		{"fd00::1", "2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa", 0x12345,
			"fd000000000000000000000000000001 20010db8ffffeeeeddddccccbbbbaaaa 00012345 00000006"},
	} {
		sum := PseudoHeaderSum(netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst), ProtoTCP, tt.length)
		if got, want := Fold(sum), naiveSum(unhex(tt.header), 0); got != want {
			t.Errorf("pseudo-header %s > %s sums to %#04x, want %#04x", tt.src, tt.dst, got, want)
		}
	}
	// No address is no reason to panic.
	PseudoHeaderSum(netip.Addr{}, netip.Addr{}, ProtoTCP, 20)
	PseudoHeaderSum(netip.Addr{}, netip.IPv6Loopback(), ProtoTCP, 20)
}

func FuzzSum(f *testing.F) {
	f.Add([]byte("some bytes to add up"), uint32(7), 3)
	f.Fuzz(func(t *testing.T, b []byte, initial uint32, cut int) {
		want := naiveSum(b, initial)
		if got := Fold(Sum(b, initial)); got != want {
			t.Fatalf("sum %#04x, want %#04x", got, want)
		}
		if cut &^= 1; cut < 0 || cut > len(b) {
			return
		}
		if got := Fold(Sum(b[cut:], Sum(b[:cut], initial))); got != want {
			t.Fatalf("in parts %#04x, want %#04x", got, want)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{20, 40, 1460, 65536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			buf := make([]byte, n)
			for i := range n / 2 {
				binary.BigEndian.PutUint16(buf[2*i:], uint16(i*31))
			}
			b.SetBytes(int64(n))
			var sum uint32
			for b.Loop() {
				sum = Sum(buf, sum)
			}
		})
	}
}
