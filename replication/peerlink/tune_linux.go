package peerlink

import "golang.org/x/sys/unix"

// congestionControl is the one for links. BBR, which is the default on some hosts, paces
// what it sends, which costs throughput between neighbors.
const congestionControl = "cubic"

// rtoMins are what to bound the retransmission timer by from below, in microseconds; the
// first that the kernel takes is the one. Less than 5 ms would be less than what the
// other host may be busy with something else. The kernel rounds up to ticks of its clock
// and takes no less than two, which may be 20 ms. It also delays no acknowledgment for
// longer, so that both ends need the option.
var rtoMins = []int{5_000, 20_000}

// tune sets up a socket. What the kernel does not have a link can do without.
func tune(fd int) {
	unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestionControl)
	for _, us := range rtoMins {
		if unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_RTO_MIN_US, us) == nil {
			break
		}
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, queued)
}

// queued is how much a socket takes that cannot leave yet, in bytes. What waits there delays the
// signs of life behind it.
const queued = 256 << 10
