package tcp

import (
	"fmt"
	"strings"
	"testing"
)

// TestReplicaClose ends the output of a replica in every way, before and after the log
// says how that of the active node ends.
func TestReplicaClose(t *testing.T) {
	type step = func(*Core) error
	do := func(f func(*Core)) step { return func(c *Core) error { f(c); return nil } }
	end := func(how Close, at int64) step {
		return func(c *Core) error {
			return c.Replay(epoch, &Update{InAt: c.inEnd(), Una: 1, Edge: 65536, SndWnd: 65535, Close: how, CloseAt: at})
		}
	}
	input := step(func(c *Core) error {
		return c.Replay(epoch, &Update{InAt: c.inEnd(), Input: stretch(theirs, c.inEnd(), 10), Una: 1, Edge: 65536, SndWnd: 65535})
	})
	write := do(func(c *Core) { c.Append(stretch(ours, c.dataEnd(), 10)) })
	closes := do(func(c *Core) { c.Close(epoch) })
	half := do(func(c *Core) { c.CloseWrite(epoch) })
	abort := do(func(c *Core) { c.Abort(epoch) })

	for name, test := range map[string]struct {
		steps []step
		out   int64
		how   Close
		sent  string // after a takeover
	}{
		"open":                        {[]step{write}, 11, NotClosed, "P. 1:11(10)"},
		"aborts":                      {[]step{write, abort}, 12, CloseAbort, "P. 1:11(10), R. 11:11(0)"},
		"aborts and closes":           {[]step{write, abort, closes}, 12, CloseAbort, "P. 1:11(10), R. 11:11(0)"},
		"aborts a half":               {[]step{half, abort}, 3, CloseAbort, "F. 1:1(0), R. 2:2(0)"},
		"closes":                      {[]step{write, closes}, 12, CloseFIN, "FP. 1:11(10)"},
		"closes, unread":              {[]step{input, closes}, 2, CloseFIN, "R. 1:1(0)"},
		"closes, unread, in order":    {[]step{input, closes, end(CloseFIN, 1)}, 2, CloseFIN, "F. 1:1(0)"},
		"in order, closes, unread":    {[]step{input, end(CloseFIN, 1), closes}, 2, CloseFIN, "F. 1:1(0)"},
		"later in order":              {[]step{input, end(CloseFIN, 11), closes}, 2, CloseFIN, "R. 1:1(0)"},
		"closes, then the reset":      {[]step{write, closes, end(CloseReset, 11)}, 12, CloseReset, "P. 1:11(10), R. 11:11(0)"},
		"the reset, then closes":      {[]step{end(CloseReset, 11), write, closes}, 12, CloseReset, "P. 1:11(10), R. 11:11(0)"},
		"closes, then reset behind":   {[]step{closes, end(CloseFIN, 1), end(CloseReset, 2)}, 3, CloseReset, "F. 1:1(0), R. 2:2(0)"},
		"reset behind, then closes":   {[]step{end(CloseReset, 2), closes}, 3, CloseReset, "F. 1:1(0), R. 2:2(0)"},
		"half, reset behind":          {[]step{end(CloseReset, 2), half}, 2, CloseFIN, "F. 1:1(0)"},
		"half, reset behind, closes":  {[]step{end(CloseReset, 2), half, closes}, 3, CloseReset, "F. 1:1(0), R. 2:2(0)"},
		"reset elsewhere":             {[]step{end(CloseReset, 11), closes}, 2, CloseFIN, "F. 1:1(0)"},
		"only the active node aborts": {[]step{end(CloseAbort, 1), closes}, 2, CloseFIN, "F. 1:1(0)"},
		"only the replica aborts":     {[]step{end(CloseFIN, 1), abort}, 2, CloseAbort, "R. 1:1(0)"},
	} {
		c := restore(t)
		for i, s := range append([]step{end(NotClosed, 0)}, test.steps...) {
			if err := s(c); err != nil {
				t.Fatalf("%s: step %d: %v", name, i, err)
			}
			if err := c.check(); err != nil {
				t.Errorf("%s: step %d: %v", name, i, err)
			}
		}
		if p := c.Positions(); p.OutEnd != test.out || p.OutClose != test.how || c.Ended() || c.ResetDue() {
			t.Errorf("%s: %s at %d, ended %v; want %s at %d", name, p.OutClose, p.OutEnd, c.Ended(), test.how, test.out)
		}
		c.TakeOver(epoch, 0)
		var sent []string
		emit := func(s *Segment) {
			text, _, _ := strings.Cut(formatSegment(c, s), " ack")
			sent = append(sent, text)
		}
		c.Send(epoch, emit)
		c.SendReset(epoch, emit)
		if got := strings.Join(sent, ", "); got != test.sent {
			t.Errorf("%s: sent %s; want %s", name, got, test.sent)
		}
		if err := c.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReplayCloseErrors asserts that what cannot be the end of an output is an error.
func TestReplayCloseErrors(t *testing.T) {
	type end struct {
		how Close
		at  int64
		una int64
	}
	for _, ends := range [][]end{
		{{CloseReset + 1, 1, 0}},
		{{CloseFIN, 0, 0}},
		{{CloseFIN, 5, 0}, {CloseFIN, 6, 0}},
		{{CloseFIN, 5, 0}, {CloseReset, 5, 0}},
		{{CloseFIN, 5, 0}, {CloseReset, 7, 0}},
		{{CloseAbort, 5, 0}, {CloseReset, 6, 0}},
		{{CloseAbort, 5, 0}, {CloseReset, 5, 0}},
		{{CloseReset, 5, 0}, {CloseFIN, 6, 0}},
		{{CloseReset, 5, 6}},
		{{CloseReset, 5, 5}, {NotClosed, 0, 6}},
	} {
		c := restore(t)
		for i, e := range ends {
			err := c.Replay(epoch, &Update{InAt: 1, Una: e.una, Close: e.how, CloseAt: e.at})
			if (err != nil) != (i == len(ends)-1) {
				t.Errorf("%v: %d: %v", ends, i, err)
			}
			if err := c.check(); err != nil {
				t.Error(fmt.Sprint(ends), err)
			}
		}
	}
}

// TestAbortAtTheEnd asserts that a RST that has left ends the connection, and gives its
// memory back.
func TestAbortAtTheEnd(t *testing.T) {
	m, err := newMachine("established")
	if err != nil {
		t.Fatal(err)
	}
	gate(m.core)
	m.core.Append(make([]byte, 1000))
	m.core.Abort(m.now)
	if m.core.Writable() || !m.core.EOF() || m.core.Err() != ErrAborted || m.core.Ended() {
		t.Error("an aborted connection is not gone for its user, or is gone altogether")
	}
	if err := m.core.check(); err != nil {
		t.Error(err)
	}
	m.core.End(nil)
	if p := m.core.Positions(); !m.core.Ended() || p.OutStart != 1001 || m.core.ResetDue() {
		t.Errorf("ended %v, output kept from %d", m.core.Ended(), p.OutStart)
	}
}
