package peerlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

const (
	// defaultTimeout is Door.Timeout if it is zero. A handshake takes a few milliseconds.
	defaultTimeout = 500 * time.Millisecond

	// minPause and maxPause bound how long Serve waits when it cannot accept. It goes on
	// by itself, because what is missing, such as file descriptors, may come back.
	minPause = 5 * time.Millisecond
	maxPause = 100 * time.Millisecond
)

// A Door makes links of the connections that come in. What those cost who have not proved
// that they know the secret is bounded: there are few of them at a time, and the oldest
// makes room for the next. Its zero value is ready to use. It may serve several
// listeners.
type Door struct {
	// Timeout is how long a handshake and the hello may take together. Zero means 500 ms.
	Timeout time.Duration

	// Refused, if not nil, is told why a connection became no link: at most once a minute
	// for one address, and for a bounded number of addresses. It is called by several
	// goroutines.
	Refused func(from net.Addr, err error)

	turnedAway atomic.Uint64

	mu        sync.Mutex
	strangers strangers
	reports   reports
}

// TurnedAway returns how many connections were closed because there were too many of
// which nothing was known.
func (d *Door) TurnedAway() uint64 { return d.turnedAway.Load() }

// Serve accepts connections of l until l is closed, that is, until Accept returns
// net.ErrClosed. It makes links of them, exchanges hellos, of which ours is what hello
// returns then, and calls welcome, in a goroutine of its own, for each link of a node
// that this one can work with. The link is welcome's to close. Serve does not wait for
// any of these when it returns, but of what is not a link by then nothing more will come.
func (d *Door) Serve(l net.Listener, keys *Keys, hello func() *replpb.Hello,
	welcome func(l *Link, theirs *replpb.Hello),
) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	// Those who were turned away leave as soon as a processor has time for it. They
	// cannot be more than those who are still there.
	room := make(chan struct{}, 2*maxStrangers)
	pause := minPause
	for {
		room <- struct{}{}
		c, err := l.Accept()
		if err == nil {
			pause = minPause
			s := d.enter(ctx, c.RemoteAddr())
			go func() {
				link, theirs, err := d.receive(s, c, keys, hello, func() { <-room })
				switch {
				case err == nil:
					welcome(link, theirs)
				case ctx.Err() == nil:
					d.report(s.host, s.addr, err)
				}
			}()
			continue
		}
		<-room
		if errors.Is(err, net.ErrClosed) {
			return
		}
		d.report("listener "+l.Addr().String(), l.Addr(),
			fmt.Errorf("peerlink: cannot accept links, and tries again: %w; "+
				"if it is for lack of open files, raise their limit (ulimit -n)", err))
		time.Sleep(pause)
		pause = min(2*pause, maxPause)
	}
}

// enter begins to count a connection from addr as one of which nothing is known.
func (d *Door) enter(ctx context.Context, addr net.Addr) *stranger {
	timeout := d.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	s := &stranger{addr: addr, host: host(addr)}
	ctx, s.turnAway = context.WithCancelCause(ctx)
	s.ctx, s.cancel = context.WithTimeout(ctx, timeout)

	d.mu.Lock()
	out := d.strangers.enter(s)
	d.mu.Unlock()
	if out != nil {
		d.turnedAway.Add(1)
		out.turnAway(errTooMany)
	}
	return s
}

// receive makes a link of c. It calls known as soon as c counts no more as one of which
// nothing is known.
func (d *Door) receive(s *stranger, c net.Conn, keys *Keys, hello func() *replpb.Hello,
	known func(),
) (*Link, *replpb.Hello, error) {
	defer s.turnAway(nil)
	defer s.cancel()
	l, err := Server(s.ctx, c, keys)
	d.mu.Lock()
	d.strangers.leave(s)
	d.mu.Unlock()
	known()
	if err == nil {
		var theirs *replpb.Hello
		if theirs, err = l.Hello(s.ctx, hello()); err == nil {
			return l, theirs, nil
		}
		l.Close()
	}
	if context.Cause(s.ctx) == errTooMany {
		err = fmt.Errorf("peerlink: the peer at %s was turned away: %w", s.addr, errTooMany)
	}
	return nil, nil, err
}

// report tells Refused, if it is to be told.
func (d *Door) report(host string, from net.Addr, err error) {
	if d.Refused == nil {
		return
	}
	d.mu.Lock()
	due := d.reports.due(host, time.Now())
	d.mu.Unlock()
	if due {
		d.Refused(from, err)
	}
}
