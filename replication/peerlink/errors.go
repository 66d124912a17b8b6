package peerlink

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/ftcp-project/ftcp/stack/errno"
)

var (
	// errOtherSecret says that the peer's key is not the group's.
	errOtherSecret = errors.New("has another secret or group name: both nodes need the same")

	// errNotAccepted is errOtherSecret as seen from the side that was refused.
	errNotAccepted = errors.New("did not accept our key: both need the same secret and group name")

	// errPeerClosed says that the peer's process, which lives, closed the link.
	errPeerClosed = errors.New("closed the link")
)

// incompatibleError says that two nodes cannot work together, whatever else happens.
type incompatibleError struct{ error }

func (e incompatibleError) Unwrap() error { return e.error }

// Incompatible reports whether err, which comes from Client, Server or Hello, says that
// the peer lives but is of another group, secret, version or mode.
func Incompatible(err error) bool {
	_, ok := errors.AsType[incompatibleError](err)
	return ok || errors.Is(err, errOtherSecret) || errors.Is(err, errNotAccepted)
}

// ClosedByPeer reports whether err, which comes from Send or Receive, says that the
// peer's kernel closed or reset the connection. It does so for a process that has died. A
// process that lives can look like it if it closes its link while the connection is
// stalled.
func ClosedByPeer(err error) bool {
	return errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, errno.ConnReset) ||
		errors.Is(err, errno.Pipe)
}

// explain says in words of this package what err of TLS means.
func (l *Link) explain(doing string, err error) error {
	switch {
	case errors.Is(err, errOtherSecret):
	case refusesKey(err):
		err = errNotAccepted
	case isNotTLS(err):
		err = fmt.Errorf("does not speak TLS: %w", err)
	default:
		return fmt.Errorf("peerlink: %s %s: %w", doing, l.RemoteAddr(), err)
	}
	return fmt.Errorf("peerlink: the peer at %s %w", l.RemoteAddr(), err)
}

// refusesKey reports whether err is an alert with which a peer answers to the wrong
// certificate. In TLS 1.3 the client's handshake may be over when the server judges, and
// then it is the first Receive that returns it.
func refusesKey(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return false
	}
	// Package tls does not export the type of op.Err.
	switch op.Err.Error() {
	case alertBadCertificate.Error(), alertUnknownCertificate.Error(), alertUnknownCA.Error():
		return true
	}
	return false
}

// https://www.rfc-editor.org/rfc/rfc8446.html#section-6
const (
	alertBadCertificate     = tls.AlertError(42)
	alertUnknownCertificate = tls.AlertError(46)
	alertUnknownCA          = tls.AlertError(48)
)

func isNotTLS(err error) bool {
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}
