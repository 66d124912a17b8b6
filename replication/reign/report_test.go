package reign

import (
	"fmt"
	"strings"
	"time"
)

// report tells a transcript of an event that had consequences.
func (w *world) report(i int, e Event, todo []Action, before Role) {
	if w.note == nil {
		return
	}
	n := &w.node[i]
	var parts []string
	for _, a := range todo {
		if s := w.action(a); s != "" {
			parts = append(parts, s)
		}
	}
	if n.m.role != before {
		parts = append(parts, "is "+n.m.role.String())
	}
	if len(parts) == 0 {
		return
	}
	if len(parts) == 1 && strings.HasPrefix(parts[0], "refuses") {
		if what := w.name(n.cfg.Self.Incarnation) + parts[0]; !strings.Contains(w.told, what) {
			w.told += " " + what
		} else {
			return // as before
		}
	}
	line := fmt.Sprintf("%7.1f ms  %-2s  ", float64(w.now-time.Second)/1e6, w.name(n.cfg.Self.Incarnation))
	w.note(line + w.event(e) + strings.Join(parts, "; "))
}

// event describes an event; the passing of time is left out.
func (w *world) event(e Event) string {
	switch e := e.(type) {
	case Said:
		s := fmt.Sprintf("%s said: %v", w.name(e.From.Incarnation), e.Role)
		if e.Reign.Lineage != 0 {
			s += " " + reignName(e.Reign)
		}
		return s + " ⇒ "
	case RoundOver:
		s := "nobody answered"
		switch {
		case len(e.Replaced) > 0:
			s = w.name(e.Replaced[0]) + " has been replaced"
		case e.AllGone:
			s = "every port refuses"
		case len(e.Refused) > 0:
			s = w.name(e.Refused[0]) + "'s port refuses"
		}
		if !e.Heard {
			s += ", and the network is silent"
		}
		return "a round: " + s + " ⇒ "
	case Linked:
		return w.name(e.Peer.Incarnation) + " wants to join ⇒ "
	case Closed:
		how := map[Closing]string{ByKernel: "by its kernel", BySilence: "for its silence", ByOther: "by a node that lives"}[e.How]
		return fmt.Sprintf("the link to %s was closed %s ⇒ ", w.name(e.Peer), how)
	case Caught:
		return w.name(e.Peer) + " has caught up ⇒ "
	case Admitted:
		return "it is admitted ⇒ "
	case Bye:
		return w.name(e.Peer) + " said goodbye ⇒ "
	case Verdict:
		return "a verdict: " + reignName(e.Reign) + " stays ⇒ "
	case Want:
		return "the operator's wish ⇒ "
	case Swapped:
		if !e.Known {
			return "the arbiter's answer is lost ⇒ "
		}
		return fmt.Sprintf("the arbiter has %s ⇒ ", w.recorded(e.Current))
	}
	return ""
}

// action describes an action; questions are left out.
func (w *world) action(a Action) string {
	switch a := a.(type) {
	case Ask:
		return ""
	case Follow:
		return "follows " + w.name(a.Peer.Incarnation)
	case Lead:
		return "leads " + w.name(a.Peer.Incarnation)
	case Refuse:
		return "refuses " + w.name(a.Peer.Incarnation)
	case Admit:
		return "admits it: " + w.recorded(a.Record)
	case Serve:
		return "serves as " + reignName(a.Reign)
	case TakeOver:
		return "takes over as " + reignName(a.Reign) + ", since " + a.Why
	case GoAlone:
		return "goes on without " + w.name(a.Peer) + ", since " + a.Why
	case Drop:
		return "drops its replicas, since " + a.Why
	case Fence:
		return "is fenced by " + reignName(a.Reign) + ", since " + a.Why
	case Suspend:
		return "is silent, since " + a.Why
	case Resume:
		return "speaks again, since " + a.Why
	case Release:
		return "is silent and says goodbye, since " + a.Why
	case Pronounce:
		return "pronounces that " + w.name(a.To) + " has lost"
	case Swap:
		return "wants " + w.recorded(a.New) + " in place of " + w.recorded(a.Old)
	case Load:
		return "loads the record"
	}
	return fmt.Sprintf("%T", a)
}

func reignName(r Reign) string { return fmt.Sprintf("L%d/%d", r.Lineage, r.Epoch) }

func (w *world) recorded(r Record) string {
	if r.Revision == 0 {
		return "no record"
	}
	s := fmt.Sprintf("r%d {%s", r.Revision, reignName(r.Reign))
	if r.Active.Incarnation != 0 {
		s += " " + w.name(r.Active.Incarnation)
	}
	for i, m := range r.Set {
		s += map[bool]string{true: " with ", false: ", "}[i == 0] + w.name(m.Incarnation)
	}
	return s + "}"
}

// summary is a line on where the nodes are.
func (w *world) summary() string {
	var parts []string
	for i := range w.n {
		n := &w.node[i]
		if !n.alive() {
			continue
		}
		s := w.name(n.cfg.Self.Incarnation) + " " + n.m.role.String()
		if l := n.m.record.Reign; l.Lineage != 0 {
			s += " " + reignName(l)
		}
		if n.life == paused {
			s += ", stands still"
		}
		if n.m.role == Active && n.silent {
			s += ", silent"
		}
		if n.m.role == Starting && n.m.blocked != "" {
			s += " (" + n.m.blocked + ")"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}
