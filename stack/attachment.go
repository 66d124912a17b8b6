package stack

// Attach hangs on the connection whatever an Observer keeps of it. It must be called with the
// connection locked.
func (c *Conn) Attach(a any) { c.attachment.Store(&a) }

// Attachment returns what was attached last; nil if nothing was. It may be called at any time.
func (c *Conn) Attachment() any {
	if a := c.attachment.Load(); a != nil {
		return *a
	}
	return nil
}
