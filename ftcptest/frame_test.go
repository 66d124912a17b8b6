package ftcptest

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/wire"
)

func TestFilter(t *testing.T) {
	var seen []string
	n := &Network{Filter: func(f Frame) Verdict {
		text := string(f.Data[wire.EthernetLen:])
		seen = append(seen, f.From+">"+f.To+" "+text)
		switch text {
		case "drop":
			return Drop
		case "late":
			return Verdict(time.Second)
		}
		return Pass
	}}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[1], frame(mac(p[1]), wire.Broadcast, "b"))
		e[0].want(t, "b")
		for _, text := range []string{"1", "drop", "late", "2"} {
			send(t, p[0], frame(mac(p[0]), mac(p[1]), text))
		}
		e[1].want(t, "1", "2")
		time.Sleep(time.Second - time.Nanosecond)
		e[1].want(t)
		time.Sleep(time.Nanosecond)
		e[1].want(t, "late")
		if want := []string{"b> b", "a>b 1", "a>b drop", "a>b late", "a>b 2"}; !slices.Equal(seen, want) {
			t.Errorf("Filter saw %q, want %q", seen, want)
		}
		if got := n.Stats().Filtered; got != 1 {
			t.Errorf("Filtered = %d, want 1", got)
		}
	})
}

// A machine can be stopped after exactly the k-th frame, however many it
// has written at once.
func TestFilterCutsExactly(t *testing.T) {
	for _, how := range []struct {
		name string
		stop func(*Port)
		rest []string // what is heard after Plug and Resume
	}{
		{"unplug", (*Port).Unplug, nil},
		{"pause", (*Port).Pause, []string{"3", "4"}},
	} {
		t.Run(how.name, func(t *testing.T) {
			var victim *Port
			frames := 0
			n := &Network{Filter: func(Frame) Verdict {
				if frames++; frames == 3 {
					how.stop(victim)
				}
				return Pass
			}}
			bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
				victim = p[0]
				var burst [][]byte
				for _, text := range numbers(5) {
					burst = append(burst, frame(mac(p[0]), mac(p[1]), text))
				}
				send(t, p[0], burst...)
				e[1].want(t, "0", "1", "2")
				p[0].Plug()
				p[0].Resume()
				e[1].want(t, how.rest...)
			})
		})
	}
}

// Filter may call all methods, even Close.
func TestFilterCallsBack(t *testing.T) {
	n := new(Network)
	n.Filter = func(Frame) Verdict {
		p := n.Port("new")
		send(t, p, frame(mac(p), wire.Broadcast, "from Filter"))
		n.Partition([]*Port{p})
		n.Heal()
		n.Stats()
		n.Close()
		return Pass
	}
	bubble(t, n, func(t *testing.T, p []*Port, e []*ear) {
		send(t, p[0], frame(mac(p[0]), wire.Broadcast, "last"))
		synctest.Wait()
		e[1].want(t)
		if e[1].err == nil {
			t.Error("the network is not closed")
		}
	})
}

func TestFrameString(t *testing.T) {
	f := Frame{
		From: "client",
		At:   time.Date(2000, 1, 1, 12, 0, 1, 2000, time.UTC),
		Data: frame(wire.MAC{2}, wire.Broadcast, "text"),
	}
	got := f.String()
	if !strings.HasPrefix(got, "12:00:01.000002 client>* ") || !strings.HasSuffix(got, wire.Format(f.Data)) {
		t.Errorf("String() = %q", got)
	}
	f.To = "server"
	if got := f.String(); !strings.Contains(got, " client>server ") {
		t.Errorf("String() = %q", got)
	}
}
