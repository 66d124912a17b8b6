package reign

import (
	"testing"
	"time"
)

// What the standby has said before the doubt about it began says nothing of it now.
func TestOldStatements(t *testing.T) {
	w := newWorld(2, exploredSilence, exploredClaim)
	for _, c := range [][]string{{"start", "a"}, {"run", "300ms"}, {"start", "b"}, {"run", "300ms"}} {
		if err := w.command(c); err != nil {
			t.Fatal(err)
		}
	}
	a, b := &w.node[0].m, w.node[1].m.Statement(w.now)
	b.Role = Starting
	a.Step(w.now, Closed{Peer: b.From.Incarnation, How: BySilence})
	a.Step(w.now, Said{Statement: b, Asked: w.now - time.Millisecond})
	if !a.Member() {
		t.Error("the active node has gone on alone by an old word")
	}
	a.Step(w.now, Said{Statement: b, Asked: w.now})
	if a.Member() {
		t.Error("the active node does not believe that its standby has given up")
	}
}
