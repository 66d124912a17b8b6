package peerlink

import (
	"fmt"

	"github.com/ftcp-project/ftcp/wire/replpb"
)

// A Payload is what Receive has returned with a log, while it is handed out to the
// records: the input of each, in their order.
//
//	p := peerlink.Payload(payload)
//	for _, r := range log.Records {
//		input, err := p.Cut(r)
//		...
//	}
//	err := p.Done()
type Payload []byte

// Cut takes the input of r off the front. It is part of what Receive has returned.
func (p *Payload) Cut(r *replpb.Record) ([]byte, error) {
	n := uint64(r.GetDelta().GetInputLen())
	if n > uint64(len(*p)) {
		return nil, fmt.Errorf("peerlink: a record of connection %d has %d bytes of input and the frame only %d more",
			r.GetConn(), n, len(*p))
	}
	input := (*p)[:n:n]
	*p = (*p)[n:]
	return input, nil
}

// Done returns an error if there is input that no record has.
func (p Payload) Done() error {
	if len(p) > 0 {
		return fmt.Errorf("peerlink: the frame has %d bytes of input more than its records", len(p))
	}
	return nil
}
