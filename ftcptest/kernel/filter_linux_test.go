package kernel_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"testing"

	"github.com/ftcp-project/ftcp/ftcptest/netns"
)

// nft runs a script for the firewall of a machine. Without the program the test is skipped.
func nft(t *testing.T, h *netns.Host, script string) {
	t.Helper()
	path, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("nft, of the package nftables, is not installed")
	}
	var out bytes.Buffer
	cmd := exec.Command(path, "-f", "-")
	cmd.Stdin = bytes.NewBufferString(script)
	cmd.Stdout, cmd.Stderr = &out, &out
	check(t, h.Start(cmd))
	if err := cmd.Wait(); err != nil {
		t.Fatalf("nft: %v: %s", err, &out)
	}
}

// filterLinks has the firewall of a machine do something with all segments of the links,
// in both directions.
func filterLinks(t *testing.T, h *netns.Host, verdict string) {
	t.Helper()
	script := "table inet links {\n"
	for _, hook := range []string{"input", "output"} {
		script += fmt.Sprintf("chain %s { type filter hook %[1]s priority 0;\n", hook)
		for _, port := range []string{"sport", "dport"} {
			script += fmt.Sprintf("tcp %s 7420 %s\n", port, verdict)
		}
		script += "}\n"
	}
	nft(t, h, script+"}\n")
}

// The firewall of one of the machines begins to filter the links, in silence or with
// resets in the name of the other machine. Clients reach both nodes, and the nodes hear
// each other on the service network. The active one goes on, alone; the other one neither
// serves nor disturbs. Without the filter they are a pair again.
func TestLinkFiltered(t *testing.T) {
	for _, test := range []struct {
		name, verdict string
		at            int
	}{
		{"DropAtActive", "drop", 0},
		{"DropAtStandby", "drop", 1},
		{"ResetAtActive", "reject with tcp reset", 0},
		{"ResetAtStandby", "reject with tcp reset", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t, serverConfig{Handler: "echo", History: history})
			nft(t, l.hosts[test.at], "") // is there one?
			w := l.tap(resets)
			s := l.startStream()
			filterLinks(t, l.hosts[test.at], test.verdict)
			active := l.awaitEither("active and alone", alone)
			s.goesOn("the link is filtered")
			l.servers[1-active].awaitThat("looking for who serves", func(r report) bool {
				return r.Role == "starting" && r.Why != ""
			})
			s.goesOn("and the other one knows")
			if a, b := l.servers[active].reigns(), l.servers[1-active].reigns(); a+b > 2 {
				t.Errorf("the nodes have begun to serve %d and %d times", a, b)
			}
			nft(t, l.hosts[test.at], "delete table inet links")
			l.awaitPair(active, 1)
			s.goesOn("the filter is gone")
			s.end()
			w.none("a reset")
		})
	}
}
