package ftcptest_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/ftcp-project/ftcp"
)

// A tally counts what has taken place in all schedules together.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

// kinds are those that have to take place. Others are counted as well.
var kinds = strings.Split(`kill
kill both
join in a takeover
kill the replacement
all who knew are lost
start unplugged
trouble with the spare
unplug
kill unplugged
unplug links
unplug service
break links in
break links out
break service in
break service out
filter links
pause
pause both
pause both for long
handover
handover of all
handover early
handover refused
handover in upload
-> took over
-> took over, as planned
-> went alone
-> a node that was joining is gone
-> suspended
-> resumed
-> handed over
-> gave up
-> fenced
-> new lineage`, "\n")

func newTally() *tally {
	t := &tally{counts: map[string]int{}}
	for _, k := range kinds {
		t.counts[k] = 0
	}
	return t
}

func (t *tally) count(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[kind]++
}

// never returns the kinds that have not taken place.
func (t *tally) never() (never []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range kinds {
		if t.counts[k] == 0 {
			never = append(never, k)
		}
	}
	return never
}

// String is a histogram.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for k := range t.counts {
		all = append(all, k)
	}
	slices.Sort(all)
	b := strings.Builder{}
	b.WriteString("what has taken place:")
	for _, k := range all {
		fmt.Fprintf(&b, "\n%7d  %s", t.counts[k], k)
	}
	return b.String()
}

// watch returns a handler of a node's log that counts the consequences for its role,
// while the node is alive. It passes everything on.
func (x *chaos) watch(n *ftcp.Node) slog.Handler { return watcher{n.Logger.Handler(), x, n} }

type watcher struct {
	slog.Handler
	x    *chaos
	node *ftcp.Node
}

func (w watcher) WithAttrs(a []slog.Attr) slog.Handler {
	return watcher{w.Handler.WithAttrs(a), w.x, w.node}
}

func (w watcher) WithGroup(g string) slog.Handler {
	return watcher{w.Handler.WithGroup(g), w.x, w.node}
}

func (w watcher) Handle(ctx context.Context, r slog.Record) error {
	attrs := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.String()
		return true
	})
	message := strings.TrimPrefix(r.Message, "ftcp: ")
	another := false
	if message == "role" && attrs["role"] == "active" {
		_, known := w.x.lineages.LoadOrStore(attrs["lineage"], true)
		another = !known
	}
	if w.x.alive(w.node) {
		if another {
			w.x.count("-> new lineage")
		}
		for _, kind := range consequences(message, attrs) {
			w.x.count("-> " + kind)
		}
	}
	return w.Handler.Handle(ctx, r)
}

// consequences says what a line of a node's log tells.
func consequences(message string, attrs map[string]string) (kinds []string) {
	switch what, _, _ := strings.Cut(message, ":"); what {
	case "took over":
		kind := "took over"
		if attrs["because"] == "it has left" {
			kind = "took over, as planned"
		}
		kinds = append(kinds, kind, "took over, because "+attrs["because"])
		if attrs["lost"] != "0" {
			kinds = append(kinds, "took over, and lost connections")
		}
	case "goes on without a standby":
		return []string{"went alone", "went alone, because " + attrs["why"]}
	case "suspended":
		return []string{"suspended", "suspended, because " + attrs["why"]}
	case "resumes":
		return []string{"resumed", "resumed, because " + attrs["why"]}
	case "hands over":
		return []string{"handed over", "handed over, because " + attrs["why"]}
	case "gives its replicas up, and looks for who serves":
		return []string{"gave up", "gave up, because " + attrs["why"]}
	case "fenced":
		return []string{"fenced", "fenced, because " + attrs["why"]}
	case "a node that was joining is gone", "waits before it serves", "a connection goes on unprotected",
		"the standby is in sync", "connections are lost as this node leaves":
		return []string{what}
	}
	return kinds
}
