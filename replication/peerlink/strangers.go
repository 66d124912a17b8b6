package peerlink

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"
)

// How many connections there may be of which nothing is known.
const (
	maxStrangers        = 16
	maxStrangersPerHost = 4 // from one address
)

var errTooMany = fmt.Errorf("more than %d connections at once, or %d from one address, "+
	"have not proved that they know the secret; let only the nodes of the group reach the link's port",
	maxStrangers, maxStrangersPerHost)

// A stranger is a connection of which nothing is known.
type stranger struct {
	addr     net.Addr
	host     string
	ctx      context.Context // ends after the timeout, or when it is turned away
	cancel   context.CancelFunc
	turnAway context.CancelCauseFunc
}

// strangers are those who are there, in the order of their coming.
type strangers []*stranger

// enter adds s. It returns whom it has removed instead, if there are too many: the oldest
// of the address that has the most. So neither can many from one address keep out
// another, nor can those who say nothing keep out one who does.
func (ss *strangers) enter(s *stranger) (out *stranger) {
	*ss = append(*ss, s)
	switch {
	case ss.count(s.host) > maxStrangersPerHost:
		out = ss.oldest(s.host)
	case len(*ss) > maxStrangers:
		most := 0
		for _, o := range *ss {
			if n := ss.count(o.host); n > most {
				most, out = n, o
			}
		}
	default:
		return nil
	}
	ss.leave(out)
	return out
}

// leave removes s if it is there.
func (ss *strangers) leave(s *stranger) {
	*ss = slices.DeleteFunc(*ss, func(o *stranger) bool { return o == s })
}

func (ss strangers) count(host string) (n int) {
	for _, o := range ss {
		if o.host == host {
			n++
		}
	}
	return n
}

func (ss strangers) oldest(host string) *stranger {
	return ss[slices.IndexFunc(ss, func(o *stranger) bool { return o.host == host })]
}

// host is what addr has in common with other addresses of the same host.
func host(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	if a, ok := addr.(*net.TCPAddr); ok {
		// IPv4 may come to an IPv6 socket.
		return a.AddrPort().Addr().Unmap().WithZone("").String()
	}
	h, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return h
}

const (
	reportEvery = time.Minute // for one host
	maxReports  = 64          // hosts in that time
)

// reports is when something was last reported of each host. It is bounded in time and in
// number so that whoever scans ports cannot fill a log.
type reports map[string]time.Time

// due reports whether something is to be reported of a host now.
func (r *reports) due(host string, now time.Time) bool {
	if last, told := (*r)[host]; told && now.Sub(last) < reportEvery {
		return false
	}
	if len(*r) >= maxReports {
		for h, last := range *r {
			if now.Sub(last) >= reportEvery {
				delete(*r, h)
			}
		}
		if len(*r) >= maxReports {
			return false
		}
	}
	if *r == nil {
		*r = reports{}
	}
	(*r)[host] = now
	return true
}
