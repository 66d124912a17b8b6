package ftcptest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ftcp-project/ftcp"
	"github.com/ftcp-project/ftcp/ftcptest"
)

// kill kills a machine's process, and starts another one.
func kill(x *chaos, m *ftcptest.Machine) {
	x.event("kill", "%s", m.Name)
	m.Kill()
	if x.half() {
		x.pause(2 * time.Second)
	}
	x.revive(m)
}

// killBoth kills the active node and, as soon as that can do no harm, the next one.
func killBoth(x *chaos, _ *ftcptest.Machine) {
	first := x.Active()
	x.event("kill both", "%s", first.Name)
	first.Kill()
	if x.Machines == 2 || x.half() {
		x.pause(time.Second)
		x.revive(first)
	}
	x.safe()
	second := x.Active()
	x.kills(second)
	x.pause(time.Second)
	x.revive(second)
	x.revive(first)
}

// killAndStart starts a node about when the active one is killed, so that it joins in the
// middle of a takeover: a third one, or the next process of the one that was killed.
func killAndStart(x *chaos, _ *ftcptest.Machine) {
	a, joins := x.Active(), x.Active()
	if m := x.spare(); m != nil && x.IntN(3) > 0 {
		joins = m
		x.kills(m)
		x.pause(200 * time.Millisecond)
		x.safe()
		if a = x.Active(); joins == a {
			x.t.Fatalf("%s serves, which was killed", a.Name)
		}
	}
	x.event("join in a takeover", "kill %s, start %s", a.Name, joins.Name)
	wait := func() {}
	if joins != a && x.half() {
		wait = x.starting(joins)
		x.pause(50 * time.Millisecond)
		a.Kill()
		x.note("%s has been killed", a.Name)
	} else {
		a.Kill()
		x.pause(50 * time.Millisecond)
		wait = x.starting(joins)
	}
	x.pause(time.Second)
	wait()
	x.revive(a)
}

// killTheReplacement unplugs the active node, and kills the one that has replaced it
// while the first one is away.
//
// With a third node in sync nobody may notice. With two nodes there is nobody left who
// knows the connections, so that there are none.
func killTheReplacement(x *chaos, _ *ftcptest.Machine) {
	if x.Machines == 2 && x.dials != nil {
		kill(x, x.Active())
		return
	}
	defer x.held.Store(false)
	if x.Machines == 2 {
		x.hold()
		x.safe()
	}
	first := x.Active()
	x.event("kill the replacement", "unplug %s", first.Name)
	first.Unplug()
	x.within(time.Minute, "a takeover", func() bool { return x.settledWithout(first) })
	if x.Machines > 2 {
		x.safeWithout(first)
	} else {
		x.count("all who knew are lost")
		x.pause(3 * time.Second)
	}
	second := x.Active()
	if second == first {
		x.t.Fatalf("%s is unplugged, and serves", first.Name)
	}
	x.kills(second)
	x.pause(2 * time.Second)
	if x.half() {
		x.note("plug %s", first.Name)
		x.revive(first)
		x.pause(2 * time.Second)
		x.revive(second)
	} else {
		x.revive(second)
		x.pause(2 * time.Second)
		x.note("plug %s", first.Name)
		x.revive(first)
	}
	if x.Machines == 2 {
		x.safe()
	}
}

// startUnplugged starts a node that is not needed without its cables, which come later.
// Meanwhile the active node may die, if there is another one.
func startUnplugged(x *chaos, _ *ftcptest.Machine) {
	m, third := x.spare(), true
	if m == nil {
		m, third = x.Standby(), false
	}
	x.event("start unplugged", "%s", m.Name)
	m.Kill()
	m.Unplug()
	x.pause(time.Second)
	wait := x.starting(m)
	x.pause(2 * time.Second)
	var dead *ftcptest.Machine
	if third && x.half() {
		x.safe()
		dead = x.Active()
		x.kills(dead)
		x.pause(time.Second)
	}
	if x.half() {
		x.note("plug the links of %s", m.Name)
		m.Links.Plug()
		x.pause(time.Second)
	}
	x.note("plug %s", m.Name)
	m.Plug()
	if dead != nil {
		x.revive(dead)
	}
	wait()
}

// troubleSpare kills the active node while a third one, which is not needed, is in
// trouble.
func troubleSpare(x *chaos, m *ftcptest.Machine) {
	s := x.spare()
	if s == nil {
		kill(x, m)
		return
	}
	troubles := []struct {
		what string
		f    func()
	}{
		{"unplug", s.Unplug},
		{"unplug the links of", s.Links.Unplug},
		{"pause", s.Pause},
		{"deafen", func() { s.Service.Break(true, false) }},
		{"mute", func() { s.Service.Break(false, true) }},
		{"deafen the links of", func() { s.Links.Break(true, false) }},
		{"mute the links of", func() { s.Links.Break(false, true) }},
	}
	trouble := troubles[x.IntN(len(troubles))]
	x.event("trouble with the spare", "%s %s", trouble.what, s.Name)
	trouble.f()
	x.pause(time.Second)
	x.safe()
	a := x.Active()
	x.kills(a)
	x.pause(time.Second)
	if x.half() {
		x.revive(a)
		x.pause(time.Second)
	}
	x.note("mend %s", s.Name)
	s.Service.Break(false, false)
	s.Links.Break(false, false)
	s.Resume()
	s.Plug()
	x.revive(a)
}

// unplug pulls both cables. A node that has been replaced may be killed, too.
func unplug(x *chaos, m *ftcptest.Machine) {
	x.event("unplug", "%s", m.Name)
	m.Unplug()
	x.pause(3 * time.Second)
	if x.IntN(3) == 0 && x.settledWithout(m) {
		x.event("kill unplugged", "%s", m.Name)
		m.Kill()
	}
	x.revive(m)
}

func unplugLinks(x *chaos, m *ftcptest.Machine) {
	x.event("unplug links", "%s", m.Name)
	m.Links.Unplug()
	x.pause(2 * time.Second)
	x.note("plug the links of %s", m.Name)
	m.Links.Plug()
}

func unplugService(x *chaos, m *ftcptest.Machine) {
	x.event("unplug service", "%s", m.Name)
	m.Service.Unplug()
	x.pause(2 * time.Second)
	x.note("plug the service port of %s", m.Name)
	m.Service.Plug()
}

func breakLinks(x *chaos, m *ftcptest.Machine)   { x.breakPort("links", m.Links) }
func breakService(x *chaos, m *ftcptest.Machine) { x.breakPort("service", m.Service) }

// breakPort breaks one direction of a cable.
func (x *chaos) breakPort(what string, p *ftcptest.Port) {
	in, direction := x.half(), "out"
	if in {
		direction = "in"
	}
	x.event("break "+what+" "+direction, "%s", p.Name())
	p.Break(in, !in)
	x.pause(2 * time.Second)
	x.note("mend %s", p.Name())
	p.Break(false, false)
}

// linkPort is the port of the links between nodes.
const linkPort = 7420

// filterLinks drops the frames of links, as a firewall does, for one machine or for all
// of them.
func filterLinks(x *chaos, m *ftcptest.Machine) {
	name, all := m.Links.Name(), x.half()
	x.event("filter links", "of %s, of all: %v", m.Name, all)
	x.decide(func(f ftcptest.Frame) ftcptest.Verdict {
		_, seg, _, ok := parseTCP(f)
		here := all || f.From == name || f.To == name
		if here && ok && (seg.SrcPort == linkPort || seg.DstPort == linkPort) {
			return ftcptest.Drop
		}
		return ftcptest.Pass
	})
	x.pause(2 * time.Second)
	x.note("filter nothing")
	x.decide(nil)
}

func pause(x *chaos, m *ftcptest.Machine) {
	x.event("pause", "%s", m.Name)
	m.Pause()
	x.pause(3 * time.Second)
	x.note("resume %s", m.Name)
	m.Resume()
}

// pauseBoth pauses the active node and then its standby.
func pauseBoth(x *chaos, _ *ftcptest.Machine) {
	x.pausePair("pause both", 300*time.Millisecond, x.upTo(300*time.Millisecond))
}

// pauseBothForLong pauses the two for so long that the standby may not take over any
// more.
func pauseBothForLong(x *chaos, _ *ftcptest.Machine) {
	x.pausePair("pause both for long", x.silence/2, 4*x.silence+x.upTo(time.Second))
}

func (x *chaos) pausePair(kind string, apart, while time.Duration) {
	active, standby := x.Active(), x.Standby()
	x.event(kind, "%s and %s", active.Name, standby.Name)
	active.Pause()
	x.pause(apart)
	if x.Machines > 2 && x.Active() == standby {
		x.safeWithout(active) // else the third node takes over what it does not know yet
	}
	standby.Pause()
	time.Sleep(while)
	first, second := active, standby
	if x.half() {
		first, second = second, first
	}
	x.note("resume %s, then %s", first.Name, second.Name)
	first.Resume()
	x.pause(x.silence * 2 / 3) // longer, and nobody could know which one serves
	second.Resume()
}

// handOver hands over when nothing can be lost.
func handOver(x *chaos, _ *ftcptest.Machine) {
	if x.half() {
		x.handsOver("handover", (*ftcp.Node).Handover)
	} else {
		x.handsOver("handover of all", (*ftcp.Node).HandoverAll)
	}
}

func (x *chaos) handsOver(kind string, f func(*ftcp.Node, context.Context) error) {
	a := x.Active()
	x.event(kind, "%s", a.Name)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	switch err := f(a.Node(), ctx); {
	case errors.Is(err, ftcp.ErrNoStandby), errors.Is(err, ftcp.ErrNotTaken):
		x.event("handover not taken", "%v", err) // the link was in trouble; the node serves on
	case err != nil:
		x.t.Errorf("%s of %s: %v", kind, a.Name, err)
	}
}

// handOverEarly hands over as soon as a standby has come in sync: it may have to wait
// until the connections are protected, and refuses where their histories are gone.
func handOverEarly(x *chaos, _ *ftcptest.Machine) {
	s := x.Standby()
	x.kills(s)
	x.pause(time.Second)
	wait := x.starting(s)
	x.within(time.Minute, "a standby in sync", func() bool {
		a := x.Active()
		return a != nil && a.Node().Status().InSync
	})
	x.handsOver("handover early", func(n *ftcp.Node, ctx context.Context) error {
		err := n.HandoverAll(ctx)
		if lost := (*ftcp.LostError)(nil); errors.As(err, &lost) && !lost.Over {
			x.event("handover refused", "%v", err)
			return nil
		}
		return err
	})
	wait()
}

// handOverInUpload hands over while a client sends as fast as it can.
func handOverInUpload(x *chaos, _ *ftcptest.Machine) {
	node, r := x.Client(), rand.New(rand.NewPCG(x.Uint64(), 3))
	uploaded := make(chan error, 1)
	go func() { uploaded <- uploadAll(x.monitor, node, x.Address, r, 256<<10+r.IntN(1<<20)) }()
	x.pause(100 * time.Millisecond)
	x.handsOver("handover in upload", (*ftcp.Node).HandoverAll)
	if err := <-uploaded; err != nil {
		x.t.Error(err)
	}
}
