package tcp

// usage says whether the congestion window is what keeps more from being sent: only then does it tell anything, and
// may it grow (RFC 7661). That is found out when data is sent and holds for the round trip that follows. An
// acknowledgement is too late to ask: acknowledgements are read many at a time, and the first of them
// makes room that the others find unused.
type usage struct {
	limited bool  // the window was used up
	most    int   // bytes in flight, at the most
	end     int64 // the round trip is over when una is here
}

// sent takes note of what is in flight after data was sent.
func (u *usage) sent(una, nxt int64, inFlight, window, mss int) {
	limited := inFlight+mss > window
	if una >= u.end || limited || !u.limited && inFlight > u.most {
		*u = usage{limited, inFlight, nxt}
	}
}

// used says whether the window may grow. In slow start it may be ahead of its use, by as much as it grows in a round trip.
func (u *usage) used(window, ssthresh int) bool {
	return u.limited || window < ssthresh && window < 2*u.most
}
