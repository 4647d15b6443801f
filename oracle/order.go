package oracle

import (
	"math"
	"slices"

	"github.com/havoqlab/havoq/history"
)

// Order is judged when a message comes that should have come earlier: it was overtaken if the group has got a later message of
// its chain that was first sent after this one was confirmed. Of all that the group got of a chain, the message that was sent
// last shows that, so that nothing need be searched, however long the chain and whatever of it is still missing.

// front is, of what a group got of a chain, the message that was sent last.
type front struct {
	sent int64 // place of its first invoke in the history; 0: there is none
	seq  uint64
}

// passed says whether a message that was confirmed at a place was overtaken by the front. untold: it cannot be told, because
// the front comes earlier in the chain, and was sent later all the same; it may hide one that overtook.
func (f front) passed(seq uint64, confirmed int64) (passed, untold bool) {
	if f.sent <= confirmed {
		return false, false
	}
	return f.seq > seq, f.seq < seq
}

// judgeOrder judges the first delivery of a message.
func (j *Judge) judgeOrder(s *share, p *page, m *sent, e *history.Event) {
	if m.flags&sentOld != 0 { // what it could have been overtaken by is not known any more
		j.unordered++
		return
	}
	if m.flags&(sentRoot|sentLinked) == 0 {
		j.linkLate(s.track, e.Identity.Seq)
	}
	if m.flags&sentPromised != 0 {
		j.counts.OrderedPairs++
	}
	if m.flags&sentLinked == 0 {
		return // it is alone
	}
	chain := m.chain
	if int(chain) >= len(s.fronts) {
		s.fronts = append(s.fronts, make([]front, int(chain)+1-len(s.fronts))...)
	}
	f := &s.fronts[chain]
	if m.flags&sentFollowed != 0 && m.confirmed != 0 && (f.sent > p.base+int64(m.confirmed) || len(s.struck) > 0) {
		j.judgeOvertaken(s, p, m, e)
	}
	seq, place := e.Identity.Seq, p.base+int64(m.invoked)
	switch {
	case m.flags&sentRoot != 0: // nothing comes before it
	case m.invoked == math.MaxUint32:
		j.unordered++
	case len(j.faults.hits) > 0 && j.moved(e, s.group):
		s.strike(chain, front{place, seq})
	case place > f.sent:
		f.sent, f.seq = place, seq
	}
}

func (j *Judge) judgeOvertaken(s *share, p *page, m *sent, e *history.Event) {
	seq := e.Identity.Seq
	if m.confirmed == math.MaxUint32 {
		j.unordered++
		return
	}
	confirmed := p.base + int64(m.confirmed)
	passed, untold := s.fronts[m.chain].passed(seq, confirmed)
	by := s.struck[m.chain]
	struck, untoldToo := by.passed(seq, confirmed)
	if struck && !passed { // only by what a hit moved: that hit answers for it
		j.blame(by.seq, e, s.group)
	}
	if passed || struck {
		j.found(Reordered, Window{m.at, e.At}, &e.Identity, s.group)
	} else if untold || untoldToo {
		j.unordered++
	}
}

// strike makes f the front of what hits moved ahead in its chain, if it was sent later than the one there is.
func (s *share) strike(chain uint32, f front) {
	if s.struck == nil {
		s.struck = make(map[uint32]front)
	}
	if f.sent > s.struck[chain].sent {
		s.struck[chain] = f
	}
}

// link puts a message into its chain when it is first sent: that of the message before it in its key, or of the one before it
// at all under order producer. If that one was not sent yet, or is not linked, it is done at the first delivery.
func (j *Judge) link(t *track, p *page, seq uint64, m *sent) {
	before, ok := predecessor(seq, m.chain, j.byProducer)
	if !ok {
		m.flags, m.chain = m.flags|sentRoot, 0
		return
	}
	q := p
	if before>>pageBits != p.number {
		q = t.page(before)
	}
	if q == nil {
		if before>>pageBits < t.first {
			j.linkOld(t, before, m)
		}
		return
	}
	prev := &q.sent[before&pageMask]
	switch {
	case prev.flags&sentOld != 0:
		if prev.flags&sentOK != 0 {
			m.flags |= sentPromised
		}
		m.flags, m.chain = m.flags|sentRoot, 0
	case prev.flags&(sentRoot|sentLinked) != 0:
		j.follow(t, prev, q, m, p)
	}
}

// linkOld begins a chain with a message, because everybody has passed the one before it: that one was confirmed before, if ever,
// and can be overtaken no more but by coming late, which is judged then.
func (j *Judge) linkOld(t *track, before uint64, m *sent) {
	if t.oldState(before)&uint64(sentOK) != 0 {
		m.flags |= sentPromised
	}
	m.flags, m.chain = m.flags|sentRoot, 0
}

// follow puts m behind prev.
func (j *Judge) follow(t *track, prev *sent, q *page, m *sent, p *page) {
	if prev.flags&sentFollowed != 0 { // its place in the chain is another's: it begins a new one
		j.unordered++
		m.flags, m.chain = m.flags|sentRoot, 0
		return
	}
	if prev.chain == 0 {
		prev.chain = t.newChain()
	}
	prev.flags |= sentFollowed | sentLinked
	t.chains[prev.chain]++
	m.chain = prev.chain
	m.flags |= sentLinked
	if q.before(prev, p, m) {
		m.flags |= sentPromised
	}
}

// linkLate links a message that could not be linked when it was sent, with all before it that are not linked either.
func (j *Judge) linkLate(t *track, seq uint64) {
	todo := j.stack[:0]
	for at := seq; ; {
		todo = append(todo, at)
		p := t.page(at)
		before, _ := predecessor(at, p.sent[at&pageMask].chain, j.byProducer)
		q := t.page(before)
		if q == nil {
			break
		}
		prev := &q.sent[before&pageMask]
		if prev.flags&sentInvoked == 0 || prev.flags&(sentRoot|sentLinked|sentOld) != 0 {
			break
		}
		at = before
	}
	j.stack = todo
	for _, at := range slices.Backward(todo) {
		p := t.page(at)
		m := &p.sent[at&pageMask]
		if j.link(t, p, at, m); m.flags&sentLinked == 0 {
			// What comes before it is not told, or was told too late: it begins a chain.
			j.unordered++
			m.flags, m.chain = (m.flags|sentRoot)&^sentPromised, 0
		}
	}
}

// newChain makes a chain of one message.
func (t *track) newChain() uint32 {
	if n := len(t.spare); n > 0 {
		chain := t.spare[n-1]
		t.spare = t.spare[:n-1]
		t.chains[chain] = 1
		return chain
	}
	t.chains = append(t.chains, 1)
	return uint32(len(t.chains) - 1)
}

// leave takes a message out of its chain. A chain without messages is used again.
func (t *track) leave(chain uint32) {
	if t.chains[chain]--; t.chains[chain] > 0 {
		return
	}
	for _, s := range t.shares {
		if s != nil && int(chain) < len(s.fronts) {
			s.fronts[chain] = front{}
		}
		if s != nil {
			delete(s.struck, chain)
		}
	}
	t.spare = append(t.spare, chain)
}

// oldState is what is left of a message whose page was given up.
func (t *track) oldState(seq uint64) uint64 {
	old := &t.old[seq>>pageBits]
	if seq&pageMask >= uint64(old.top) {
		return 0
	}
	return stateAt(old.odd, uint16(seq&pageMask), usualSent)
}

// predecessor returns the message before this one, in the order that the contract promises; by key, which is back, if it
// promises none.
func predecessor(seq uint64, back uint32, byProducer bool) (uint64, bool) {
	if byProducer {
		back = 1
	}
	return seq - uint64(back), back > 0 && uint64(back) <= seq
}

// moved says whether a hit moved the delivered message ahead of others.
func (j *Judge) moved(e *history.Event, g *group) bool {
	if len(j.faults.hits) == 0 {
		return false
	}
	for _, h := range j.faults.hits[hitKey{e.Identity.Track(), e.Identity.Seq}] {
		if h.verb == "reorder" && h.usable(g) {
			return true
		}
	}
	return false
}

// blame lets a message that was overtaken answer with the hit on the one that overtook it.
func (j *Judge) blame(over uint64, e *history.Event, g *group) {
	track := e.Identity.Track()
	key := hitKey{track, e.Identity.Seq}
	for _, h := range j.faults.hits[hitKey{track, over}] {
		if h.verb == "reorder" && h.usable(g) {
			j.faults.hits[key] = append(j.faults.hits[key], h)
		}
	}
}
