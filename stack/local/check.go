package local

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/ftcp-project/ftcp/stack"
)

// maxBuffer is the largest buffer that the window of TCP can describe.
const maxBuffer = 1 << 30

// Check says what is wrong with a stack's configuration, and with the address that is
// dialed from. The zero Addr is none, and not wrong.
func Check(c stack.Config, from netip.Addr) error {
	switch {
	case c.ReceiveBuffer < 0 || c.ReceiveBuffer > maxBuffer || c.SendBuffer < 0 || c.SendBuffer > maxBuffer:
		return errors.New("ftcp: Node.ReceiveBuffer and SendBuffer must be from 0 to 1 GiB")
	case c.Backlog < 0:
		return errors.New("ftcp: Node.Backlog must not be negative")
	case c.Congestion != nil && c.Congestion(1000) == nil:
		return errors.New("ftcp: Node.Congestion returns nil")
	case from.IsValid() && (from.IsUnspecified() || !unicast(from)):
		return fmt.Errorf("ftcp: Node.LocalAddr is %s, which is no station's address", from)
	}
	return nil
}
