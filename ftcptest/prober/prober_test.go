package prober

import (
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// A probeCase is a probe and its name.
type probeCase struct {
	name string
	do   func(*probe)
	o    options
	only int // the IP version, 4 or 6; 0: both
}

// themes are all the probes.
var themes = []struct {
	name   string
	probes []probeCase
}{
	{"handshake", handshakeProbes},
	{"receive", receiveProbes},
	{"sack", sackProbes},
	{"timestamps", timestampsProbes},
	{"attack", attackProbes},
	{"close", closeProbes},
	{"send", sendProbes},
	{"loss", lossProbes},
	{"dial", dialProbes},
	{"ip", ipProbes},
	{"icmp", icmpProbes},
	{"ecn", ecnProbes},
	{"flood", floodProbes},
}

// each calls f for every probe, in both versions of IP, all at once if parallel is set.
func each(t *testing.T, parallel bool, f func(t *testing.T, k *probeCase, name string, o options)) {
	for _, v6 := range []bool{false, true} {
		number := 4
		if v6 {
			number = 6
		}
		t.Run(version(v6), func(t *testing.T) {
			if parallel {
				t.Parallel()
			}
			for _, theme := range themes {
				t.Run(theme.name, func(t *testing.T) {
					if parallel {
						t.Parallel()
					}
					for i := range theme.probes {
						k := &theme.probes[i]
						if k.only != 0 && k.only != number {
							continue
						}
						o := k.o
						o.v6 = v6
						t.Run(k.name, func(t *testing.T) {
							if parallel {
								t.Parallel()
							}
							f(t, k, version(v6)+"/"+theme.name+"/"+k.name, o)
						})
					}
				})
			}
		})
	}
}

func version(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}

func TestMain(m *testing.M) {
	if netns.Supported() != nil {
		netns.Reexec() // if that does not help, TestLinux says why it is skipped
	}
	flag.Parse()
	// Against Linux probes wait most of the time, and many can wait together.
	flag.Set("test.parallel", "150")
	os.Exit(m.Run())
}

func TestFTCP(t *testing.T) {
	for name := range known {
		if !exists(name) {
			t.Errorf("known, but no probe: %s", name)
		}
	}
	each(t, false, func(t *testing.T, k *probeCase, name string, o options) {
		var err error
		synctest.Test(t, func(t *testing.T) {
			var n network
			h := newFTCP(t, &n, o)
			defer h.close()
			p := &probe{host: h, isFTCP: true, o: o, net: &n, addr: netip.MustParseAddr("10.77.0.2")}
			if o.v6 {
				p.addr = netip.MustParseAddr("fd77::2")
			}
			err = k.run(p)
		})
		why, isKnown := known[name]
		if !isKnown {
			name = strings.TrimPrefix(name, version(o.v6)+"/")
			why, isKnown = known[name]
		}
		switch {
		case err != nil && !isKnown:
			t.Error(err)
		case err != nil:
			t.Logf("known: %s\n%v", why, err)
		case isKnown:
			t.Errorf("passes, and is in the list of known differences: %s", why)
		}
	})
}

// exists says whether there is a probe of a name, with or without an IP version.
func exists(name string) bool {
	for _, theme := range themes {
		for _, k := range theme.probes {
			if strings.TrimPrefix(strings.TrimPrefix(name, version(false)+"/"), version(true)+"/") == theme.name+"/"+k.name {
				return true
			}
		}
	}
	return false
}

// known are the probes that ftcp does not pass, in both versions of IP or in the one that is named, and why.
var known = map[string]string{}
