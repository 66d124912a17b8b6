package mirror

import (
	"errors"
	"fmt"
	"math"
	"net/netip"

	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/stack/tcp"
	"github.com/ftcp-project/ftcp/wire"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// openRecord is a connection's snapshot as a message.
func openRecord(c *stack.Conn, s tcp.Snapshot, mac wire.MAC) *replpb.Open {
	o := &replpb.Open{
		LocalAddr: c.LocalAddr().Addr().AsSlice(), LocalPort: uint32(c.LocalAddr().Port()),
		RemoteAddr: c.RemoteAddr().Addr().AsSlice(), RemotePort: uint32(c.RemoteAddr().Port()),
		Iss: s.ISS, Irs: s.IRS, Mss: uint32(s.PeerMSS),
		WindowScaling: s.Scale, SendScale: uint32(s.SndShift), ReceiveScale: uint32(s.RcvShift),
		SackPermitted: s.SACK, Timestamps: s.TS, TimestampOffset: s.TSOffset, Ecn: s.ECN,
		ReceiveBuffer: int64(s.ReceiveBuffer), AnnouncedMss: uint32(s.MSS),
		Dial: c.Dialed(), Unanswered: s.Unanswered,
	}
	if !mac.IsZero() {
		o.RemoteMac = mac[:]
	}
	return o
}

// parseOpen is the way back. What it returns has been checked as far as a snapshot can be on its own.
func parseOpen(o *replpb.Open) (local, remote netip.AddrPort, mac wire.MAC, s tcp.Snapshot, err error) {
	l, ok1 := netip.AddrFromSlice(o.LocalAddr)
	r, ok2 := netip.AddrFromSlice(o.RemoteAddr)
	switch {
	case !ok1 || !ok2 || l.Is4() != r.Is4():
		err = errors.New("replication: addresses that are none in a snapshot")
	case o.LocalPort == 0 || o.LocalPort > math.MaxUint16 || o.RemotePort == 0 || o.RemotePort > math.MaxUint16:
		err = errors.New("replication: ports that are none in a snapshot")
	case len(o.RemoteMac) != 0 && len(o.RemoteMac) != len(mac):
		err = fmt.Errorf("replication: a MAC of %d bytes in a snapshot", len(o.RemoteMac))
	case o.SendScale > 14 || o.ReceiveScale > 14 || o.Mss > math.MaxUint16 || o.AnnouncedMss > math.MaxUint16 ||
		o.ReceiveBuffer < 0 || o.ReceiveBuffer > 1<<30:
		err = errors.New("replication: numbers out of range in a snapshot")
	}
	if err != nil {
		return
	}
	copy(mac[:], o.RemoteMac)
	s = tcp.Snapshot{
		ISS: o.Iss, IRS: o.Irs, PeerMSS: int(o.Mss), MSS: int(o.AnnouncedMss), ReceiveBuffer: int(o.ReceiveBuffer),
		Scale: o.WindowScaling, SndShift: uint8(o.SendScale), RcvShift: uint8(o.ReceiveScale),
		SACK: o.SackPermitted, TS: o.Timestamps, TSOffset: o.TimestampOffset, ECN: o.Ecn,
		Active: o.Dial != 0, Unanswered: o.Unanswered,
	}
	return netip.AddrPortFrom(l, uint16(o.LocalPort)), netip.AddrPortFrom(r, uint16(o.RemotePort)), mac, s, nil
}

// ends are the reasons for which a connection may end, and their errors.
var ends = map[replpb.End_Reason]error{
	replpb.End_CLOSED:           nil,
	replpb.End_RESET:            tcp.ErrReset,
	replpb.End_TIMEOUT:          tcp.ErrTimeout,
	replpb.End_ABORTED:          tcp.ErrAborted,
	replpb.End_REFUSED:          tcp.ErrRefused,
	replpb.End_HOST_UNREACHABLE: errno.HostUnreachable,
	replpb.End_NET_UNREACHABLE:  errno.NetUnreachable,
}

// endReason says in a message why a connection ended.
func endReason(err error) replpb.End_Reason {
	for reason, e := range ends {
		if errors.Is(err, e) {
			return reason
		}
	}
	return replpb.End_RESET
}

// endError is the way back.
func endError(r replpb.End_Reason) error {
	if err, ok := ends[r]; ok {
		return err
	}
	return tcp.ErrReset
}
