package tcp

import (
	"errors"
	"testing"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// snapshot is that of an ordinary connection.
var snapshot = Snapshot{
	ISS: 1<<32 - 50, IRS: 1<<32 - 20, PeerMSS: 1000, MSS: 1460, ReceiveBuffer: 65535,
	SACK: true,
}

var epoch = time.Unix(1<<30, 0)

func restore(t *testing.T) *Core {
	t.Helper()
	c, err := Restore(Config{SendBuffer: 1 << 20, Epoch: epoch}, snapshot, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRestoreImpossible(t *testing.T) {
	for name, change := range map[string]func(*Snapshot){
		"send shift":           func(s *Snapshot) { s.Scale, s.SndShift = true, 15 },
		"receive shift":        func(s *Snapshot) { s.Scale, s.RcvShift = true, 15 },
		"shift, but no scale":  func(s *Snapshot) { s.SndShift = 1 },
		"shift, but no scale ": func(s *Snapshot) { s.RcvShift = 1 },
		"no MSS":               func(s *Snapshot) { s.MSS = 0 },
		"MSS":                  func(s *Snapshot) { s.MSS = 65536 },
		"peer's MSS":           func(s *Snapshot) { s.PeerMSS = -1 },
		"large peer's MSS":     func(s *Snapshot) { s.PeerMSS = 65536 },
		"no buffer":            func(s *Snapshot) { s.ReceiveBuffer = 0 },
		"buffer":               func(s *Snapshot) { s.ReceiveBuffer = 1<<30 + 1 },
		"passive, unanswered":  func(s *Snapshot) { s.Unanswered = true },
	} {
		s := snapshot
		change(&s)
		if _, err := Restore(Config{}, s, epoch); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSnapshot asserts that a replica of a replica is one of the connection.
func TestSnapshot(t *testing.T) {
	s := Snapshot{
		ISS: 7, IRS: 8, PeerMSS: 900, MSS: 800, ReceiveBuffer: 1 << 20,
		Scale: true, SndShift: 3, RcvShift: 5, SACK: true, TS: true, TSOffset: 9,
	}
	dialed, declined := s, s
	dialed.Active = true
	declined.Active, declined.Scale, declined.SndShift, declined.RcvShift = true, false, 0, 0
	declined.SACK, declined.TS, declined.ReceiveBuffer = false, false, 65535
	offered := Connect(Config{ISS: 7, MSS: 800, ReceiveBuffer: 1 << 20, TSOffset: 9}, epoch).Snapshot()
	offered.RcvShift = 5
	for _, s := range []Snapshot{s, dialed, declined, offered} {
		c, err := Restore(Config{}, s, epoch)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Snapshot(); got != s {
			t.Errorf("%+v\nwant %+v", got, s)
		}
		if s.Active && !s.Unanswered { // the same in two steps
			if c, err = Restore(Config{}, offered, epoch); err != nil {
				t.Fatal(err)
			}
			if err := c.Answer(epoch, s); err != nil {
				t.Fatal(err)
			}
			if got := c.Snapshot(); got != s {
				t.Errorf("answered: %+v\nwant %+v", got, s)
			}
		}
	}
}

func TestAnswerErrors(t *testing.T) {
	offered := Connect(Config{ISS: 7, MSS: 800, ReceiveBuffer: 1 << 20}, epoch).Snapshot()
	answered := offered
	answered.Unanswered, answered.IRS = false, 8
	restored := func() *Core {
		c, err := Restore(Config{}, offered, epoch)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, test := range map[string]struct {
		before func(*Core)
		change func(*Snapshot)
	}{
		"impossible":     {nil, func(s *Snapshot) { s.MSS = 0 }},
		"no answer":      {nil, func(s *Snapshot) { s.Unanswered = true }},
		"another ISS":    {nil, func(s *Snapshot) { s.ISS++ }},
		"another shift":  {nil, func(s *Snapshot) { s.RcvShift++ }},
		"a second":       {func(c *Core) { c.Answer(epoch, answered) }, nil},
		"after the end":  {func(c *Core) { c.End(nil) }, nil},
		"after takeover": {func(c *Core) { c.TakeOver(epoch, 0) }, nil},
	} {
		c, s := restored(), answered
		if test.before != nil {
			test.before(c)
		}
		if test.change != nil {
			test.change(&s)
		}
		if err := c.Answer(epoch, s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, u := range map[string]Update{
		"input": {InAt: 1, Input: []byte{0}}, "FIN": {InAt: 1, InFIN: true}, "acknowledged": {InAt: 1, Una: 1},
	} {
		if err := restored().Replay(epoch, &u); err == nil {
			t.Errorf("%s before the answer: no error", name)
		}
	}
}

func TestReplayErrors(t *testing.T) {
	input := stretch(theirs, 1, 100)
	for name, test := range map[string]struct {
		before []Update
		u      Update
		want   error // nil: any
	}{
		"gap":            {nil, Update{InAt: 2, Input: input}, ErrGap},
		"overlap":        {[]Update{{InAt: 1, Input: input}}, Update{InAt: 1, Input: input}, ErrGap},
		"after the FIN":  {[]Update{{InAt: 1, InFIN: true}}, Update{InAt: 1, Input: input}, ErrGap},
		"una goes back":  {[]Update{{InAt: 1, Una: 5}}, Update{InAt: 1, Una: 4}, nil},
		"negative":       {nil, Update{InAt: 1, Una: -1}, nil},
		"window":         {nil, Update{InAt: 1, SndWnd: 1<<30 + 1}, nil},
		"closed window":  {nil, Update{InAt: 1, SndWnd: -1}, nil},
		"edge":           {nil, Update{InAt: 1, Edge: -1}, nil},
		"edge far right": {nil, Update{InAt: 1, Input: input, Edge: 102 + 1<<30}, nil},
	} {
		c := restore(t)
		for i := range test.before {
			if err := c.Replay(epoch, &test.before[i]); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		err := c.Replay(epoch, &test.u)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReplicaTimeWait closes both directions on a replica in every order. That the active node goes on is what
// tells it that it is in TIME-WAIT and was not in LAST-ACK.
func TestReplicaTimeWait(t *testing.T) {
	fin := Update{InAt: 1, InFIN: true, Una: 1, Edge: 1000}
	ack := Update{InAt: 1, Una: 2, Edge: 1000}
	both := Update{InAt: 1, InFIN: true, Una: 2, Edge: 1000}
	for name, order := range map[string][]*Update{ // nil is the user's close
		"active":                           {nil, &ack, &both},
		"both at once":                     {nil, &both},
		"crossing":                         {nil, &fin, &both},
		"crossing, and the user is late":   {&fin, nil, &both},
		"the user is late":                 {&ack, nil, &both},
		"the user is later":                {&ack, &both, nil},
		"both at once, the user is late":   {&both, nil},
		"one by one, and the user is late": {&fin, &both, nil},
	} {
		c := restore(t)
		for _, u := range order {
			if u == nil {
				c.CloseWrite(epoch)
			} else if err := c.Replay(epoch, u); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		c.TakeOver(epoch, 0)
		if s := c.State(); s != TimeWait {
			t.Errorf("%s: %v", name, s)
		}
		again := &Segment{}
		again.Flags, again.Seq, again.Ack = wire.FIN|wire.ACK, c.rcvSeq(1), c.sndSeq(2)
		c.Send(epoch, func(*Segment) {})
		c.Recv(epoch, again)
		answers := 0
		c.Send(epoch, func(s *Segment) { answers++ })
		if answers != 1 {
			t.Errorf("%s: %d answers to the peer's FIN", name, answers)
		}
	}
}

// TestTakeOverBehind takes over with a user that has produced less than the peer has
// acknowledged. The peer's ACK is not believed until the output is there, and nothing breaks.
func TestTakeOverBehind(t *testing.T) {
	now := epoch
	c := restore(t)
	c.Append(stretch(ours, 1, 50))
	if err := c.Replay(now, &Update{InAt: 1, Una: 101, Edge: 1000, SndWnd: 1000}); err != nil {
		t.Fatal(err)
	}
	c.TakeOver(now, 0)
	var sent []string
	send := func() {
		t.Helper()
		sent = nil
		c.Send(now, func(s *Segment) { sent = append(sent, formatSegment(c, s)) })
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
	}
	send()
	if len(sent) != 1 || sent[0] != ". 51:51(0) ack 1 win 65535" {
		t.Fatalf("%q", sent)
	}
	ack := &Segment{}
	ack.Flags, ack.Seq, ack.Ack, ack.Window = wire.ACK, c.rcvSeq(1), c.sndSeq(101), 1000
	c.Recv(now, ack)
	send()
	if len(sent) != 1 || c.Positions().Una != 51 {
		t.Fatalf("%q, una %d", sent, c.Positions().Una)
	}
	c.Append(stretch(ours, 51, 100))
	send()
	if len(sent) != 1 || sent[0] != "P. 51:151(100) ack 1 win 65535" {
		t.Fatalf("%q", sent)
	}
	c.Recv(now, ack)
	if c.Positions().Una != 101 {
		t.Fatalf("una %d", c.Positions().Una)
	}
}

// TestReplicaUser reads and closes on a replica as a user does.
func TestReplicaUser(t *testing.T) {
	c := restore(t)
	if err := c.Replay(epoch, &Update{InAt: 1, Input: stretch(theirs, 1, 100), Edge: 65536}); err != nil {
		t.Fatal(err)
	}
	if err := compare(c.Peek(nil, 40), theirs, 1); err != nil {
		t.Fatal(err)
	}
	c.Consume(40)
	c.CloseRead()
	if !c.EOF() {
		t.Error("no end after CloseRead")
	}
	if err := c.Replay(epoch, &Update{InAt: 101, Input: stretch(theirs, 101, 100), Edge: 65536}); err != nil {
		t.Fatal(err)
	}
	if c.Readable() != 0 || c.Retained() != 0 {
		t.Errorf("readable %d, retained %d", c.Readable(), c.Retained())
	}
}
