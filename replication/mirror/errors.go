package mirror

import "errors"

// ErrFenced is the error of connections on a node that another one has replaced.
var ErrFenced = errors.New("replication: another node has taken over")

// ErrUnprotected is the error of replicas that did not know enough of their connection when
// the active node died.
var ErrUnprotected = errors.New("replication: the connection was not protected when its node died")
