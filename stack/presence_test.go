package stack_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/ftcp-project/ftcp/ftcptest"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/device"
	"github.com/ftcp-project/ftcp/wire"
)

// Presence is handed over if it is for this station or for all, whether the stack is
// active or not, and whatever it is.
func TestPresence(t *testing.T) {
	for _, active := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := &ftcptest.Network{}
			s := stack.New(stack.Config{})
			var link *stack.Link
			var got []string
			s.OnPresence(func(l *stack.Link, from wire.MAC, payload []byte) {
				if l != link {
					t.Errorf("on link %p; want %p", l, link)
				}
				l.SendPresence(from, []byte("answer")) // no lock is held
				got = append(got, fmt.Sprintf("%v %q", from, payload))
			})
			if !active {
				s.Silence()
			}
			port, other := n.Port("server"), n.Port("other")
			own := port.Features().MAC
			var err error
			if link, err = s.AddLink(port, stack.LinkConfig{Addr: serverAddr.Addr(), MAC: groupMAC}); err != nil {
				t.Fatal(err)
			}
			send := func(to, from wire.MAC, typ wire.EtherType, payload string) {
				header := wire.Ethernet{Dst: to, Src: from, Type: typ}.Append(nil)
				other.Write([]device.Outbound{{Header: append(header, payload...)}})
				synctest.Wait()
			}
			station := wire.MAC{2, 0, 0, 0, 0, 0x77}
			send(wire.Broadcast, station, wire.EtherTypePresence, "all")
			send(wire.MAC{1}, station, wire.EtherTypePresence, "group of stations")
			send(own, station, wire.EtherTypePresence, "own")
			send(groupMAC, station, wire.EtherTypePresence, "")
			send(own, groupMAC, wire.EtherTypePresence, "from the other node's group")
			send(wire.MAC{2, 9}, station, wire.EtherTypePresence, "another station's")
			send(wire.Broadcast, own, wire.EtherTypePresence, "reflected")
			send(wire.Broadcast, station, 0x88b6, "another type")
			want := []string{
				`02:00:00:00:00:77 "all"`, `02:00:00:00:00:77 "group of stations"`, `02:00:00:00:00:77 "own"`,
				`02:00:00:00:00:77 ""`, groupMAC.String() + ` "from the other node's group"`,
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("active %v: got\n%v\nwant\n%v", active, got, want)
			}
			if m := s.Stats.Malformed.Load(); m != 0 {
				t.Errorf("%d malformed", m)
			}
			s.Close()
			n.Close()
		})
	}
}

// Presence is sent from the device's own MAC: the group's would draw the clients' frames
// here.
func TestSendPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var frames seen
		n := &ftcptest.Network{Filter: frames.filter}
		s := stack.New(stack.Config{})
		s.Silence()
		port := n.Port("server")
		link, err := s.AddLink(port, stack.LinkConfig{Addr: serverAddr.Addr(), MAC: groupMAC})
		if err != nil {
			t.Fatal(err)
		}
		p := wire.Presence{Kind: wire.PresenceQuery}
		link.SendPresence(wire.Broadcast, p.Append(nil, new([32]byte)))
		link.SendPresence(wire.MAC{2, 9}, p.Append(nil, new([32]byte)))
		synctest.Wait()
		own := port.Features().MAC.String()
		for i, to := range []string{"ff:ff:ff:ff:ff:ff", "02:09:00:00:00:00"} {
			want := own + " " + own + " > " + to + ": " + p.String() + ", length 88"
			if got := frames.frames; len(got) != 2 || own+" "+wire.Format(got[i].Data) != want {
				t.Errorf("sent %v\nwant %s", got, want)
			}
		}
		bareDevice := newBare()
		bareLink, err := s.AddLink(bareDevice, stack.LinkConfig{})
		if err != nil {
			t.Fatal(err)
		}
		bareLink.SendPresence(wire.Broadcast, []byte("nobody"))
		if got := bareDevice.sent.Load(); got != 0 {
			t.Errorf("%d packets on a link of bare IP packets", got)
		}
		if links := s.Links(); len(links) != 2 || links[0] != link || links[1] != bareLink {
			t.Errorf("links %v", links)
		}
		s.Close()
		link.SendPresence(wire.Broadcast, []byte("too late"))
		n.Close()
	})
}
