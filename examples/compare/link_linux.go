package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// A link is a long way, the same in both directions.
type link struct {
	rate    int64         // bit/s
	rtt     time.Duration // of an empty link
	loss    float64       // per cent
	reorder float64       // per cent
}

// someLinks are in the notation of parseLinks.
const someLinks = "0s/0/0,0s/1/0,20ms/0/0,20ms/0.1/0,20ms/1/0,20ms/5/0,20ms/0/2," +
	"100ms/0/0,100ms/0.1/0,100ms/1/2,100ms/0/2,200ms/0/0,200ms/0.1/0,200ms/2/0"

// parseLinks takes links apart that are written as round trip/loss/reordered; "all" are 40.
func parseLinks(text string, rate int64) (ls []link, err error) {
	if text == "all" {
		const ms = time.Millisecond
		for _, rtt := range []time.Duration{0, 20 * ms, 100 * ms, 200 * ms} {
			for _, loss := range []float64{0, 0.1, 1, 2, 5} {
				for _, reorder := range []float64{0, 2} {
					ls = append(ls, link{rate, rtt, loss, reorder})
				}
			}
		}
		return ls, nil
	}
	for s := range strings.SplitSeq(text, ",") {
		l := link{rate: rate}
		rtt, rest, _ := strings.Cut(s, "/")
		if l.rtt, err = time.ParseDuration(rtt); err == nil {
			_, err = fmt.Sscanf(rest, "%g/%g", &l.loss, &l.reorder)
		}
		if err != nil || l.rtt < 0 || l.rtt > time.Second || l.loss < 0 || l.loss > 50 || l.reorder < 0 || l.reorder > 100 {
			return nil, fmt.Errorf("%q is no link; one would be 100ms/1/2", s)
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// held is for how long, at the most, a frame is held back for others to overtake it.
const held = 8 * time.Millisecond

// faults has a queue of one product of bandwidth and delay.
func (l link) faults() netns.Faults {
	return netns.Faults{
		Rate: l.rate / 8, Delay: l.rtt / 2, Loss: l.loss / 100, Reorder: l.reorder / 100, Hold: held,
	}
}

func (l link) String() string { return fmt.Sprintf("%v/%v/%v", l.rtt, l.loss, l.reorder) }
