package kernel_test

import "testing"

// A switch with a spanning tree does not forward on a port in the first seconds after
// carrier. A node that starts meanwhile hears nobody, and does not serve for that. When it
// hears the one that does, it joins it.
func TestForwardingDelay(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo", History: history})
	w := l.tap(resets)
	l.start(0)
	l.servers[0].await("active")
	s := l.stream()
	s.goesOn("alone")
	check(t, l.hosts[1].Forward(false))
	l.start(1)
	// Its Listen waits for the network, and returns after a while nevertheless.
	l.servers[1].awaitThat("waiting for the network", func(r report) bool {
		return r.Role == "starting" && r.Why != "" && r.Network.Carrier && r.Network.Heard.IsZero()
	})
	s.goesOn("the other one has started")
	check(t, l.hosts[1].Forward(true))
	l.awaitPair(0, 1)
	s.goesOn("the switch forwards")
	if n := l.servers[1].reigns(); n > 0 {
		t.Errorf("the node that heard nobody has served, %d times", n)
	}
	l.servers[0].kill()
	l.servers[1].await("active")
	s.goesOn("the first one is killed")
	s.end()
	w.none("a reset")
}

// The same of a pair that starts behind such ports. Nobody serves before the switch
// forwards, and then one of them does.
func TestForwardingDelayOfBoth(t *testing.T) {
	l := newLab(t, serverConfig{Handler: "echo", History: history})
	for i := range l.servers {
		check(t, l.hosts[i].Forward(false))
		l.start(i)
	}
	for i := range l.servers {
		l.servers[i].awaitThat("waiting for the network", func(r report) bool {
			return r.Role == "starting" && r.Why != "" && r.Network.Heard.IsZero()
		})
	}
	for i := range l.servers {
		check(t, l.hosts[i].Forward(true))
	}
	active := l.awaitEither("in sync", inSync)
	s := l.stream()
	l.awaitPair(active, 1)
	s.goesOn("the switch forwards")
	if n := l.servers[0].reigns() + l.servers[1].reigns(); n != 1 {
		t.Errorf("%d reigns have begun", n)
	}
	s.end()
}
