package history

import "github.com/havoqlab/havoq/queue"

// parcelStore remembers what was sent: at most limit messages.
type parcelStore struct {
	limit     int
	all       uint64 // the groups
	known     map[idKey]*parcels
	places    map[place]*parcel
	order     []*parcel // oldest first, from head
	head      int
	count     int
	forgotten int64
	// vague: something was sent or forgotten that is not here, so that what is not known here may have been sent.
	vague bool
}

func newParcelStore(limit int) parcelStore {
	return parcelStore{limit: limit, known: map[idKey]*parcels{}, places: map[place]*parcel{}}
}

// add remembers a message under its key. It reports false if there is no room.
func (t *parcelStore) add(key idKey, p *parcel) bool {
	if !t.room() {
		return false
	}
	s := t.known[key]
	if s == nil {
		s = &parcels{key: key}
		t.known[key] = s
	}
	s.add(p)
	t.count++
	t.order = append(t.order, p)
	return true
}

// lookBack is how many of the oldest are looked at to make room.
const lookBack = 16

// room makes room for one more, and forgets for it the oldest of which nothing more is expected.
func (t *parcelStore) room() bool {
	for tries := 0; t.count >= t.limit; tries++ {
		if tries == lookBack {
			return false
		}
		p := t.order[t.head]
		t.order[t.head] = nil
		t.head++
		if p.done(t.all) {
			t.forget(p)
		} else {
			t.order = append(t.order, p)
		}
		if t.head > len(t.order)/2 {
			t.order = append(t.order[:0], t.order[t.head:]...)
			t.head = 0
		}
	}
	return true
}

func (t *parcelStore) forget(p *parcel) {
	t.unlist(p)
	if p.placed && t.places[p.place] == p {
		delete(t.places, p.place)
	}
	t.count--
	t.forgotten++
	t.vague = true
}

// arrive notes that a result for p came. Where its place is known it is from now on known by that alone. If it is in doubt, what
// was delivered from there was perhaps one that is the same and in doubt, too: then that one waits for the next attempt.
func (t *parcelStore) arrive(p *parcel) {
	if !p.placed || p.open > 0 {
		return
	}
	if q := t.doubtful(p); q != nil && !p.confirmed() {
		p.id, q.id = q.id, p.id
	}
	t.unlist(p)
}

// unlist takes p off its list.
func (t *parcelStore) unlist(p *parcel) {
	p.owner.drop(p)
	if p.owner.alive == 0 {
		delete(t.known, p.owner.key)
	}
}

// put says that p is kept at a place. If it was delivered from another one, that was perhaps one that is the same and in doubt,
// which is then the one that is kept here; else the broker keeps p twice, and that is remembered as long as there is room.
func (t *parcelStore) put(p *parcel, at place) {
	if p.placed && p.place != at {
		if q := t.doubtful(p); q != nil {
			p = q
		}
	}
	if !p.placed {
		p.place, p.placed = at, true
		t.arrive(p)
	} else if len(t.places) >= t.limit {
		return
	}
	t.places[at] = p
}

// told is the parcel that a result is of, where own was sent: of those on their way that are the same, a confirmation is of the
// one that got furthest, and anything else of the one that did not.
func (t *parcelStore) told(own *parcel, outcome queue.Outcome) *parcel {
	best := own
	t.find(own.owner.key, func(p *parcel) bool {
		if p.open == 0 {
			return false
		}
		further := p.reached() - best.reached()
		if best.open == 0 || outcome == queue.OK && further > 0 || outcome != queue.OK && further < 0 {
			best = p
		}
		return false
	})
	return best
}

// toldAt is the parcel that the broker keeps at a place, where own was sent. A delivery may have come from there before: it
// was then taken for one that is the same. Nil: it keeps another message there.
func (t *parcelStore) toldAt(own *parcel, at place) *parcel {
	if there := t.places[at]; there != nil {
		switch {
		case there.open > 0:
			return there
		case own.open > 0 && own.placed && there.owner.key == own.owner.key:
			return own // each was taken for the other
		default:
			return nil
		}
	}
	p := t.toldNew(own)
	t.put(p, at)
	return p
}

// toldNew is the same for a place from which nothing was delivered yet.
func (t *parcelStore) toldNew(own *parcel) *parcel {
	if own.open > 0 && !own.placed {
		return own
	}
	if p := t.find(own.owner.key, func(p *parcel) bool { return p.open > 0 && !p.placed }); p != nil {
		return p
	}
	if own.open > 0 {
		return own // the broker keeps it twice
	}
	if p := t.find(own.owner.key, func(p *parcel) bool { return p.open > 0 }); p != nil {
		return p
	}
	return own
}

// find returns the youngest parcel of the key that is wanted, or nil.
func (t *parcelStore) find(key idKey, wanted func(*parcel) bool) *parcel {
	s := t.known[key]
	if s == nil {
		return nil
	}
	for i := len(s.list) - 1; i >= max(0, len(s.list)-maxLook); i-- {
		if p := s.list[i]; p != nil && wanted(p) {
			return p
		}
	}
	return nil
}

// doubtful is another one than p, but the same, that may have arrived although no result says so. Nil: there is none.
func (t *parcelStore) doubtful(p *parcel) *parcel {
	return t.find(p.owner.key, func(q *parcel) bool { return q != p && !q.placed && q.rank() == doubtRank })
}

// anyOther reports whether a delivery of p may be of another one: one that is the same, and was not refused.
func (t *parcelStore) anyOther(p *parcel) bool {
	return p.owner.alive > 1 && t.find(p.owner.key, func(q *parcel) bool { return q != p && q.rank() != refusedRank }) != nil
}

// sentBefore is the parcel of which a message with this ID is another attempt, or nil.
func (t *parcelStore) sentBefore(key idKey, id uint64) *parcel {
	if id == 0 {
		return nil
	}
	return t.find(key, func(p *parcel) bool { return p.id == id && p.open == 0 && !p.confirmed() })
}
