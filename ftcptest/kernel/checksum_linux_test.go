package kernel_test

import (
	"io"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ftcp-project/ftcp/wire"
)

// A segment that was damaged on the way is dropped and counted. The kernel's own have no
// complete checksum on a virtual cable, and pass.
func TestFailoverBadChecksum(t *testing.T) {
	l := startPair(t, serverConfig{Handler: "echo"})
	w := l.tap(nil)
	c := l.dial()
	pingPong := func(text string) {
		t.Helper()
		_, err := io.WriteString(c, text)
		check(t, err)
		b := make([]byte, len(text))
		_, err = io.ReadFull(c, b)
		check(t, err)
		if string(b) != text {
			t.Fatalf("the echo of %q is %q", text, b)
		}
	}
	pingPong("first")

	to := netip.MustParseAddrPort(l.config.Listen)
	forged := forge(t, w, to, "forged")
	forged[len(forged)-1] ^= 1
	_, err := unix.Write(w.fd, forged)
	check(t, err)
	l.servers[0].awaitThat("counted", func(r report) bool { return r.BadChecksum == 1 })
	pingPong("second")

	// It would have been believed.
	forged = forge(t, w, to, "forged")
	_, err = unix.Write(w.fd, forged)
	check(t, err)
	l.servers[0].awaitThat("deceived", func(r report) bool { return r.Received == int64(len("first"+"second"+"forged")) })
	if r, _ := l.servers[0].report(); r.BadChecksum != 1 {
		t.Errorf("%d segments dropped for their checksum, want 1", r.BadChecksum)
	}
}

// forge makes the segment with which the client would send text next.
func forge(t *testing.T, w *tap, to netip.AddrPort, text string) []byte {
	t.Helper()
	var frame []byte
	for _, b := range w.frames() {
		eth, rest, err := wire.ParseEthernet(b)
		if err != nil || eth.Type != wire.EtherTypeIPv4 {
			continue
		}
		ip, rest, err := wire.ParseIP(rest)
		if err != nil || ip.Proto != wire.ProtoTCP || ip.Dst != to.Addr() {
			continue
		}
		var tcp wire.TCP
		payload, err := tcp.Parse(rest)
		check(t, err)
		tcp.Seq += uint32(len(payload))
		tcp.Flags = wire.PSH | wire.ACK
		if tcp.Options.NumSACK > 0 || tcp.Options.MSS != 0 {
			continue
		}
		frame = ip.Append(eth.Append(nil), tcp.Len()+len(text))
		start := len(frame)
		frame = append(tcp.Append(frame), text...)
		wire.SetTCPChecksum(frame[start:], wire.Sum(nil, wire.PseudoHeaderSum(ip.Src, ip.Dst, wire.ProtoTCP, len(frame)-start)))
	}
	if frame == nil {
		t.Fatal("the client has sent nothing")
	}
	return frame
}
