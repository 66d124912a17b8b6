package replication

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ftcp-project/ftcp/replication/peerlink"
	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack/errno"
	"github.com/ftcp-project/ftcp/wire/replpb"
)

// askTimeout is how long a peer's answer over a link may take.
const askTimeout = 500 * time.Millisecond

// round asks all peers at the same time, over links and on the service network, and ends with
// RoundOver.
func (g *Group) round() {
	began := g.now()
	value := newLineage()
	g.asked.mu.Lock()
	g.asked.nonces[g.asked.round%len(g.asked.nonces)] = nonce{value, began}
	g.asked.round++
	for _, p := range g.peers {
		if !p.asking && !p.self {
			p.asking = true
			g.wg.Go(func() { g.askPeer(p) })
		}
	}
	g.asked.mu.Unlock()
	heard := time.Now()
	for range 2 { // one of them may be lost
		half := time.After(roundTime / 2)
		g.query(value)
		g.stack.Solicit()
		if g.role() == reign.Starting && g.stack.Probe(roundTime/2) {
			g.post(reign.Stranger{}) // unless a statement says who it is
		}
		select {
		case <-half:
		case <-g.ctx.Done():
			return
		}
	}
	over := g.findings(began)
	over.Heard = g.stack.Health().Heard.After(heard)
	g.post(over)
}

// findings is what the calls have found, as far as they are over.
func (g *Group) findings(began time.Duration) reign.RoundOver {
	g.asked.mu.Lock()
	defer g.asked.mu.Unlock()
	over := reign.RoundOver{AllGone: true}
	var failed error
	for _, p := range g.peers {
		switch fresh := p.asked >= began-4*roundTime && p.asked > 0; {
		case p.self:
		case fresh && p.refused:
			if p.at != 0 {
				over.Refused = append(over.Refused, p.at)
			}
		default:
			over.AllGone = false
			if p.before != 0 {
				over.Replaced = append(over.Replaced, p.before)
			}
			if p.err != nil {
				failed = p.err
			}
		}
	}
	if failed != nil {
		g.incompatible(failed)
	}
	return over
}

// incompatible ends the search for a role: this node can never join that one. One that has found
// its role says it once.
func (g *Group) incompatible(err error) {
	g.mu.Lock()
	starting := g.machine.Role() == reign.Starting && !g.settled
	g.mu.Unlock()
	if starting {
		g.fail(err)
		return
	}
	if !g.asked.refusal[err.Error()] && len(g.asked.refusal) < 100 {
		if g.asked.refusal == nil {
			g.asked.refusal = map[string]bool{}
		}
		g.asked.refusal[err.Error()] = true
		g.notes.Warn("ftcp: a peer cannot work with this node", "err", err)
	}
}

// askPeer calls a peer once.
func (g *Group) askPeer(p *peer) {
	began := g.now()
	ctx, cancel := context.WithTimeout(g.ctx, askTimeout)
	defer cancel()
	link, theirs, err := g.call(ctx, p.address)
	g.asked.mu.Lock()
	p.asking, p.asked, p.err = false, began, nil
	p.refused = errors.Is(err, errno.ConnRefused)
	if peerlink.Incompatible(err) {
		p.err = err
	}
	if theirs != nil {
		p.self = theirs.member.Incarnation == g.self.Incarnation
		p.found(theirs.member.Incarnation)
	}
	self := p.self
	g.asked.mu.Unlock()
	switch {
	case theirs == nil:
	case self:
		link.Close()
	default:
		g.events.push(event{
			Event: reign.Said{Statement: theirs.statement(), Asked: began, Link: true},
			link:  link, hello: theirs,
		})
	}
}

func (g *Group) call(ctx context.Context, address string) (*peerlink.Link, *helloOf, error) {
	c, err := g.cfg.Transport.Dial(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	link, err := peerlink.Client(ctx, c, g.cfg.Keys)
	if err != nil {
		return nil, nil, err
	}
	hello, err := link.Hello(ctx, g.hello())
	if err != nil {
		link.Close()
		return nil, nil, fmt.Errorf("%s: %w", address, err)
	}
	return link, newHelloOf(hello), nil
}

// welcome heeds a node that has called this one.
func (g *Group) welcome(link *peerlink.Link, theirs *replpb.Hello) {
	h := newHelloOf(theirs)
	if h.member.Incarnation == g.self.Incarnation {
		link.Close()
		return
	}
	g.placed(link.RemoteAddr(), h.member)
	g.events.push(event{Event: reign.Said{Statement: h.statement(), Asked: g.now()}})
	if h.role != reign.Starting {
		link.Close()
		return
	}
	g.events.push(event{Event: reign.Linked{Peer: h.member}, link: link, hello: h})
}

// placed takes note of where a node is that has called this one, if it can only be at one of the
// peers' places.
func (g *Group) placed(from net.Addr, m reign.Member) {
	host, _, err := net.SplitHostPort(from.String())
	if err != nil {
		return
	}
	g.asked.mu.Lock()
	defer g.asked.mu.Unlock()
	var there []*peer
	for _, p := range g.peers {
		if p.address == m.Slot {
			there = []*peer{p}
			break
		}
		if h, _, err := net.SplitHostPort(p.address); err == nil && h == host {
			there = append(there, p)
		}
	}
	if len(there) == 1 && !there[0].self {
		there[0].found(m.Incarnation)
	}
}

// refusedLink is told of links that were refused.
func (g *Group) refusedLink(from net.Addr, err error) {
	if g.ctx.Err() == nil {
		g.notes.Warn("ftcp: refused a link", "from", from, "err", err)
	}
}

// hello describes this node as it is now.
func (g *Group) hello() *replpb.Hello {
	g.mu.Lock()
	s, record := g.machine.Statement(g.now()), g.machine.Record()
	g.mu.Unlock()
	return &replpb.Hello{
		Version: peerlink.Version, Oldest: peerlink.Oldest, Group: g.cfg.Group,
		Member: &replpb.Member{Slot: g.self.Slot, Incarnation: g.self.Incarnation},
		Role:   replpb.Role(s.Role),
		Reign:  &replpb.Reign{Lineage: s.Reign.Lineage, Epoch: s.Reign.Epoch, Revision: record.Revision},
		Deaf:   s.Deaf, Full: s.Full, ReignedMs: s.Reigned.Milliseconds(), Settings: g.mirror.Settings(),
	}
}
