package oracle

import (
	"math"
	"slices"

	"github.com/havoqlab/havoq/queue"
)

// Messages are kept in pages of their track's sequence numbers, because a track is dense: a number is an index, and a page
// whose messages are all settled can be given up as a whole.
const (
	pageSize = 4096
	pageMask = pageSize - 1
	// slack is how far beyond what a track has sent or reserved a number may lie and still get a page. What lies further is
	// never sent; without the limit, damaged numbers would cost a page each.
	slack = 1 << 16
	// maxStrangers limits the tracks that are known by deliveries only.
	maxStrangers = 1024
)

// What is known of the sends of a message.
const (
	sentInvoked uint16 = 1 << iota
	sentOK
	sentUnknown
	sentFailed
	sentForward     // it is on its way to another topic
	sentForwardLost // it may have got to another topic: nobody knows
	sentLinked      // back is the distance to the first of its chain, see link
	sentFollowed    // one of its chain comes after it
	sentPromised    // the one before it was confirmed before this one was first sent
)

// sent is what is known of a message on the producer's side.
type sent struct {
	at        int64  // of the first invoke
	invoked   uint32 // place of the first invoke in the history, see sentPage.place
	confirmed uint32 // place of the first outcome OK
	back      uint32 // to the one before it in its key; once linked, to the first of its chain
	flags     uint16
	open      uint8 // sends without an outcome yet
}

type sentPage struct {
	base     int64   // place of the event that made the page
	intended []int64 // only if a delay is judged
	records  [pageSize]sent
}

// place keeps where in the history an event stands in 32 bits, relative to the page; 0 is nowhere, and the largest is too far
// to tell.
func (p *sentPage) place(event int64) uint32 {
	return uint32(min(event-p.base+1, math.MaxUint32))
}

// before says whether the message a of this page was confirmed before the message b of page q was first sent.
func (p *sentPage) before(a *sent, q *sentPage, b *sent) bool {
	if a.confirmed == 0 || a.confirmed == math.MaxUint32 || b.invoked == math.MaxUint32 {
		return false
	}
	return p.base+int64(a.confirmed) < q.base+int64(b.invoked)
}

// state is what a message came to on the producer's side.
func (s *sent) state() queue.Outcome {
	switch {
	case s.flags&sentOK != 0:
		return queue.OK
	case s.flags&sentUnknown != 0 || s.open > 0 || s.flags&sentFailed == 0:
		return queue.Unknown
	default:
		return queue.Failed
	}
}

// What is known of a message in a group.
const (
	gotAck       uint8 = 1 << iota // an ack of this claim was confirmed
	gotDead                        // dead-lettered
	gotWork                        // the work on it was told, on a delivery from its own topic
	gotDamaged                     // its payload was damaged, and that was counted
	gotElsewhere                   // it came, or was worked on, from another topic than that of its identity
)

// got is what is known of a message in one group. The counters stop at 255.
type got struct {
	at         int64  // of the first delivery
	claim      uint32 // of the last delivery, or of its ack
	flags      uint8
	deliveries uint8
	processed  uint8
	doubled    uint8 // repetitions counted as duplicated
}

type gotPage struct {
	records [pageSize]got
}

// pages is a sparse array of pages that remembers the last one used.
type pages[P any] struct {
	all    map[uint64]*P
	number uint64
	last   *P
}

// get returns the page of seq, or nil.
func (ps *pages[P]) get(seq uint64) *P {
	n := seq / pageSize
	if ps.last != nil && ps.number == n {
		return ps.last
	}
	p := ps.all[n]
	if p != nil {
		ps.number, ps.last = n, p
	}
	return p
}

// add makes the page of seq, which must not exist.
func (ps *pages[P]) add(seq uint64) *P {
	if ps.all == nil {
		ps.all = make(map[uint64]*P)
	}
	p := new(P)
	ps.number, ps.last = seq/pageSize, p
	ps.all[ps.number] = p
	return p
}

// numbers lists the pages in order.
func (ps *pages[P]) numbers() []uint64 {
	ns := make([]uint64, 0, len(ps.all))
	for n := range ps.all {
		ns = append(ns, n)
	}
	slices.Sort(ns)
	return ns
}

// track is one producer's sequence on one stream.
type track struct {
	id       queue.Track
	next     uint64   // one past the highest number sent
	reserved uint64   // one past the highest number reserved
	acked    uint64   // one past the highest number confirmed
	tally    [3]int64 // messages by what they came to, counted event by event
	sent     pages[sentPage]
	shares   []*share // by group
}

// share is what one group got of a track.
type share struct {
	group     *group
	reads     bool   // the group reads the stream, and does not only get forwarded messages of it
	delivered uint64 // one past the highest number delivered
	waiting   bool   // something behind it was confirmed
	got       pages[gotPage]
	fronts    pages[frontPage] // by the first message of the chain
	struck    map[uint64]front // the same, of messages that a hit moved ahead
}

func (t *track) limit() uint64 {
	top := max(t.next, t.reserved)
	if top > math.MaxUint64-slack {
		return math.MaxUint64
	}
	return top + slack
}

// find returns the record of seq and its page, or nil.
func (t *track) find(seq uint64) (*sent, *sentPage) {
	p := t.sent.get(seq)
	if p == nil {
		return nil, nil
	}
	return &p.records[seq&pageMask], p
}

// share returns the group's part of the track, or nil.
func (t *track) share(g *group) *share {
	if g.number >= len(t.shares) {
		return nil
	}
	return t.shares[g.number]
}

// open returns the group's part of the track, and makes it if need be.
func (t *track) open(g *group) *share {
	if s := t.share(g); s != nil {
		return s
	}
	for len(t.shares) <= g.number {
		t.shares = append(t.shares, nil)
	}
	s := &share{group: g}
	t.shares[g.number] = s
	return s
}

// read is open for a group that reads the stream.
func (t *track) read(g *group) *share {
	s := t.open(g)
	s.reads = true
	return s
}

// came counts that a message came to something else than before; first: it is new.
func (t *track) came(first bool, before, now queue.Outcome) {
	if !first {
		t.tally[before]--
	}
	t.tally[now]++
}

// record returns the record of seq, made if need be.
func (s *share) record(seq uint64) *got {
	p := s.got.get(seq)
	if p == nil {
		p = s.got.add(seq)
	}
	return &p.records[seq&pageMask]
}

// count raises a counter that stops at its end.
func count(n *uint8) {
	if *n < math.MaxUint8 {
		*n++
	}
}
