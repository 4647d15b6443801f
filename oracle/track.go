package oracle

import (
	"math"
	"slices"

	"github.com/havoqlab/havoq/queue"
)

const (
	// slack is how far beyond what a track has sent or reserved a number may lie and still get a page. What lies further is
	// never sent; without the limit, damaged numbers would cost a page each.
	slack = 1 << 16
	// maxStrangers limits the tracks that are known by deliveries only.
	maxStrangers = 1024
)

// track is one producer's sequence on one stream.
type track struct {
	id     queue.Track
	first  uint64   // number of the first page that is kept in full
	pages  []*page  // from first on; nil: nothing of it was used yet
	shares []*share // by group
	cursor cursor

	next     uint64   // one past the highest number sent
	reserved uint64   // one past the highest number reserved
	acked    uint64   // one past the highest number confirmed
	readers  int      // shares of groups that read it
	waiting  int      // those behind which something was confirmed
	open     int64    // sends without an outcome
	early    int64    // messages that came before it was told that they were sent
	tally    [3]int64 // messages by what they came to, counted event by event
	watch    watch    // of its own confirmed sends
	client   string   // who sent on it, where that is told
	hasty    hasty    // what a merge may take back
	split    int64    // its part of the judge's

	parts  map[int32]*lane  // under order partition
	chains []int32          // messages in open pages, by chain; 0 is none
	spare  []uint32         // chains that are not used
	old    []oldSent        // the pages before first
	back   map[uint64]*page // pages before first that came back
}

// share is what one group got of a track.
type share struct {
	group     *group
	track     *track
	reads     bool   // the group reads the stream, and does not only get forwarded messages of it
	delivered uint64 // one past the highest number delivered
	waiting   bool   // something behind it was confirmed
	old       []oldGot
	fronts    []front          // by chain
	lanes     map[int32]front  // under order partition, by partition
	struck    map[uint32]front // the same, of messages that a hit moved ahead
}

func (t *track) limit() uint64 {
	top := max(t.next, t.reserved)
	if top == 0 { // its sends are perhaps told to another judge: what came is no damage as long as it goes on
		for _, s := range t.shares {
			if s != nil {
				top = max(top, s.delivered)
			}
		}
	}
	if top > math.MaxUint64-slack {
		return math.MaxUint64
	}
	return top + slack
}

// page returns the page of seq if it is kept in full; nil if it is not, or if nothing of it was used yet.
func (t *track) page(seq uint64) *page {
	n := seq >> pageBits
	if i := n - t.first; i < uint64(len(t.pages)) {
		return t.pages[i]
	}
	if n < t.first {
		return t.back[n]
	}
	return nil
}

// share returns the group's part of the track, or nil.
func (t *track) share(g *group) *share {
	if g.number >= len(t.shares) {
		return nil
	}
	return t.shares[g.number]
}

// part returns the group's part of the track, and makes it if need be.
func (t *track) part(g *group) *share {
	if s := t.share(g); s != nil {
		return s
	}
	for len(t.shares) <= g.number {
		t.shares = append(t.shares, nil)
	}
	s := &share{group: g, track: t}
	t.shares[g.number] = s
	return s
}

// read is part for a group that reads the stream.
func (t *track) read(g *group) *share {
	s := t.part(g)
	if !s.reads {
		s.reads = true
		t.readers++
	}
	return s
}

// wait notes that something was confirmed that the group has not got.
func (s *share) wait() {
	s.waiting = true
	s.track.waiting++
	s.group.waiting++
}

// came counts that a message came to something else than before.
func (t *track) came(before, now queue.Outcome) {
	t.tally[before]--
	t.tally[now]++
}

// numbers lists the pages of which something is known, in order.
func (t *track) numbers() []uint64 {
	ns := make([]uint64, 0, len(t.old)+len(t.pages))
	for n := range t.old {
		ns = append(ns, uint64(n))
	}
	for i, p := range t.pages {
		if p != nil {
			ns = append(ns, t.first+uint64(i))
		}
	}
	return ns
}

// sorted lists the tracks in a fixed order.
func (j *Judge) sorted() []*track {
	ts := make([]*track, 0, len(j.tracks))
	for _, t := range j.tracks {
		ts = append(ts, t)
	}
	slices.SortFunc(ts, func(a, b *track) int { return compareTracks(a.id, b.id) })
	return ts
}

func compareTracks(a, b queue.Track) int {
	switch {
	case a.Producer != b.Producer:
		return int(int64(a.Producer) - int64(b.Producer))
	case a.Epoch != b.Epoch:
		return int(a.Epoch) - int(b.Epoch)
	default:
		return int(a.Stream) - int(b.Stream)
	}
}

// hot is the number of tracks that are found without a look into the map.
const hot = 64

func slot(id *queue.Identity) uint32 {
	return (id.Producer + uint32(id.Stream)<<3 + uint32(id.Epoch)<<5) % hot
}

func (t *track) is(id *queue.Identity) bool {
	return t.id.Producer == id.Producer && t.id.Epoch == id.Epoch && t.id.Stream == id.Stream
}

// track returns the track, or nil if it is not known.
func (j *Judge) track(id *queue.Identity) *track {
	if t := j.hot[slot(id)]; t != nil && t.is(id) {
		return t
	}
	return j.coldTrack(id)
}

func (j *Judge) coldTrack(id *queue.Identity) *track {
	t := j.tracks[id.Track()]
	if t != nil {
		j.hot[slot(id)] = t
	}
	return t
}

// openTrack returns the track, made if need be.
func (j *Judge) openTrack(id *queue.Identity) *track {
	if t := j.track(id); t != nil {
		return t
	}
	t := &track{id: id.Track(), chains: make([]int32, 1)}
	j.tracks[t.id] = t
	for _, g := range j.list {
		if g.streams[id.Stream] {
			t.read(g)
		}
	}
	return t
}

// find returns the page of seq, or nil if nothing of it is known.
func (j *Judge) find(t *track, seq uint64) *page {
	p := t.page(seq)
	if p == nil && seq>>pageBits < t.first {
		p = j.revive(t, seq>>pageBits)
	}
	return p
}

// at returns the page of seq if it is the track's own and in full, else nil.
func (t *track) at(seq uint64) *page {
	if i := seq>>pageBits - t.first; i < uint64(len(t.pages)) {
		return t.pages[i]
	}
	return nil
}

// keep is find, and makes the page if need be.
func (j *Judge) keep(t *track, seq uint64) *page {
	if p := t.at(seq); p != nil {
		return p
	}
	return j.makePage(t, seq)
}

func (j *Judge) makePage(t *track, seq uint64) *page {
	p := j.find(t, seq)
	if p == nil {
		p = j.newPage(t, seq>>pageBits)
		if p.number < t.first { // it was passed over when room was made for it
			p.stale = true
			if t.back == nil {
				t.back = make(map[uint64]*page)
			}
			t.back[p.number] = p
			return p
		}
		for i := p.number - t.first; uint64(len(t.pages)) <= i; {
			t.pages = append(t.pages, nil)
		}
		t.pages[p.number-t.first] = p
	}
	return p
}

// record returns what the group has of seq, made if need be.
func (j *Judge) record(p *page, g *group, seq uint64) *got {
	i := seq & pageMask
	if int(i) >= p.top {
		p.top = int(i) + 1
	}
	if r := p.of(g); r != nil {
		return &r.records[i]
	}
	return &j.newReads(p, g).records[i]
}
