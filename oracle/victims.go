package oracle

import (
	"iter"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// The self-test looks for its victims among the first messages of a run: this many, in this many events.
const (
	victimWindow = 4096
	victimEvents = 64 * victimWindow
)

// life is what happened to one message early in the run, in one group. Places are counts of events.
type life struct {
	id        queue.Identity
	back      uint32
	invoked   int
	confirmed int
	delivered int
	groups    map[string]int // first deliveries in other groups
	at        int64          // of the delivery
	intended  int64

	sends, oks, others, deliveries, works, acks int
	blind                                       bool // the source of its group sees no deliveries: the work stands for them
	spoilt                                      bool // struck, damaged, or dead-lettered
	used                                        bool // a victim, or the neighbour of one
	prev                                        *life
	next                                        []*life
}

// clean says that exactly the usual things happened to the message.
func (l *life) clean() bool {
	deliveries := 1
	if l.blind {
		deliveries = 0
	}
	return l.sends == 1 && l.oks == 1 && l.others == 0 && l.deliveries == deliveries && l.works == 1 && !l.spoilt
}

// settled says that it was also acked after its delivery.
func (l *life) settled() bool { return l.clean() && l.acks == 1 }

// inOrder says that all messages of its key were delivered on the proper side of it, so that planting in it disturbs nothing.
func (l *life) inOrder() bool {
	for p := l.prev; p != nil; p = p.prev {
		if p.delivered == 0 || p.delivered > l.delivered || p.overtakenBy(l) {
			return false
		}
	}
	return l.before(l.next)
}

// before says that nothing of what came after it by order was delivered earlier.
func (l *life) before(later []*life) bool {
	for len(later) > 0 {
		n := later[0]
		if n.delivered != 0 && n.delivered < l.delivered || l.overtakenBy(n) {
			return false
		}
		later = append(later[1:len(later):len(later)], n.next...)
	}
	return true
}

// overtakenBy says that another message came first in another group: what is planted in the send of one of them would show there.
func (l *life) overtakenBy(o *life) bool {
	for g, at := range o.groups {
		if l.groups[g] > at {
			return true
		}
	}
	return false
}

func (l *life) take() {
	l.used = true
	if l.prev != nil {
		l.prev.used = true
	}
	for _, n := range l.next {
		n.used = true
	}
}

// nursery collects lives in the order of their sends.
type nursery struct {
	contract Contract
	group    string
	blind    bool // no deliveries are seen, only what became of them: an application seen by its effects
	list     []*life
	byID     map[queue.Identity]*life
}

// observe reads the beginning of the run.
func (n *nursery) observe(events iter.Seq[history.Event]) {
	n.byID = make(map[queue.Identity]*life)
	n.chooseGroup(events)
	place := 0
	for e := range events {
		if place++; place > victimEvents {
			break
		}
		l := n.byID[e.Identity]
		if e.Kind == history.Invoke && l == nil && len(n.list) < victimWindow {
			l = &life{blind: n.blind, id: e.Identity, back: e.Back, invoked: place, intended: e.Intended}
			n.byID[e.Identity] = l
			n.list = append(n.list, l)
		}
		if l != nil && (e.Group == "" || e.Group == n.group) {
			l.observe(&e, place)
		} else if l != nil && e.Kind == history.Deliver && l.groups[e.Group] == 0 {
			if l.groups == nil {
				l.groups = make(map[string]int)
			}
			l.groups[e.Group] = place
		}
	}
	for _, l := range n.list {
		n.link(l)
	}
}

// chooseGroup takes the group of the first delivery; where none is seen, that of the first work whose source tells of losses.
func (n *nursery) chooseGroup(events iter.Seq[history.Event]) {
	place := 0
	deaf := make(map[string]bool) // groups whose source does not
	for e := range events {
		if place++; place > victimEvents {
			return
		}
		switch {
		case e.Kind == history.Source && e.Group != "":
			deaf[e.Group] = slices.Contains(strings.Split(e.Detail, history.Blind), Lost)
		case e.Kind == history.Deliver:
			n.group, n.blind = e.Group, false
			return
		case e.Kind == history.Processed && !deaf[e.Group] && !n.blind:
			n.group, n.blind = e.Group, true
		}
	}
}

func (l *life) observe(e *history.Event, place int) {
	switch e.Kind {
	case history.Invoke:
		l.sends++
		if e.Outcome != queue.Unknown {
			l.ended(e, place)
		}
	case history.Outcome:
		l.ended(e, place)
	case history.Deliver:
		if l.deliveries++; l.deliveries == 1 {
			l.delivered, l.at = place, e.At
			if e.Intended != 0 {
				l.intended = e.Intended
			}
		}
		l.spoilt = l.spoilt || e.Damage != history.Sound
	case history.Processed:
		if l.works++; l.blind && l.works == 1 {
			l.delivered, l.at = place, e.At
		}
	case history.Settle:
		if e.Ack && e.Outcome == queue.OK && l.deliveries > 0 {
			l.acks++
		}
	case history.Hit, history.DeadLetter:
		l.spoilt = true
	}
}

func (l *life) ended(e *history.Event, place int) {
	if e.Outcome == queue.OK {
		l.oks++
		l.confirmed = place
	} else {
		l.others++
	}
}

// link finds the message before l in the order that is judged.
func (n *nursery) link(l *life) {
	before, ok := predecessor(l.id.Seq, l.back, n.contract.Order == OrderProducer)
	if !ok {
		return
	}
	id := l.id
	id.Seq = before
	if l.prev = n.byID[id]; l.prev != nil {
		l.prev.next = append(l.prev.next, l)
	} else {
		l.spoilt = true // what came before it is not known
	}
}

// timely says that the message is not late: what was found already would be found no more if it were changed.
func (n *nursery) timely(l *life) bool {
	limit := int64(n.contract.MaxDelay)
	return limit <= 0 || l.at-l.intended <= limit
}

// choose takes one message for which ok holds; nil: there is none.
func (n *nursery) choose(ok func(*life) bool) *life {
	for _, l := range n.list {
		if !l.used && ok(l) && l.inOrder() && n.timely(l) {
			l.take()
			return l
		}
	}
	return nil
}

// pair takes two messages of which the second was sent when the first was confirmed: of one key, or, where the run has none,
// of one track, and then rekey says that the second must be given the key of the first.
func (n *nursery) pair() (first, second *life, rekey bool) {
	fits := func(a, b *life) bool {
		limit := int64(n.contract.MaxDelay)
		return a != nil && a.clean() && b.clean() && n.timely(a) && n.timely(b) && !a.used && !b.used && a.confirmed < b.invoked && a.delivered < b.delivered &&
			a.inOrder() && b.inOrder() && (limit == 0 || b.at-a.intended <= limit)
	}
	for _, b := range n.list {
		if fits(b.prev, b) {
			b.prev.take()
			b.take()
			return b.prev, b, false
		}
	}
	if n.contract.Order == OrderProducer {
		return nil, nil, false
	}
	last := make(map[queue.Track]*life) // the earliest message of the track that would do
	for _, b := range n.list {
		if a := last[b.id.Track()]; b.back == 0 && fits(a, b) {
			a.take()
			b.take()
			return a, b, true
		}
		// Only one that no other follows: a key has no two next ones.
		if a := last[b.id.Track()]; b.clean() && !b.used && len(b.next) == 0 && b.inOrder() && (a == nil || a.used) {
			last[b.id.Track()] = b
		}
	}
	return nil, nil, false
}
