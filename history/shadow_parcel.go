package history

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/havoqlab/havoq/queue"
)

// parcel is one message that was sent. Its masks have one bit a group.
type parcel struct {
	owner    *parcels
	sending  *sending // its last
	identity queue.Identity
	place    place
	placed   bool
	index    int    // in owner.list
	id       uint64 // of Message.ID; 0: none
	sum      uint32
	attempt  int32
	open     int32 // sends without a result
	state    queue.Outcome
	told     bool // state is what a result said
	got      uint64
	acked    uint64
	worked   uint64
}

// reached counts how far it got: work that was done on it, in any group, before deliveries of it.
func (p *parcel) reached() int {
	return (maxShadowGroups+1)*bits.OnesCount64(p.worked) + bits.OnesCount64(p.got)
}

// sending is a message on its way.
type sending struct{ parcel *parcel }

// exchange lets each of two that are the same stand for the other from now on: when the result of its sending comes, and when it
// is sent again.
func (p *parcel) exchange(q *parcel) {
	p.id, q.id = q.id, p.id
	p.sending, q.sending = q.sending, p.sending
	p.sending.parcel, q.sending.parcel = p, q
}

// place is a position in the broker.
type place struct {
	stream    uint16
	partition int32
	offset    int64
}

// confirmed reports whether the broker has it for sure.
func (p *parcel) confirmed() bool { return p.told && p.state == queue.OK }

// rank orders what a delivery may be: rather what the broker has than what is on its way, what is in doubt, what was refused.
func (p *parcel) rank() int {
	switch {
	case p.confirmed():
		return 0
	case p.open > 0:
		return 1
	case p.state == queue.Unknown:
		return doubtRank
	default:
		return refusedRank
	}
}

const (
	doubtRank   = 2
	refusedRank = 3
)

// settled notes that one of its sends came to an outcome.
func (p *parcel) settled(outcome queue.Outcome) {
	p.open = max(p.open-1, 0)
	if !p.told || outcome == queue.OK || p.state == queue.Failed { // else: a refusal of another attempt clears no doubt
		p.state = outcome
	}
	p.told = true
}

// parcels are all messages that nobody can tell apart: of one ID, or one content. They stand for each other: what is told of
// one of them may be told of another, as long as the number is right.
type parcels struct {
	key    idKey
	list   []*parcel // oldest first; nil: dropped
	alive  int       // of list
	firsts map[firstOf]int
}

// firstOf names a mark of a group: all parcels before the index that belongs to it have the mark.
type firstOf struct {
	what  mark
	group int
}

type mark uint8

const (
	markGot mark = iota
	markAcked
	markWorked
)

func (p *parcel) mask(m mark) *uint64 {
	switch m {
	case markGot:
		return &p.got
	case markAcked:
		return &p.acked
	default:
		return &p.worked
	}
}

// maxLook bounds a search among parcels that are the same.
const maxLook = 1024

// without calls yield for parcels that lack the mark of the group, oldest first, until it returns false.
func (s *parcels) without(m mark, group int, yield func(*parcel) bool) {
	if s.alive == 1 && len(s.list) == 1 { // as most are
		if p := s.list[0]; *p.mask(m)&(1<<group) == 0 {
			yield(p)
		}
		return
	}
	if s.firsts == nil {
		s.firsts = map[firstOf]int{}
	}
	i := s.firsts[firstOf{m, group}]
	for i < len(s.list) && (s.list[i] == nil || *s.list[i].mask(m)&(1<<group) != 0) {
		i++
	}
	s.firsts[firstOf{m, group}] = i
	for end := min(i+maxLook, len(s.list)); i < end; i++ {
		if p := s.list[i]; p != nil && *p.mask(m)&(1<<group) == 0 && !yield(p) {
			return
		}
	}
}

// delivered is the parcel that a delivery to the group is, from a place that is not known: one that it did not get yet, else
// one that it has not acked, else the youngest it got. Nil: there is none.
func (s *parcels) delivered(group int) *parcel {
	var best *parcel
	s.without(markGot, group, func(p *parcel) bool {
		if !p.placed && (best == nil || p.rank() < best.rank()) {
			best = p
		}
		return best == nil || best.rank() > 0
	})
	if best != nil && best.rank() < refusedRank {
		return best
	}
	refused := best
	best = nil
	s.without(markAcked, group, func(p *parcel) bool {
		if p.got&(1<<group) != 0 && !p.placed {
			best = p
		}
		return best == nil
	})
	if best != nil {
		return best
	}
	for i := len(s.list) - 1; i >= max(0, len(s.list)-maxLook); i-- {
		if p := s.list[i]; p != nil && p.got&(1<<group) != 0 && !p.placed {
			return p
		}
	}
	return refused
}

// handled is the parcel that was settled or worked on, where own was delivered. It is own, unless that has the mark already, or
// the broker may not have it: then it is, of what the group got and lacks the mark, what the broker has rather, the oldest first.
func (s *parcels) handled(own *parcel, m mark, group int) *parcel {
	if own.confirmed() && *own.mask(m)&(1<<group) == 0 {
		return own
	}
	var best *parcel
	s.without(m, group, func(p *parcel) bool {
		if p.got&(1<<group) != 0 && (best == nil || p.rank() < best.rank()) {
			best = p
		}
		return best == nil || best.rank() > 0
	})
	if best == nil {
		return own
	}
	return best
}

// add adds p as the youngest.
func (s *parcels) add(p *parcel) {
	p.owner, p.index = s, len(s.list)
	s.list = append(s.list, p)
	s.alive++
}

// drop takes p off the list, and closes the gaps when there are many.
func (s *parcels) drop(p *parcel) {
	if p.index >= len(s.list) || s.list[p.index] != p {
		return
	}
	s.list[p.index] = nil
	s.alive--
	if s.alive > len(s.list)/2 {
		return
	}
	s.firsts = nil
	s.list = slices.DeleteFunc(s.list, func(p *parcel) bool { return p == nil })
	for i, p := range s.list {
		p.index = i
	}
}

// contentKey stands for key and body of a message on a stream.
func contentKey(stream uint16, m *queue.Message) idKey {
	body, key := sha256.Sum256(m.Body), sha256.Sum256([]byte(m.Key))
	var text [2 + 2*sha256.Size]byte
	binary.BigEndian.PutUint16(text[:], stream)
	copy(text[2:], key[:])
	copy(text[2+sha256.Size:], body[:])
	sum := sha256.Sum256(text[:])
	return idKey(sum[:16])
}

// done reports whether nothing more is expected of p by these groups.
func (p *parcel) done(all uint64) bool {
	return p.open == 0 && all != 0 && (p.acked|p.worked)&all == all
}
