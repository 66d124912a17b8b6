package replication

import (
	"hash/fnv"
	"time"

	"github.com/ftcp-project/ftcp/replication/reign"
	"github.com/ftcp-project/ftcp/stack"
	"github.com/ftcp-project/ftcp/wire"
)

// Presence: what nodes say of themselves on the service network. A query has a nonce, which its
// answer repeats, so that an answer is no older than the question. A beacon is of unknown age:
// of it only what grows is heeded.

// beaconEvery is how often an active node says that it serves.
const beaconEvery = time.Second

// maxAskers bounds the table. Only nodes that know the secret are in it.
const maxAskers = 64

// presence is this node's statement as a message.
func (g *Group) presence(kind wire.PresenceKind) wire.Presence {
	g.mu.Lock()
	s, record, member := g.machine.Statement(g.now()), g.machine.Record(), g.machine.Member()
	g.mu.Unlock()
	return wire.Presence{
		Kind: kind, Role: uint8(s.Role), Standby: member, Deaf: s.Deaf, Slot: slotHash(g.self.Slot),
		Incarnation: g.self.Incarnation, Lineage: s.Reign.Lineage, Epoch: s.Reign.Epoch,
		Revision: record.Revision, Reigned: uint64(s.Reigned / time.Millisecond),
	}
}

func slotHash(slot string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(slot))
	return h.Sum64()
}

// broadcast says something on all networks.
func (g *Group) broadcast(p wire.Presence) {
	b := p.Append(nil, &g.key)
	for _, l := range g.stack.Links() {
		l.SendPresence(wire.Broadcast, b)
	}
}

// query asks all nodes on the service network.
func (g *Group) query(value uint64) {
	p := g.presence(wire.PresenceQuery)
	p.Nonce = value
	g.broadcast(p)
}

// announcePresence says that this node serves now.
func (g *Group) announcePresence() { g.broadcast(g.presence(wire.PresenceBeacon)) }

// beacon says from time to time that this node serves, so that one which begins to serve without
// having heard of it does so soon.
func (g *Group) beacon() {
	t := time.NewTicker(beaconEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-g.ctx.Done():
			return
		}
		if g.role() == reign.Active && g.stack.Active() {
			g.announcePresence()
		}
	}
}

// inputPresence heeds a message. It is called from the goroutine that reads the network.
func (g *Group) inputPresence(l *stack.Link, from wire.MAC, payload []byte) {
	p, err := wire.ParsePresence(payload, &g.key)
	if err != nil || p.Incarnation == g.self.Incarnation || p.To != 0 && p.To != g.self.Incarnation || !g.Started() {
		return // of another group, most likely
	}
	s := reign.Statement{
		From: reign.Member{Incarnation: p.Incarnation}, Role: reign.Role(p.Role),
		Reign:   reign.Reign{Lineage: p.Lineage, Epoch: p.Epoch},
		Reigned: time.Duration(p.Reigned) * time.Millisecond, Full: true, Deaf: p.Deaf,
	}
	asked := time.Duration(-1)
	switch p.Kind {
	case wire.PresenceQuery:
		answer := g.presence(wire.PresenceAnswer)
		answer.To, answer.Nonce = p.Incarnation, p.Nonce
		l.SendPresence(from, answer.Append(nil, &g.key))
		g.noteAsker(p, asker{l, from, p.Nonce})
	case wire.PresenceAnswer, wire.PresenceVerdict:
		var ok bool
		if asked, ok = g.askedAt(p.Nonce); !ok {
			return // late, or repeated by somebody
		}
		if p.Kind == wire.PresenceVerdict {
			g.post(reign.Verdict{Reign: s.Reign})
			return
		}
	}
	g.post(reign.Said{Statement: s, Asked: asked})
}

// askedAt returns when a nonce was sent that is not too old.
func (g *Group) askedAt(value uint64) (time.Duration, bool) {
	g.asked.mu.Lock()
	defer g.asked.mu.Unlock()
	for _, n := range g.asked.nonces {
		if n.value == value && value != 0 {
			return n.at, true
		}
	}
	return 0, false
}

func (g *Group) noteAsker(p wire.Presence, a asker) {
	g.asked.mu.Lock()
	defer g.asked.mu.Unlock()
	if g.asked.askers == nil || len(g.asked.askers) >= maxAskers {
		g.asked.askers = map[uint64]asker{}
	}
	g.asked.askers[p.Incarnation] = a
}

// pronounce tells a node that its lineage has lost, in answer to its latest question. One that
// has not asked yet will.
func (g *Group) pronounce(to uint64) {
	g.asked.mu.Lock()
	a, ok := g.asked.askers[to]
	delete(g.asked.askers, to)
	g.asked.mu.Unlock()
	if !ok {
		g.announcePresence()
		return
	}
	p := g.presence(wire.PresenceVerdict)
	p.To, p.Nonce = to, a.nonce
	a.link.SendPresence(a.mac, p.Append(nil, &g.key))
}

// quietAfter is how long the service network may be silent before its stations, and the other
// nodes, are asked for a sign that it can be heard.
const quietAfter = 200 * time.Millisecond

// listen asks for a sign of the service network if that has been silent for a while. Both nodes of
// a pair do: what one of them hears, the other one could hear too.
func (g *Group) listen(p reign.Port) {
	if now := g.now(); now-max(p.Heard, g.listened) > quietAfter && g.mirror.Paired() {
		g.listened = now
		g.query(newLineage())
		g.stack.Solicit()
	}
}

// port is what this node knows of its port to the service network.
func (g *Group) port() reign.Port {
	h := g.stack.Health()
	p := reign.Port{Known: true, Carrier: h.Carrier, Heard: -1}
	if !h.Heard.IsZero() {
		p.Heard = max(h.Heard.Sub(g.start), 0)
	}
	return p
}

func (g *Group) role() reign.Role {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.machine.Role()
}
