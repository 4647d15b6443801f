package result

import "github.com/havoqlab/havoq/queue"

// messages remembers of every message that was offered what the timeline and the latencies need: when it was meant to be
// sent, whether it is acked, and for each group whether it was delivered and done. Sequences are dense, so a page of them costs
// about 9 bytes a message. Identities that were never offered make no page: a forged one cannot cost memory.
type messages struct {
	tracks map[queue.Track]*track
	last   *track
	lastID queue.Track
	groups map[string]int

	offered int64
	acked   int64
	// exposedAcked are acked messages of which a send was under way while a fault was in force.
	exposedAcked int64
	done         []int64 // by group: acked messages that are done
}

type track struct {
	pages map[uint64]*page
	last  *page
	index uint64
}

const pageSize = 1024

type bits [pageSize / 64]uint64

func (b *bits) has(i uint64) bool { return b[i/64]&(1<<(i%64)) != 0 }

// set reports whether the bit was clear.
func (b *bits) set(i uint64) bool {
	was := b.has(i)
	b[i/64] |= 1 << (i % 64)
	return !was
}

type page struct {
	intended [pageSize]int64
	offered  bits
	acked    bits
	open     bits // a send of it is under way
	exposed  bits // one was while a fault was in force
	groups   []groupBits
}

type groupBits struct{ delivered, done bits }

func newMessages() *messages {
	return &messages{tracks: map[queue.Track]*track{}, groups: map[string]int{}}
}

// page returns the page of a message; nil if there is none and it is not to be made.
func (m *messages) page(id queue.Identity, make bool) *page {
	t := m.track(id.Track(), make)
	if t == nil {
		return nil
	}
	n := id.Seq / pageSize
	if t.last != nil && t.index == n {
		return t.last
	}
	p := t.pages[n]
	if p == nil {
		if !make {
			return nil
		}
		p = new(page)
		t.pages[n] = p
	}
	t.last, t.index = p, n
	return p
}

func (m *messages) track(id queue.Track, make bool) *track {
	if m.last != nil && m.lastID == id {
		return m.last
	}
	t := m.tracks[id]
	if t == nil {
		if !make {
			return nil
		}
		t = &track{pages: map[uint64]*page{}}
		m.tracks[id] = t
	}
	m.last, m.lastID = t, id
	return t
}

// offer notes a call of Produce and reports whether it is the message's first. exposed: a fault is in force.
func (m *messages) offer(id queue.Identity, intended int64, exposed bool) bool {
	p, i := m.page(id, true), id.Seq%pageSize
	p.open.set(i)
	if exposed {
		p.exposed.set(i)
	}
	if !p.offered.set(i) {
		return false
	}
	p.intended[i] = intended
	m.offered++
	return true
}

// answered notes that a call of Produce has its outcome.
func (m *messages) answered(id queue.Identity) {
	if p, i := m.page(id, false), id.Seq%pageSize; p != nil {
		p.open[i/64] &^= 1 << (i % 64)
	}
}

// expose notes that a fault begins: it meets every send that is under way.
func (m *messages) expose() {
	for _, t := range m.tracks {
		for _, p := range t.pages {
			for i := range p.open {
				p.exposed[i] |= p.open[i]
			}
		}
	}
}

// ack notes a confirmed send. first is false if it was confirmed before, or never offered.
func (m *messages) ack(id queue.Identity) (intended int64, first bool) {
	p, i := m.page(id, false), id.Seq%pageSize
	if p == nil || !p.offered.has(i) || !p.acked.set(i) {
		return 0, false
	}
	m.acked++
	if p.exposed.has(i) {
		m.exposedAcked++
	}
	for g := range p.groups {
		if p.groups[g].done.has(i) {
			m.done[g]++
		}
	}
	return p.intended[i], true
}

// deliver notes a delivery to a group, and reports whether it is the first of an offered message.
func (m *messages) deliver(id queue.Identity, group string) bool {
	g := m.group(id, group)
	return g != nil && g.delivered.set(id.Seq%pageSize)
}

// known reports whether the message was offered.
func (m *messages) known(id queue.Identity) bool {
	p := m.page(id, false)
	return p != nil && p.offered.has(id.Seq%pageSize)
}

// intended is when an offered message was meant to be sent.
func (m *messages) intended(id queue.Identity) int64 {
	if p := m.page(id, false); p != nil {
		return p.intended[id.Seq%pageSize]
	}
	return 0
}

// finish notes that a group has processed or dead-lettered a message, and reports whether that is the first time.
func (m *messages) finish(id queue.Identity, group string) bool {
	g := m.group(id, group)
	if g == nil || !g.done.set(id.Seq%pageSize) {
		return false
	}
	if m.page(id, false).acked.has(id.Seq % pageSize) {
		m.done[m.groups[group]]++
	}
	return true
}

func (m *messages) group(id queue.Identity, group string) *groupBits {
	n, ok := m.groups[group]
	if !ok {
		n = len(m.done)
		m.groups[group] = n
		m.done = append(m.done, 0)
	}
	p := m.page(id, false)
	if p == nil || !p.offered.has(id.Seq%pageSize) {
		return nil
	}
	for len(p.groups) <= n {
		p.groups = append(p.groups, groupBits{})
	}
	return &p.groups[n]
}

// lag is how many acked messages the group that is furthest behind has not finished.
func (m *messages) lag() int64 {
	least := m.acked
	if len(m.done) == 0 {
		least = 0
	}
	for _, n := range m.done {
		least = min(least, n)
	}
	return m.acked - least
}
