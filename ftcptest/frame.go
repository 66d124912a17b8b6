package ftcptest

import (
	"fmt"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

// A Frame is an Ethernet frame as Network.Filter sees it.
type Frame struct {
	From string    // name of the port that sent it
	To   string    // name of the port it goes to; empty if the switch will send it to all
	At   time.Time // when it left
	Data []byte    // may be kept, but not changed
}

// String returns the frame in the manner of tcpdump, on one line.
func (f Frame) String() string {
	to := f.To
	if to == "" {
		to = "*"
	}
	return fmt.Sprintf("%s %s>%s %s", f.At.Format("15:04:05.000000"), f.From, to, wire.Format(f.Data))
}

// A Verdict is what a Filter makes of a frame: Pass, Drop, or a time
// in nanoseconds, Verdict(20*time.Millisecond), by which the frame is held back
// in addition to all other delays. Frames sent after it may overtake it.
type Verdict time.Duration

const (
	Pass Verdict = 0
	Drop Verdict = -1
)
