package tcp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// machine is a core, its user, its peer and its standby, as a script drives them.
type machine struct {
	cfg    Config
	irs    uint32
	core   *Core // nil until the peer's SYN arrives
	now    time.Time
	began  time.Time
	next   time.Time // the core's deadline
	gated  bool      // from the first segment on
	hushed bool      // no RST may leave
	lag    int64     // how much less than this node's the standby's user has read
	opened Snapshot  // by connect
	sent   []sentSegment
	oracle oracle
}

type sentSegment struct {
	at   time.Duration
	text string
}

// starts are the states in which a script may begin: scripts whose output nobody looks at.
// The round trip takes ten milliseconds. Options are those of the peer's SYN.
var starts = map[string]string{
	"listen":          "",
	"closed":          "",
	"syn-sent":        "+0 connect",
	"syn-received":    "+0 < S 0:0(0) <OPTIONS>",
	"established":     "syn-received +10 < . 1:1(0) ack 1",
	"connected":       "syn-sent +10 < S. 0:0(0) ack 1 <OPTIONS>",
	"fin-wait-1":      "established +0 shutdown",
	"fin-wait-2":      "fin-wait-1 +10 < . 1:1(0) ack 2",
	"closing":         "fin-wait-1 +0 < F. 1:1(0) ack 1",
	"time-wait":       "fin-wait-2 +0 < F. 1:1(0) ack 2",
	"close-wait":      "established +0 < F. 1:1(0) ack 1",
	"last-ack":        "close-wait +0 shutdown",
	"established-ts":  "+0 < S 0:0(0) <mss 1460, sackOK, ts 1000 ecr 0> +10 < . 1:1(0) ack 1 <ts 1010 ecr 0>",
	"connected-ts":    "syn-sent +10 < S. 0:0(0) ack 1 <mss 1460, sackOK, ts 1000 ecr 0>",
	"established-raw": "+0 < S 0:0(0) +10 < . 1:1(0) ack 1",
}

// newMachine brings a machine into a state: a name of starts, then any of
//
//	mss, sendmss, gso, rcvbuf, sndbuf, iss, isn (the peer's), tsoffset, ecn, reno (1: not CUBIC), gated (1: before the SYN-ACK),
//	opt (of the peer's SYN: mss/1460,sackOK,wscale/7)
func newMachine(arg string) (*machine, error) {
	epoch := time.Unix(1<<30, 0)
	m := &machine{now: epoch, began: epoch}
	// Sequence numbers wrap early in every script.
	m.irs = 1<<32 - 300
	m.cfg = Config{MSS: 1460, ReceiveBuffer: 65535, SendBuffer: 1 << 20, ISS: 1<<32 - 500, Epoch: epoch}
	f := strings.Fields(arg)
	options := "mss 1460"
	for _, p := range f[1:] {
		key, value, _ := strings.Cut(p, "=")
		n, err := strconv.Atoi(value)
		if key == "opt" {
			options, err = strings.NewReplacer("/", " ", ",", ", ").Replace(value), nil
		}
		if err != nil {
			return nil, err
		}
		switch key {
		case "opt":
		case "mss":
			m.cfg.MSS = n
		case "sendmss":
			m.cfg.SendMSS = n
		case "gso":
			m.cfg.GSO = n
		case "rcvbuf":
			m.cfg.ReceiveBuffer = n
		case "sndbuf":
			m.cfg.SendBuffer = n
		case "iss":
			m.cfg.ISS = uint32(n)
		case "isn":
			m.irs = uint32(n)
		case "gated":
			m.gated = n != 0
		case "ecn":
			m.cfg.ECN = n != 0
		case "reno":
			if n != 0 {
				m.cfg.Congestion = NewReno
			}
		case "tsoffset":
			m.cfg.TSOffset = uint32(n)
		default:
			return nil, fmt.Errorf("no parameter %q", key)
		}
	}
	text, ok := starts[f[0]]
	if !ok {
		return nil, fmt.Errorf("no start %q", f[0])
	}
	for text != "" && text[0] != '+' { // it begins with another
		first, rest, _ := strings.Cut(text, " ")
		text = starts[first] + " " + rest
	}
	text = strings.ReplaceAll(text, "OPTIONS", options)
	lines, err := parseScript(strings.ReplaceAll(strings.TrimSpace(text), " +", "\n+"))
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if l.kind == '#' {
			continue
		}
		if err := errors.Join(m.advance(l.at), m.do(l.kind, l.arg), m.send()); err != nil {
			return nil, fmt.Errorf("start: %w", err)
		}
	}
	m.began, m.sent = m.now, nil
	return m, nil
}

// advance lets the time pass until at, deadline by deadline.
func (m *machine) advance(at time.Duration) error {
	target := m.began.Add(at)
	for steps := 0; m.core != nil && !m.next.IsZero() && !m.next.After(target); steps++ {
		if m.next.Before(m.now) || steps > 10000 {
			return fmt.Errorf("the deadline %v is not in the future", m.next.Sub(m.began))
		}
		m.now = m.next
		if err := m.send(); err != nil {
			return err
		}
		if !m.next.IsZero() && !m.next.After(m.now) {
			return fmt.Errorf("the deadline %v stays", m.next.Sub(m.began))
		}
	}
	m.now = target
	return nil
}

// send lets the core send, twice: the second time nothing may be left.
func (m *machine) send() error {
	if m.core == nil {
		return nil
	}
	if err := m.core.check(); err != nil {
		return err
	}
	var errs []error
	m.next = m.core.Send(m.now, func(s *Segment) {
		if len(m.sent) > 10000 {
			panic("no end of segments")
		}
		m.sent = append(m.sent, sentSegment{m.now.Sub(m.began), formatSegment(m.core, s)})
		if err := m.oracle.judge(m.core, s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", formatSegment(m.core, s), err))
		}
	})
	if m.core.ResetDue() && !m.hushed {
		m.core.SendReset(m.now, func(s *Segment) {
			m.sent = append(m.sent, sentSegment{m.now.Sub(m.began), formatSegment(m.core, s)})
			if err := m.oracle.judge(m.core, s); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", formatSegment(m.core, s), err))
			}
		})
		m.next = m.core.deadline()
	}
	next := m.core.Send(m.now, func(s *Segment) {
		errs = append(errs, fmt.Errorf("only a second Send sends %s", formatSegment(m.core, s)))
	})
	if !next.Equal(m.next) {
		errs = append(errs, fmt.Errorf("the deadline %v becomes %v", m.next, next))
	}
	return errors.Join(append(errs, m.core.check())...)
}

// do lets a line of a script happen.
func (m *machine) do(kind byte, arg string) error {
	if m.core == nil && kind != '<' && arg != "connect" {
		return errors.New("there is no connection")
	}
	switch kind {
	case '<':
		return m.recv(arg)
	case '!':
		return m.raise(strings.Fields(arg))
	case '*':
		return m.offered(strings.Fields(arg))
	case '=':
		return m.state(arg)
	}
	return m.call(strings.Fields(arg))
}

func (m *machine) recv(arg string) error {
	s, err := parseSegment(arg, m.cfg.ISS, m.irs)
	if err != nil {
		return err
	}
	if m.core == nil {
		if s.Flags&^(wire.ECE|wire.CWR) != wire.SYN {
			return errors.New("a connection begins with a SYN")
		}
		m.core = Accept(m.cfg, m.now, &s.TCP)
		if m.gated {
			gate(m.core)
		}
		return nil
	}
	m.core.Recv(m.now, s)
	return m.core.check()
}

// raise is "ackable 5 sendable 6 read 7".
func (m *machine) raise(f []string) error {
	for ; len(f) >= 2; f = f[2:] {
		pos, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return err
		}
		switch f[0] {
		case "ackable":
			raise(m.core, Marks{Ackable: pos})
		case "sendable":
			raise(m.core, Marks{Sendable: pos})
		case "read":
			raise(m.core, Marks{PeerRead: pos})
		default:
			return fmt.Errorf("no mark %q", f[0])
		}
	}
	if len(f) > 0 {
		return fmt.Errorf("the mark %q without a position", f[0])
	}
	return nil
}

// offered compares Positions, and what the user sees.
func (m *machine) offered(f []string) error {
	p := m.core.Positions()
	values := map[string]int64{
		"in": p.InEnd, "rcv": p.Received, "out": p.OutEnd, "una": p.Una, "sendable": p.Sendable, "ackable": p.Ackable,
		"edge": p.Edge, "read": p.Read, "kept": p.InStart, "wnd": p.SndWnd,
		"readable": int64(m.core.Readable()), "pending": int64(m.core.Pending()), "room": int64(m.core.Room()),
	}
	for len(f) > 0 {
		switch v, ok := values[f[0]]; {
		case f[0] == "eof" && m.core.EOF():
			f = f[1:]
			continue
		case !ok || len(f) < 2:
			return fmt.Errorf("not offered: %q", f)
		case strconv.FormatInt(v, 10) != f[1]:
			return fmt.Errorf("%s is %d, not %s", f[0], v, f[1])
		}
		f = f[2:]
	}
	return nil
}

func (m *machine) state(arg string) error {
	got := m.core.State().String()
	if err := m.core.Err(); err != nil {
		got += " " + strings.TrimPrefix(err.Error(), "tcp: ")
	}
	if got != arg {
		return fmt.Errorf("the state is %s, not %s", got, arg)
	}
	return nil
}

// call is what the user does, and what else may happen to a connection.
func (m *machine) call(f []string) error {
	var n []int
	for _, a := range f[1:] {
		v, err := strconv.Atoi(a)
		if err != nil {
			return err
		}
		n = append(n, v)
	}
	c := m.core
	switch f[0] + "/" + strconv.Itoa(len(n)) {
	case "connect/0":
		m.core = Connect(m.cfg, m.now)
		m.opened = m.core.Snapshot()
		if m.gated {
			gate(m.core)
		}
	case "write/1":
		if got := c.Append(stretch(ours, c.dataEnd(), n[0])); got != n[0] {
			return fmt.Errorf("%d bytes were taken", got)
		}
	case "read/1":
		if c.Readable() < n[0] {
			return fmt.Errorf("%d bytes are readable", c.Readable())
		}
		if err := compare(c.Peek(nil, n[0]), theirs, c.read); err != nil {
			return err
		}
		c.Consume(n[0])
	case "close/0":
		c.Close(m.now)
	case "shutdown/0":
		c.CloseWrite(m.now)
	case "closeread/0":
		c.CloseRead()
	case "abort/0":
		c.Abort(m.now)
	case "gate/0":
		gate(c)
	case "ungate/0":
		ungate(c)
	case "hush/1":
		m.hushed = n[0] != 0
	case "lag/1":
		m.lag = int64(n[0])
	case "nagle/1":
		c.SetNoDelay(n[0] == 0)
	case "keepalive/3":
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		c.SetKeepAlive(m.now, ms(n[0]), ms(n[1]), n[2])
	case "usertimeout/1":
		c.SetUserTimeout(time.Duration(n[0]) * time.Millisecond)
	case "buffers/2":
		c.SetBuffers(n[0], n[1])
	case "retain/1":
		keepIn(c, int64(n[0]))
	case "pathmtu/2": // the position that the message quotes, payload and options
		c.PathMTU(m.now, c.sndSeq(int64(n[0])), n[1])
	case "takeover/1": // what the timestamps are shifted by
		return m.takeover(uint32(n[0]))
	default:
		return fmt.Errorf("no call %q with %d numbers", f[0], len(n))
	}
	return nil
}

// takeover replaces the core by a standby that has been told what the marks say: its input ends at
// ackable, its user has produced all output. One that does not know of the peer's SYN knows nothing else.
func (m *machine) takeover(tsShift uint32) error {
	old := m.core
	p := old.Positions()
	first := old.Snapshot()
	if first.Active {
		first = m.opened
	}
	r, err := Restore(m.cfg, first, m.now)
	if err != nil {
		return err
	}
	if first.Unanswered {
		if min(p.Received, p.Ackable) < 1 {
			if err := r.Replay(m.now, &Update{InAt: 1, Edge: p.Edge}); err != nil {
				return err
			}
			m.replace(r, tsShift)
			return r.check()
		}
		if err := r.Answer(m.now, old.Snapshot()); err != nil {
			return err
		}
	}
	u := Update{InAt: 1, Una: p.Una, Edge: p.Edge, SndWnd: p.SndWnd, TSRecent: p.TSRecent, PathMSS: p.PathMSS}
	// Its user has set up what the other one's has.
	r.SetKeepAlive(m.began, old.keep.idle, old.keep.interval, old.keep.count)
	r.SetUserTimeout(old.patience.after)
	received := max(1, min(p.Received, p.Ackable))
	fin := p.InFIN && received == p.Received
	u.InFIN = fin && !old.closedFirst
	u.Input = stretch(theirs, 1, int(min(p.InEnd, received)-1))
	if err := r.Replay(m.now, &u); err != nil {
		return err
	}
	r.Consume(int(max(0, min(p.Read-1, int64(r.Readable()))-m.lag)))
	r.Append(stretch(ours, 1, int(old.dataEnd()-1)))
	if p.OutClose == CloseAbort && old.fin < 0 {
		r.Abort(m.now)
	}
	if old.orphan {
		r.Close(m.now)
	} else if old.fin >= 0 {
		r.CloseWrite(m.now)
	}
	if p.OutClose == CloseAbort {
		r.Abort(m.now)
	}
	u = Update{InAt: r.Positions().InEnd, InFIN: fin, Una: u.Una, Edge: u.Edge, SndWnd: u.SndWnd, TSRecent: u.TSRecent, PathMSS: u.PathMSS}
	if p.OutClose != NotClosed {
		u.Close, u.CloseAt = p.OutClose, p.OutEnd-1
	}
	if err := r.Replay(m.now, &u); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	m.replace(r, tsShift)
	return nil
}

// replace makes a standby the connection; there is no other.
func (m *machine) replace(r *Core, tsShift uint32) {
	r.TakeOver(m.now, tsShift)
	r.Bound(Unbounded)
	m.core = r
}
