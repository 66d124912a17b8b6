package replication

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

const (
	askTimeout  = 500 * time.Millisecond // for one peer's answer
	askAgain    = 50 * time.Millisecond  // between two rounds
	spareAgain  = 250 * time.Millisecond // the same for a node that is not needed at the moment
	startWait   = 100 * time.Millisecond // for an answer to the probes before serving
	rivalMemory = time.Second            // how long a node that is starting too is waited for
	startLimit  = 5 * time.Second        // of waiting for a service address that another station answers for
)

// errTaken is the error of a service address that somebody outside of the group uses.
var errTaken = fmt.Errorf("replication: another station answers for the service address, and no peer says that it is the active node: %w", errno.AddrInUse)

// findRole asks until the role is clear: it returns a link to the active node,
// to be followed, or nil if this node has become active.
func (g *Group) findRole() (*link, error) {
	var takenSince time.Time
	heard, alone := false, false // the network was heard, without an answer; and then once more there was none
	for {
		l, wait, err := g.ask()
		if l != nil || err != nil {
			return l, err
		}
		if wait {
			takenSince, heard, alone = time.Time{}, false, false
		} else {
			if alone && g.claim() {
				return nil, nil
			}
			received := g.stack.Stats.Received.Load()
			g.stack.Solicit()
			answered := g.stack.Probe(startWait)
			switch {
			case !answered && g.knownEpoch() == 0 && g.claim():
				return nil, nil
			case !answered:
				// A node that knows of an active one may be cut off from everything, and the
				// standby may be about to take over: it looks twice, and asks again.
				alone, heard = heard, g.stack.Stats.Received.Load() != received
				takenSince = time.Time{}
			case takenSince.IsZero():
				heard, alone, takenSince = false, false, time.Now()
			case time.Since(takenSince) > startLimit:
				select {
				case <-g.ready: // this node has served before, and waits on
				default:
					return nil, errTaken
				}
			}
		}
		again := askAgain
		if g.isSpare() {
			again = spareAgain
		}
		select {
		case <-g.ctx.Done():
			return nil, g.ctx.Err()
		case <-time.After(again):
		}
	}
}

// answer is what a peer said.
type answer struct {
	link  *link
	hello *replpb.Hello
	err   error
}

// ask asks every peer once. It returns a link to the active node if that one
// takes us, and says whether there is a peer to wait for.
func (g *Group) ask() (active *link, wait bool, err error) {
	ctx, cancel := context.WithTimeout(g.ctx, askTimeout)
	defer cancel()
	answers := make(chan answer, len(g.cfg.Peers))
	for _, peer := range g.cfg.Peers {
		go func() { answers <- g.askPeer(ctx, peer) }()
	}
	for i := range g.cfg.Peers {
		a := <-answers
		switch {
		case incompatible(a.err):
			err = a.err
			continue
		case a.err != nil:
			continue // not there
		case a.hello.Node == g.id:
			// ourselves
		case a.hello.Role == replpb.Role_ROLE_ACTIVE && !a.hello.Busy && a.hello.Epoch >= g.knownEpoch():
			g.setRole(replpb.Role_ROLE_JOINING, a.hello.Epoch)
			g.wg.Go(func() { // the active node is waiting; a peer that does not answer must not hold us up
				for range len(g.cfg.Peers) - 1 - i {
					if a := <-answers; a.link != nil {
						a.link.close()
					}
				}
			})
			return a.link, false, nil
		case a.hello.Role != replpb.Role_ROLE_STARTING:
			wait = true
			if a.hello.Role == replpb.Role_ROLE_ACTIVE && a.hello.Epoch >= g.knownEpoch() {
				g.setSpare(a.hello.Epoch)
			}
		default:
			wait = g.noteRival(a.hello.Node) || wait
		}
		a.link.close()
	}
	return nil, wait || g.outranked(), err
}

func (g *Group) askPeer(ctx context.Context, peer string) answer {
	c, err := g.cfg.Transport.Dial(ctx, peer)
	if err != nil {
		return answer{err: err}
	}
	l, err := newLink(ctx, c, g.cfg.Keys, false)
	if err != nil {
		return answer{err: err}
	}
	hello, err := l.hello(ctx, g.hello())
	if err != nil {
		l.close()
		return answer{err: fmt.Errorf("%s: %w", peer, err)}
	}
	return answer{link: l, hello: hello}
}

// hello describes this node as it is now.
func (g *Group) hello() *replpb.Hello {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &replpb.Hello{
		Version: Version, Group: g.cfg.Group, Node: g.id, Role: g.role, Epoch: g.epoch,
		Busy: g.session.Load() != nil,
	}
}

func (g *Group) knownEpoch() uint64 {
	_, epoch, _ := g.state()
	return epoch
}

// noteRival takes note of a node that is starting too. It says whether that one goes first.
func (g *Group) noteRival(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rivals[id] = time.Now()
	return id < g.id
}

// outranked says that a node that is starting too goes first.
func (g *Group) outranked() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.outrankedLocked()
}

func (g *Group) outrankedLocked() bool {
	for id, heard := range g.rivals {
		if time.Since(heard) > rivalMemory {
			delete(g.rivals, id)
		} else if id < g.id {
			return true
		}
	}
	return false
}

// claim makes this node active unless it has heard of one that goes first. Together
// with accept, which answers under the same lock, this decides between nodes
// that start at the same moment.
func (g *Group) claim() bool {
	g.mu.Lock()
	if g.outrankedLocked() || g.ctx.Err() != nil {
		g.mu.Unlock()
		return false
	}
	// A group that starts anew must outrank what a node that was only paused
	// remembers of an earlier life; hence the date.
	epoch := max(g.epoch+1, uint64(time.Now().Unix()))
	g.sureUntil.Store(alwaysSure)
	g.setRoleLocked(replpb.Role_ROLE_ACTIVE, epoch)
	g.mu.Unlock()
	g.stack.Activate()
	return true
}

// accept answers other nodes, until the listener is closed.
func (g *Group) accept() {
	for {
		c, err := g.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || g.ctx.Err() != nil {
				return
			}
			g.log.Warn("ftcp: accepting a link", "err", err)
			select {
			case <-time.After(askAgain): // out of file descriptors, perhaps
				continue
			case <-g.ctx.Done():
				return
			}
		}
		g.wg.Go(func() { g.welcome(c) })
	}
}

// welcome answers one node, which becomes the standby if this one is active and has none.
func (g *Group) welcome(c net.Conn) {
	ctx, cancel := context.WithTimeout(g.ctx, askTimeout)
	defer cancel()
	l, err := newLink(ctx, c, g.cfg.Keys, true)
	if err != nil {
		g.log.Warn("ftcp: refused a link", "from", c.RemoteAddr(), "err", err)
		return
	}
	ours := g.hello()
	theirs, err := l.hello(ctx, ours)
	if err != nil {
		g.log.Warn("ftcp: refused a link", "from", c.RemoteAddr(), "err", err)
		l.close()
		return
	}
	if theirs.Node == g.id {
		l.close()
		return
	}
	if theirs.Role == replpb.Role_ROLE_STARTING || theirs.Role == replpb.Role_ROLE_JOINING {
		g.noteRival(theirs.Node)
	}
	switch {
	case g.outrankedBy(theirs): // see lookForRival
		l.close()
		g.fence(theirs.Epoch)
	case ours.Role == replpb.Role_ROLE_ACTIVE && !ours.Busy && theirs.Role == replpb.Role_ROLE_STARTING:
		g.lead(l, theirs)
	case theirs.Role == replpb.Role_ROLE_STARTING:
		l.close()
		g.standbyGaveUp(theirs)
	default:
		l.close()
	}
}
