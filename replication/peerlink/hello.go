package peerlink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// The versions of the protocol that this node speaks on a link, the newest and the
// oldest. Two nodes work together if there is one that both speak.
const (
	Version = 3
	Oldest  = 3
)

// maxSlot is the longest name of a node's place in its group, in bytes.
const maxSlot = 255

// Hello exchanges the first frames and returns the peer's hello if the two nodes can work
// together. Otherwise, or if ctx ends before, the link can only be closed.
func (l *Link) Hello(ctx context.Context, ours *replpb.Hello) (theirs *replpb.Hello, err error) {
	stop := context.AfterFunc(ctx, func() { l.conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() {
			theirs, err = nil, fmt.Errorf("peerlink: the peer at %s sent no hello: %w", l.RemoteAddr(), ctx.Err())
		}
	}()
	theirs, err = l.exchange(ours)
	if err != nil {
		return nil, err
	}
	if err := compatible(ours, theirs); err != nil {
		return nil, fmt.Errorf("peerlink: the peer at %s %w", l.RemoteAddr(), incompatibleError{err})
	}
	l.in.accept()
	l.raw.grow()
	l.max = peerLimits
	return theirs, nil
}

// exchange sends our hello and receives the peer's. The client begins, so that the
// exchange needs no buffer in between. Both send before they judge, so that both can name
// what differs.
func (l *Link) exchange(ours *replpb.Hello) (*replpb.Hello, error) {
	frame := &replpb.Frame{Body: &replpb.Frame_Hello{Hello: ours}}
	var f replpb.Frame
	if l.server {
		if err := l.receiveHello(&f); err != nil {
			return nil, err
		}
		if err := l.Send(frame); err != nil {
			return nil, err
		}
		return f.GetHello(), nil
	}
	// A server that refused our key has closed the connection, which Send may notice. The
	// reason is still there to be received.
	sendErr := l.Send(frame)
	if err := l.receiveHello(&f); err != nil {
		if sendErr != nil && !errors.Is(err, errNotAccepted) {
			err = sendErr
		}
		return nil, err
	}
	return f.GetHello(), sendErr
}

// receiveHello is Receive for the first frame, of which a peer with another protocol has
// its own idea.
func (l *Link) receiveHello(f *replpb.Frame) error {
	_, err := l.Receive(f)
	if _, ok := errors.AsType[malformedError](err); ok {
		return fmt.Errorf("%w: it may run a release without version %d of the protocol; "+
			"run neighboring releases on the two nodes", incompatibleError{err}, Version)
	}
	return err
}

// compatible returns in what theirs must be like ours and is not.
func compatible(ours, theirs *replpb.Hello) error {
	switch {
	case theirs == nil:
		return errors.New("did not begin with a hello")
	case theirs.Oldest > ours.Version || theirs.Version < ours.Oldest || theirs.Oldest > theirs.Version:
		return fmt.Errorf("speaks %s of the protocol, this node %s: run neighboring releases on the two nodes",
			versions(theirs), versions(ours))
	case theirs.Member == nil:
		return errors.New("does not say who it is: its hello has no member")
	case theirs.Member.Slot == "":
		return errors.New("does not say who it is: the slot in its hello is empty; name its place in the group")
	case len(theirs.Member.Slot) > maxSlot:
		return fmt.Errorf("has a slot whose name has %d bytes, more than %d: give it a shorter one",
			len(theirs.Member.Slot), maxSlot)
	}
	var differ []string
	if theirs.Group != ours.Group {
		differ = append(differ, fmt.Sprintf("belongs to the group %q, this node to %q", theirs.Group, ours.Group))
	}
	if t, o := theirs.GetSettings().GetMode(), ours.GetSettings().GetMode(); t != o {
		differ = append(differ, fmt.Sprintf("continues servers in mode %s, this node in %s", modeName(t), modeName(o)))
	}
	if differ != nil {
		return errors.New(strings.Join(differ, " and "))
	}
	return nil
}

// versions says which versions of the protocol the sender of h speaks.
func versions(h *replpb.Hello) string {
	if h.Oldest == h.Version {
		return fmt.Sprintf("version %d", h.Version)
	}
	return fmt.Sprintf("versions %d to %d", h.Oldest, h.Version)
}

func modeName(mode uint32) string {
	switch mode {
	case 0:
		return "Mirror"
	case 1:
		return "Resume"
	}
	return fmt.Sprint(mode)
}

// Differences says, a sentence each, in what the settings of two nodes differ that can
// work together nevertheless. It does not compare modes, because no link outlives a
// difference in them.
func Differences(ours, theirs *replpb.Settings) []string {
	var all []string
	size := func(name string, here, there int64) {
		if here != there {
			all = append(all, fmt.Sprintf("%s is %d bytes here and %d there", name, here, there))
		}
	}
	size("ReceiveBuffer", ours.GetReceiveBuffer(), theirs.GetReceiveBuffer())
	size("SendBuffer", ours.GetSendBuffer(), theirs.GetSendBuffer())
	for _, addr := range missing(ours.GetListeners(), theirs.GetListeners()) {
		all = append(all, fmt.Sprintf("listens on %s here, not there", addr))
	}
	for _, addr := range missing(theirs.GetListeners(), ours.GetListeners()) {
		all = append(all, fmt.Sprintf("listens on %s there, not here", addr))
	}
	return all
}

// missing returns, sorted, what is in a and not in b.
func missing(a, b []string) []string {
	b = slices.Sorted(slices.Values(b))
	var m []string
	for _, s := range a {
		if _, found := slices.BinarySearch(b, s); !found {
			m = append(m, s)
		}
	}
	slices.Sort(m)
	return slices.Compact(m)
}
