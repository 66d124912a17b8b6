package tcp

// State is a connection's state by RFC 9293 section 3.3.2.
type State uint8

const (
	Closed State = iota
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
)

var stateNames = [...]string{
	"CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
	"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

func (s State) String() string { return stateNames[s] }

// State derives the state from the positions. CLOSING and LAST-ACK differ only in who
// closed first, which decides whether TIME-WAIT follows.
func (c *Core) State() State {
	switch {
	case c.closed:
		return Closed
	case c.timeWait:
		return TimeWait
	case c.rcvNxt == 0:
		return SynSent
	case c.una == 0:
		return SynReceived
	}
	ours, theirs := c.fin >= 0, c.finReceived()
	switch {
	case !ours && !theirs:
		return Established
	case !ours:
		return CloseWait
	case !theirs && !c.finAcked():
		return FinWait1
	case !theirs:
		return FinWait2
	case c.closedFirst:
		return Closing
	}
	return LastAck
}
