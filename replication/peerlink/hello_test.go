package peerlink

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

func TestHelloCannotBeSent(t *testing.T) {
	client, server := linkPair(t, tcpPair)
	client.raw.Conn = brokenConn{client.raw.Conn}
	server.raw.Close()
	_, err := client.Hello(t.Context(), testHello("a"))
	wantError(t, "client", err, "peerlink: send to "+client.RemoteAddr().String())
	if !ClosedByPeer(err) {
		t.Errorf("%v does not pass for the death of the peer", err)
	}
}

func TestSilentPeerAfterHandshake(t *testing.T) {
	for _, server := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l, other := linkPair(t, pipePair)
			if server {
				l, other = other, l
			}
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := l.Hello(ctx, testHello("a"))
			wantError(t, "hello", err, "sent no hello")
			if !errors.Is(err, context.DeadlineExceeded) || ClosedByPeer(err) {
				t.Errorf("server=%v: %v", server, err)
			}
			if d := time.Since(start); d != time.Second {
				t.Errorf("server=%v: gave up after %v", server, d)
			}
			other.raw.Close()
		})
	}
}

// The context bounds the hello and not the life of the link.
func TestContextEndsAfterHello(t *testing.T) {
	client, server := linkPair(t, tcpPair)
	ctx, cancel := context.WithCancel(t.Context())
	wait := async(func() (*replpb.Hello, error) { return server.Hello(ctx, testHello("b")) })
	if _, err := client.Hello(ctx, testHello("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := wait(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := client.Send(inputFrame(1, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Receive(new(replpb.Frame)); err != nil {
		t.Fatal(err)
	}
}

func TestHelloRefused(t *testing.T) {
	for _, tt := range []struct {
		name           string
		change         func(*replpb.Hello)
		client, server string // what they say, if they refuse
	}{
		{"later version", func(h *replpb.Hello) { h.Version, h.Oldest = 5, 4 },
			"speaks versions 4 to 5 of the protocol, this node version 3: run neighboring releases",
			"speaks version 3 of the protocol, this node versions 4 to 5: run neighboring releases"},
		{"earlier version", func(h *replpb.Hello) { h.Version, h.Oldest = 2, 1 },
			"speaks versions 1 to 2 of the protocol, this node version 3",
			"speaks version 3 of the protocol, this node versions 1 to 2"},
		{"neighbor", func(h *replpb.Hello) { h.Version, h.Oldest = 4, 3 }, "", ""},
		{"no version", func(h *replpb.Hello) { h.Version, h.Oldest = 0, 0 },
			"speaks version 0 of the protocol, this node version 3",
			"speaks version 3 of the protocol, this node version 0"},
		{"no range", func(h *replpb.Hello) { h.Version, h.Oldest = 3, 4 }, "speaks versions 4 to 3", "this node versions 4 to 3"},
		{"group", func(h *replpb.Hello) { h.Group = "mail" },
			`belongs to the group "mail", this node to "web"`, `belongs to the group "web", this node to "mail"`},
		{"mode", func(h *replpb.Hello) { h.Settings = &replpb.Settings{Mode: 1} },
			"in mode Resume, this node in Mirror", "in mode Mirror, this node in Resume"},
		{"unknown mode", func(h *replpb.Hello) { h.Settings = &replpb.Settings{Mode: 9} },
			"in mode 9, this node in Mirror", "in mode Mirror, this node in 9"},
		{"group and mode", func(h *replpb.Hello) { h.Group, h.Settings = "", &replpb.Settings{Mode: 1} },
			`belongs to the group "", this node to "web" and continues servers in mode Resume, this node in Mirror`, `"web"`},
		{"no member", func(h *replpb.Hello) { h.Member = nil }, "its hello has no member", ""},
		{"empty slot", func(h *replpb.Hello) { h.Member.Slot = "" }, "the slot in its hello is empty", ""},
		{"long slot", func(h *replpb.Hello) { h.Member.Slot = strings.Repeat("x", 256) }, "256 bytes, more than 255", ""},
		{"slot of the greatest length", func(h *replpb.Hello) { h.Member.Slot = strings.Repeat("x", 255) }, "", ""},
		{"other settings", func(h *replpb.Hello) {
			h.Settings = &replpb.Settings{Listeners: []string{"10.0.0.5:7000"}, ReceiveBuffer: 1, SendBuffer: 2}
		}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := linkPair(t, tcpPair)
			other := testHello("b")
			tt.change(other)
			wait := async(func() (*replpb.Hello, error) { return server.Hello(t.Context(), other) })
			theirs, err := client.Hello(t.Context(), testHello("a"))
			wantHello(t, client, theirs, err, tt.client)
			theirs, err = wait()
			wantHello(t, server, theirs, err, tt.server)
		})
	}
}

// wantHello checks what Hello has returned on l: a hello, or an error with that text.
func wantHello(t *testing.T, l *Link, theirs *replpb.Hello, err error, text string) {
	t.Helper()
	if text == "" {
		if theirs == nil || err != nil {
			t.Errorf("hello of %v, %v", theirs, err)
		}
		return
	}
	wantError(t, "hello", err, "peerlink: the peer at "+l.RemoteAddr().String()+" ", text)
	if theirs != nil || !Incompatible(err) || ClosedByPeer(err) {
		t.Errorf("hello of %v, incompatible=%v, closedByPeer=%v, %v", theirs, Incompatible(err), ClosedByPeer(err), err)
	}
}

// What comes first and is no hello that this version understands.
func TestHelloMissing(t *testing.T) {
	long := testHello(strings.Repeat("a", helloLimits.header))
	for _, tt := range []struct {
		name string
		sent []byte
		want []string
	}{
		{"another frame", frameBytes(t, logFrame(1), nil), []string{"did not begin with a hello"}},
		{"a sign of life", frameBytes(t, new(replpb.Frame), nil), []string{"did not begin with a hello"}},
		{"a payload", frameBytes(t, helloFrame(testHello("a")), []byte{1}), []string{"payload of 1 bytes, more than 0"}},
		{"a long one", frameBytes(t, helloFrame(long), nil), []string{"header of 4", "more than 4096"}},
		{"version 2", []byte("\x00\x00\x00\x0e\n\x0c\b\x02\x12\x03web\x1a\x01a \x01"), []string{"more than 0", "neighboring releases"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := linkPair(t, tcpPair)
			wait := async(func() (*replpb.Hello, error) { return server.Hello(t.Context(), testHello("b")) })
			if _, err := client.conn.Write(tt.sent); err != nil {
				t.Fatal(err)
			}
			_, err := wait()
			wantError(t, "server", err, tt.want...)
			if !Incompatible(err) {
				t.Errorf("%v is not incompatible", err)
			}
			if cap(server.in.buf) > 1<<10 {
				t.Errorf("allocated %d bytes", cap(server.in.buf))
			}
		})
	}
}

// A node whose own hello is too long says so.
func TestHelloTooLong(t *testing.T) {
	client, _ := linkPair(t, tcpPair)
	_, err := client.Hello(t.Context(), testHello(strings.Repeat("a", helloLimits.header)))
	wantError(t, "client", err, "peerlink: send to "+client.RemoteAddr().String(), "more than 4096")
}

func TestDifferences(t *testing.T) {
	ours := &replpb.Settings{ReceiveBuffer: 1 << 20, SendBuffer: 4 << 20, Listeners: []string{
		"10.0.0.5:7001", "10.0.0.5:7000", "10.0.0.5:80", "10.0.0.5:7000"}}
	theirs := &replpb.Settings{ReceiveBuffer: 1 << 20, SendBuffer: 1 << 20, Listeners: []string{"10.0.0.5:80", "10.0.0.6:80"}}
	for _, tt := range []struct {
		ours, theirs *replpb.Settings
		want         []string
	}{
		{nil, nil, nil},
		{ours, ours, nil},
		{ours, theirs, []string{
			"SendBuffer is 4194304 bytes here and 1048576 there",
			"listens on 10.0.0.5:7000 here, not there",
			"listens on 10.0.0.5:7001 here, not there",
			"listens on 10.0.0.6:80 there, not here",
		}},
		{nil, theirs, []string{
			"ReceiveBuffer is 0 bytes here and 1048576 there",
			"SendBuffer is 0 bytes here and 1048576 there",
			"listens on 10.0.0.5:80 there, not here",
			"listens on 10.0.0.6:80 there, not here",
		}},
	} {
		if got := Differences(tt.ours, tt.theirs); !slices.Equal(got, tt.want) {
			t.Errorf("%v, %v:\ngot  %q\nwant %q", tt.ours, tt.theirs, got, tt.want)
		}
	}
}
