package oracle

import (
	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// maxWalk bounds the search for overtaken messages past ones whose order was not promised. Beyond it an inversion may be
// missed, and never invented.
const maxWalk = 64

// overtake marks the messages that the first delivery of seq overtook: its predecessors in order that the group has not got.
// The walk ends at the first one that was delivered or walked over, whose own predecessors were looked at then.
func (j *Judge) overtake(t *track, s *share, seq uint64, m *sent, p *sentPage, e *history.Event) {
	at, rec := seq, m
	for step := 0; step < maxWalk; {
		before, ok := j.predecessor(at, rec)
		if !ok {
			return
		}
		prev, page := t.find(before)
		if prev == nil || prev.flags&sentInvoked == 0 {
			return
		}
		promised := page.before(prev, p, m)
		if promised && at == seq {
			j.counts.OrderedPairs++
		}
		r := s.record(before)
		if r.deliveries > 0 || r.flags&gotWalked != 0 {
			return
		}
		if promised {
			r.flags |= gotOvertaken | gotWalked
			j.blame(t.id, before, e, s.group)
		} else {
			step++
		}
		at, rec = before, prev
	}
}

// predecessor returns the message before this one, in the order that the contract promises; by key if it promises none.
func (j *Judge) predecessor(seq uint64, m *sent) (uint64, bool) {
	back := uint64(m.back)
	if j.config.Contract.Order == OrderProducer {
		back = 1
	}
	return seq - back, back > 0 && back <= seq
}

// blame lets a message that was overtaken answer with the hit on the one that overtook it.
func (j *Judge) blame(id queue.Track, seq uint64, e *history.Event, g *group) {
	over := j.faults.hits[hitKey{e.Identity.Track(), e.Identity.Seq}]
	if len(over) == 0 {
		return
	}
	key := hitKey{id, seq}
	for _, h := range over {
		if h.verb == "reorder" && h.usable(g) {
			j.faults.hits[key] = append(j.faults.hits[key], h)
		}
	}
}
