package oracle

import (
	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// maxWalk bounds the search for overtaken messages past others. Beyond it an inversion may be missed, and never invented.
const maxWalk = 64

// overtake marks the messages that the first delivery of seq overtook: its predecessors in order that the group has not got and
// that were confirmed before seq was sent. The walk ends at one that was delivered or overtaken, because what is before it was
// looked at then; unless something was passed over then, which had not been promised.
func (j *Judge) overtake(t *track, s *share, seq uint64, m *sent, p *sentPage, e *history.Event) {
	at, rec := seq, m
	passed, again := false, false // something was passed over now, or was by an earlier walk
	for steps := 0; steps < maxWalk; {
		before, ok := j.predecessor(at, rec)
		if !ok {
			break
		}
		prev, page := t.find(before)
		if prev == nil || prev.flags&sentInvoked == 0 {
			break
		}
		promised := page.before(prev, p, m)
		if promised && at == seq {
			j.counts.OrderedPairs++
		}
		r := s.record(before)
		if r.deliveries > 0 && r.flags&gotOpen == 0 || r.flags&gotOvertaken != 0 && r.deliveries == 0 && !again {
			break
		}
		switch {
		case r.deliveries > 0:
			steps++
			again = true
		case r.flags&gotOvertaken != 0:
			steps++
		case promised: // once a message, so that these steps need no limit
			r.flags |= gotOvertaken
			j.blame(t.id, before, e, s.group)
		default:
			steps++
			passed = true
		}
		at, rec = before, prev
	}
	if passed {
		s.record(seq).flags |= gotOpen
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
