package oracle

import (
	"math"

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

type frontPage struct {
	records [pageSize]front
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
func (j *Judge) judgeOrder(t *track, s *share, seq uint64, m *sent, p *sentPage, e *history.Event) {
	root := j.link(t, seq)
	if m.flags&sentPromised != 0 {
		j.counts.OrderedPairs++
	}
	if m.flags&sentFollowed != 0 && m.confirmed != 0 {
		j.judgeOvertaken(s, root, seq, m, p, e)
	}
	switch {
	case root == seq: // nothing comes before it
	case m.invoked == math.MaxUint32:
		j.unordered++
	default:
		s.advance(root, front{p.base + int64(m.invoked), seq}, j.moved(e, s.group))
	}
}

func (j *Judge) judgeOvertaken(s *share, root, seq uint64, m *sent, p *sentPage, e *history.Event) {
	if m.confirmed == math.MaxUint32 {
		j.unordered++
		return
	}
	confirmed := p.base + int64(m.confirmed)
	passed, untold := s.front(root).passed(seq, confirmed)
	by := s.struck[root]
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

// front returns the front of a chain.
func (s *share) front(root uint64) front {
	p := s.fronts.get(root)
	if p == nil {
		return front{}
	}
	return p.records[root&pageMask]
}

// advance makes f the front of its chain, if it was sent later than the one there is.
func (s *share) advance(root uint64, f front, moved bool) {
	if moved {
		if s.struck == nil {
			s.struck = make(map[uint64]front)
		}
		if f.sent > s.struck[root].sent {
			s.struck[root] = f
		}
		return
	}
	p := s.fronts.get(root)
	if p == nil {
		p = s.fronts.add(root)
	}
	if r := &p.records[root&pageMask]; f.sent > r.sent {
		*r = f
	}
}

// link returns the first message of the chain: that from which the message is reached step by step, each to the next of the
// same key, or to the next of all under order producer. Each message is linked once, with all before it that are not yet.
func (j *Judge) link(t *track, seq uint64) (root uint64) {
	at := seq
	for {
		m, _ := t.find(at)
		if m.flags&sentLinked != 0 {
			root = at - uint64(m.back)
			break
		}
		root = at
		before, ok := j.config.Contract.predecessor(at, m.back)
		if !ok {
			break
		}
		prev, _ := t.find(before)
		if prev == nil || prev.flags&sentInvoked == 0 || prev.flags&sentFollowed != 0 || seq-before > math.MaxUint32 {
			j.unordered++ // its place in the chain is not told, or is another's: it begins a new one
			break
		}
		at = before
	}
	if seq-root > math.MaxUint32 {
		j.unordered++
		root = seq
	}
	for m, p := t.find(seq); m.flags&sentLinked == 0; {
		before, _ := j.config.Contract.predecessor(seq, m.back)
		m.back = uint32(seq - root)
		m.flags |= sentLinked
		if seq == root {
			break
		}
		prev, page := t.find(before)
		prev.flags |= sentFollowed
		if page.before(prev, p, m) {
			m.flags |= sentPromised
		}
		seq, m, p = before, prev, page
	}
	return root
}

// predecessor returns the message before this one, in the order that the contract promises; by key, which is back, if it
// promises none.
func (c Contract) predecessor(seq uint64, back uint32) (uint64, bool) {
	if c.Order == OrderProducer {
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
