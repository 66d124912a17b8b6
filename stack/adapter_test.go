package stack_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// groupMAC is one that two nodes share.
var groupMAC = wire.MAC{0x02, 0xf7, 0xc9, 1, 2, 3}

// adapter is a device that can be torn out, and that knows whether it has carrier.
type adapter struct {
	*ftcptest.Port
	cause  atomic.Pointer[error] // what Read says when it has been torn out
	cut    atomic.Bool           // no carrier
	closed atomic.Int32          // times
}

func (a *adapter) Read(pkts []device.Inbound) (int, error) {
	n, err := a.Port.Read(pkts)
	if cause := a.cause.Load(); err != nil && cause != nil {
		err = *cause
	}
	return n, err
}

func (a *adapter) Close() error {
	a.closed.Add(1)
	return a.Port.Close()
}

func (a *adapter) Carrier() bool { return !a.cut.Load() }

// tear makes Read fail.
func (a *adapter) tear(cause error) {
	a.cause.Store(&cause)
	a.Port.Close()
}

// bare is a device without Ethernet headers. What is sent to it arrives.
type bare struct {
	in     chan []byte
	closed chan struct{}
	once   sync.Once
	sent   atomic.Int32
}

func newBare() *bare { return &bare{in: make(chan []byte), closed: make(chan struct{})} }

func (b *bare) Read(pkts []device.Inbound) (int, error) {
	select {
	case p := <-b.in:
		pkts[0].N = copy(pkts[0].Buf, p)
		return 1, nil
	case <-b.closed:
		return 0, net.ErrClosed
	}
}

func (b *bare) Write(pkts []device.Outbound) error { b.sent.Add(int32(len(pkts))); return nil }
func (b *bare) Features() device.Features          { return device.Features{MTU: 1500} }
func (b *bare) Close() error                       { b.once.Do(func() { close(b.closed) }); return nil }

// told is a slog.Handler that keeps what it is told, and does with it what a program may
// do: look at the stack.
type told struct {
	mu    sync.Mutex
	lines []string
	look  func()
}

func (h *told) Enabled(context.Context, slog.Level) bool { return true }
func (h *told) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *told) WithGroup(string) slog.Handler            { return h }
func (h *told) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	if h.look != nil {
		h.look()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
	return nil
}

// expect checks what it was told since the last call: a line for each of want, which it
// contains.
func (h *told) expect(t *testing.T, want ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.EqualFunc(h.lines, want, strings.Contains) {
		t.Errorf("was told\n\t%s\nwant\n\t%s", strings.Join(h.lines, "\n\t"), strings.Join(want, "\n\t"))
	}
	h.lines = nil
}

// seen keeps the frames of a network.
type seen struct {
	mu     sync.Mutex
	frames []ftcptest.Frame
}

func (s *seen) filter(f ftcptest.Frame) ftcptest.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Data = slices.Clone(f.Data)
	s.frames = append(s.frames, f)
	return ftcptest.Pass
}

// take returns the frames from a port since the last call, as text.
func (s *seen) take(from string) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.frames {
		if f.From == from {
			lines = append(lines, wire.MAC(f.Data[6:12]).String()+" "+wire.Format(f.Data))
		}
	}
	s.frames = nil
	return lines
}

// newToldStack returns a stack that tells h, which looks at the stack each time.
func newToldStack(h *told) *stack.Stack {
	s := stack.New(stack.Config{Logger: slog.New(h)})
	h.look = func() {
		s.Conns()
		s.Links()
		s.Health()
		s.Solicit()
	}
	return s
}
