package oracle

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/havoqlab/havoq/queue"
)

// tracks takes in the tracks of the other judge. Places in the history are compared within a track only, so that a track which
// one of them saw alone is taken as it is.
func (m *merger) tracks() {
	j, o := m.to, m.from
	j.hot = [hot]*track{}
	var both []*track
	for _, t := range o.sorted() {
		mine := j.tracks[t.id]
		switch {
		case mine == nil:
			j.tracks[t.id] = t
		case t.unseen():
			mine.reserved = max(mine.reserved, t.reserved)
		case mine.unseen():
			t.reserved = max(mine.reserved, t.reserved)
			j.tracks[t.id] = t
		default:
			both = append(both, t)
		}
	}
	m.pages()
	for _, t := range both {
		m.unite(j.tracks[t.id], t)
	}
	j.strangers = 0
	for _, t := range j.tracks {
		if t.next == 0 && t.reserved == 0 && j.strangers < maxStrangers {
			j.strangers++
		}
	}
}

// unseen says that nothing is known of the track but its reservations.
func (t *track) unseen() bool { return len(t.pages) == 0 && len(t.old) == 0 }

// pages takes over the pages of the tracks that were taken over.
func (m *merger) pages() {
	j, o := &m.to.memory, &m.from.memory
	var left []*page
	for _, p := range o.queue[o.head:] {
		if m.to.tracks[p.track.id] != p.track {
			left = append(left, p)
			continue
		}
		size := pageBytes
		for _, r := range p.got {
			if r != nil {
				size += readsBytes
			}
		}
		o.used -= size
		j.used += size
		j.push(p)
	}
	o.queue, o.head = left, 0
}

// whole lists the pages that are kept in full.
func (t *track) whole() iter.Seq[*page] {
	return func(yield func(*page) bool) {
		for _, p := range t.pages {
			if p != nil && !yield(p) {
				return
			}
		}
		for _, p := range t.back {
			if !yield(p) {
				return
			}
		}
	}
}

// unite puts together what both saw of one track. u is not used any more.
func (m *merger) unite(t, u *track) {
	m.to.takeBack(t)
	m.from.takeBack(u)
	t.unlink()
	for outcome, n := range u.tally {
		t.tally[outcome] += n
	}
	for _, n := range u.numbers() {
		if q := m.from.find(u, n<<pageBits); q != nil && q.top > 0 {
			m.page(m.to.keep(t, n<<pageBits), q)
		}
	}
	t.next, t.reserved, t.acked = max(t.next, u.next), max(t.reserved, u.reserved), max(t.acked, u.acked)
	t.open += u.open
	t.early += u.early
	t.watch.union(&u.watch)
	t.client = least(t.client, u.client)
	for _, s := range u.shares {
		if s != nil {
			mine := t.part(s.group)
			mine.reads = mine.reads || s.reads
			mine.delivered = max(mine.delivered, s.delivered)
		}
	}
	m.to.split -= t.split
	m.from.split -= u.split
	t.split = t.tally[queue.OK] + t.tally[queue.Unknown] + t.tally[queue.Failed]
	m.to.split += t.split
}

// unlink forgets the order in which the messages of a track were sent and confirmed.
func (t *track) unlink() {
	for p := range t.whole() {
		for i := range p.sent[:p.top] {
			if r := &p.sent[i]; r.flags&sentOld == 0 {
				r.displace()
			}
		}
	}
	t.chains, t.spare, t.parts = make([]int32, 1), nil, nil
	for _, s := range t.shares {
		if s != nil {
			s.fronts, s.lanes, s.struck = nil, nil, nil
		}
	}
}

// displace forgets the place of a message in the history and in its chain.
func (s *sent) displace() {
	if s.flags&sentInvoked == 0 {
		return
	}
	s.flags = s.flags&(sentKept|sentOld) | sentRoot
	s.chain, s.invoked, s.confirmed = 0, math.MaxUint32, 0
	if s.flags&sentOK != 0 {
		s.confirmed = math.MaxUint32
	}
}

// page puts together what both saw of one page.
func (m *merger) page(p, q *page) {
	j := m.to
	p.top = max(p.top, q.top)
	lo, hi := q.bounds()
	for i := range q.sent[:q.top] {
		a, b := &p.sent[i], &q.sent[i]
		if b.flags&sentInvoked == 0 {
			continue
		}
		if j.careful && !p.stale && a.flags&sentInvoked == 0 {
			p.keepIntended(uint64(i), q.meant(i, hi))
		}
		if a.flags&sentInvoked != 0 {
			p.track.tally[a.state()]--
			p.track.tally[b.state()]--
			a.union(b)
			p.track.tally[a.state()]++
		} else {
			*a = *b
			a.flags &^= sentOld
		}
		if p.stale {
			a.flags |= sentOld
		}
		a.displace()
	}
	if p.stale && lo <= hi {
		if p.hi == 0 {
			p.lo = lo
		}
		p.lo, p.hi = min(p.lo, lo), max(p.hi, hi)
	}
	for _, g := range j.list {
		m.reads(p, q, g)
	}
}

// meant is when a message was meant to be sent, or the latest that it can have been.
func (p *page) meant(i int, latest int64) int64 {
	if p.intended == nil || p.sent[i].flags&sentOld != 0 {
		return latest
	}
	return p.intended[i]
}

// union adds what another judge saw of the sends of a message.
func (s *sent) union(o *sent) {
	s.flags |= o.flags & sentKept
	s.at = min(s.at, o.at)
	if open := int(s.open) + int(o.open); open > math.MaxUint8 {
		s.open = math.MaxUint8
		s.flags |= sentUnknown
	} else {
		s.open = uint8(open)
	}
}

// reads puts together what both saw of a group's part of one page.
func (m *merger) reads(p, q *page, g *group) {
	j := m.to
	a, b := p.of(g), q.of(g)
	if b != nil && a == nil {
		a = j.newReads(p, g)
	}
	if a == nil {
		return
	}
	a.earliest = 0
	for i := range p.sent[:p.top] {
		r := &a.records[i]
		if b != nil && i < q.top {
			m.record(p, i, r, &b.records[i], g)
		}
		if r.deliveries > 0 && p.sent[i].flags&sentInvoked != 0 {
			a.arrived(r.at)
		}
	}
	if b != nil {
		a.last = max(a.last, b.last)
	}
	if b != nil && b.faults != nil {
		if a.faults == nil {
			a.faults = make([]uint16, pageSize)
		}
		for i, f := range b.faults {
			a.faults[i] = max(a.faults[i], f)
		}
	}
}

// record puts together what both saw of one message in a group. What was delivered or worked on at both was so again.
func (m *merger) record(p *page, i int, r, o *got, g *group) {
	j := m.to
	both := Window{min(r.at, o.at), max(r.at, o.at)}
	again, worked := r.deliveries > 0 && o.deliveries > 0, r.processed > 0 && o.processed > 0
	r.union(o)
	id := p.identity(j.run, i)
	if again {
		j.repeats++
		j.found(Redelivered, both, id, g)
	}
	if !worked {
		return
	}
	j.counts.ProcessedTwice++
	if d := j.config.Contract.delivery(); d == AtLeastOnce {
		return
	}
	for r.processed-1 > r.doubled {
		count(&r.doubled)
		j.found(Duplicated, both, id, g)
	}
}

// union adds what another judge saw of a message.
func (r *got) union(o *got) {
	switch {
	case o.nothing() && o.flags == 0:
		return
	case r.nothing() && r.flags == 0:
		*r = *o
		return
	}
	ack := (r.flags | o.flags) & gotAck
	switch { // an ack is of a claim
	case r.claim > o.claim && o.deliveries > 0:
		ack = r.flags & gotAck
	case r.claim < o.claim && r.deliveries > 0:
		ack = o.flags & gotAck
	}
	r.claim = max(r.claim, o.claim)
	r.flags = (r.flags|o.flags)&^gotAck | ack
	if r.at == 0 || o.at != 0 && o.at < r.at {
		r.at = o.at
	}
	r.deliveries = sum(r.deliveries, o.deliveries)
	r.processed = sum(r.processed, o.processed)
	r.doubled = sum(r.doubled, o.doubled)
}

// sum adds two counters that stop at their end.
func sum(a, b uint8) uint8 { return uint8(min(int(a)+int(b), math.MaxUint8)) }

// hasty counts what was found of a track's order and delay, because a judge who sees a part may be wrong about it: what
// came before was perhaps told to another one.
type hasty map[hastyKey]int64

type hastyKey struct {
	anomaly, how string
	by           *injected
}

// hastily notes such an anomaly.
func (j *Judge) hastily(anomaly, how string, by *injected, id *queue.Identity) {
	t := j.track(id)
	if t.hasty == nil {
		t.hasty = make(hasty)
	}
	t.hasty[hastyKey{anomaly, how, by}]++
}

// moved replaces the faults.
func (h hasty) moved(as map[*injected]*injected) hasty {
	if h == nil {
		return nil
	}
	to := make(hasty, len(h))
	for key, n := range h {
		if f := as[key.by]; f != nil {
			key.by = f
		}
		to[key] += n
	}
	return to
}

// takeBack takes back what was found of a track's order and delay.
func (j *Judge) takeBack(t *track) {
	for key, n := range t.hasty {
		j.tally[key.anomaly].take(key.how, n)
		if key.by != nil {
			key.by.count(key.anomaly, -n)
		}
	}
	t.hasty = nil
	j.wit.list = slices.DeleteFunc(j.wit.list, func(w Witness) bool {
		return (w.Anomaly == Late || w.Anomaly == Reordered) && w.Message.Track() == t.id
	})
}

func (a *Anomaly) take(how string, n int64) {
	a.Total -= n
	switch how {
	case caused:
		a.Caused -= n
	case during:
		a.During -= n
	default:
		a.Unexplained -= n
	}
}

// comparable says why what was found already would be wrong if the judges were one: what they were told in parts must be judged
// from one history.
func (j *Judge) comparable(o *Judge) error {
	for _, pair := range [][2]*Judge{{j, o}, {o, j}} {
		a, b := pair[0], pair[1]
		if err := errors.Join(a.disproved(b), a.explained(b)); err != nil {
			return fmt.Errorf("%w: merge their histories, and judge that", err)
		}
	}
	return nil
}

// disproved says that a message, which j said nobody can have sent, was sent.
func (j *Judge) disproved(o *Judge) error {
	for key := range j.far {
		if t := o.tracks[key.Track]; t != nil && key.seq < max(t.next, t.reserved) {
			return fmt.Errorf("one of them was told of message %d of %+v so long before it was told of any other that it took it for "+
				"damaged, and the other one knows that it was sent", key.seq, key.Track)
		}
	}
	if len(j.far) < maxFar {
		return nil
	}
	for _, t := range j.sorted() {
		if u := o.tracks[t.id]; j.strangers == maxStrangers || u != nil && !u.unseen() && !t.unseen() {
			return fmt.Errorf("one of them was told of at least %d messages that nobody can have sent, too many to ask the other one", maxFar)
		}
	}
	return nil
}

// explained says that what j found, and a contract forgives if it was caused, may have been caused by a hit of which only the other
// one was told.
func (j *Judge) explained(o *Judge) error {
	if !slices.Contains(j.config.Contract.Forgive, caused) {
		return nil
	}
	for key, hits := range o.faults.hits {
		if j.tracks[key.Track] == nil {
			continue
		}
		for _, anomaly := range []string{Duplicated, Corrupted} {
			n := j.tally[anomaly]
			if n.Total > n.Caused && slices.ContainsFunc(hits, func(h *hit) bool { return h.spent == 0 && allows(h.verb, anomaly) }) {
				return fmt.Errorf("one of them found what is %s in %+v, and only the other one was told of hits there", anomaly, key.Track)
			}
		}
	}
	return nil
}

// apart says why order, lateness or repetitions are not known of a merged history; "" if they are.
func (j *Judge) apart(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %d messages is not known: one of the merged judges saw a part of what happened to them, and another one "+
		"the rest (merge the histories, and judge that)", what, n)
}
