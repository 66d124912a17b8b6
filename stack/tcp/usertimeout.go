package tcp

import "time"

// userTimeout is the user's patience: RFC 9293 section 3.9.1.1 and 3.8.3, as Linux's TCP_USER_TIMEOUT. It takes the place of the
// number of retransmissions that is otherwise the limit. The option of RFC 5482 is not sent, nor heeded.
type userTimeout struct {
	after time.Duration // zero: off
	since time.Time     // since when output waits for the peer; zero: none does
}

// SetUserTimeout ends the connection, with ErrTimeout, when the peer has acknowledged none of what there is to send for so
// long, be it lost, or that its window is closed. Zero leaves that to the number of retransmissions.
func (c *Core) SetUserTimeout(d time.Duration) { c.patience.after = d }

// waits keeps since up to date; everything that sends calls it.
func (t *userTimeout) waits(c *Core, now time.Time) {
	if c.una < c.ready() && c.una > 0 && !c.closed {
		if t.since.IsZero() {
			t.since = now
		}
	} else {
		t.since = time.Time{}
	}
}

// at is when the patience ends; zero: not.
func (t *userTimeout) at() time.Time {
	if t.after <= 0 || t.since.IsZero() {
		return time.Time{}
	}
	return t.since.Add(t.after)
}
