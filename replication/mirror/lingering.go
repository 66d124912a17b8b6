package mirror

import (
	"time"

	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// A connection that the active node has ended by a RST is over there with that, and may
// not be for its peer: the RST, and output before it, may have been lost with the node
// that sent them, if that died in the same moment. Nobody acknowledges a RST. So the
// standby lets go of such a connection a little later, when it would have taken over, and
// then sends all of it once more.

// ending is a replica that the log has ended.
type ending struct {
	r   *replica
	err error
	at  time.Time
}

// maxEndings bounds how many replicas linger.
const maxEndings = 1000

// lingersFor is for how long a replica lingers: longer than it takes to decide on a takeover.
func (c *Config) lingersFor() time.Duration { return 4 * c.Silence }

// ends ends a replica as the log says, at once or soon.
func (f *follower) ends(r *replica, reason replpb.End_Reason) {
	err := endError(reason)
	lingers := false
	if reason == replpb.End_CLOSED || reason == replpb.End_ABORTED {
		r.conn.View(func(core *tcp.Core) {
			p := core.Positions()
			lingers = r.usableAt(core) && p.OutClose >= tcp.CloseAbort
		})
	}
	if !lingers {
		f.forget(r)
		r.end(err)
		return
	}
	r.conn.Withdraw()
	f.mu.Lock()
	f.endings = append(f.endings, ending{r, err, time.Now()})
	f.mu.Unlock()
}

// endAll ends the replicas that have lingered since a time, and as many more as there are too many.
func (f *follower) endAll(since time.Time) {
	f.mu.Lock()
	n := max(0, len(f.endings)-maxEndings)
	for n < len(f.endings) && !f.endings[n].at.After(since) {
		n++
	}
	over := append([]ending(nil), f.endings[:n]...)
	f.endings = append(f.endings[:0], f.endings[n:]...)
	f.mu.Unlock()
	for _, e := range over {
		f.forget(e.r)
		e.r.end(e.err)
	}
}
