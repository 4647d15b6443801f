package oracle

import (
	"math"

	"github.com/havoqlab/havoq/queue"
)

// Messages are kept in pages of their track's sequence numbers, because a track is dense: a number is an index, and a page
// that everybody is done with can be given up as a whole; see old.go.
const (
	pageBits = 11
	pageSize = 1 << pageBits
	pageMask = pageSize - 1
)

// What is known of the sends of a message.
const (
	sentInvoked uint16 = 1 << iota
	sentOK
	sentUnknown
	sentFailed
	sentForward     // it is on its way to another topic
	sentForwardLost // it may have got to another topic: nobody knows
	sentRoot        // it is the first of its chain, see link
	sentLinked      // chain is its chain; else it is the distance back to the one before it in its key
	sentFollowed    // one of its chain comes after it
	sentPromised    // the one before it was confirmed before this one was first sent
	sentOld         // its page was given up once: its times and its place are those of the page
)

// sentKept are the flags that are kept when a page is given up.
const sentKept = sentInvoked | sentOK | sentUnknown | sentFailed | sentForward | sentForwardLost

// sent is what is known of a message on the producer's side.
type sent struct {
	at        int64  // of the first invoke
	invoked   uint32 // place of the first invoke in the history, see page.place
	confirmed uint32 // place of the first outcome OK
	chain     uint32 // see sentLinked
	flags     uint16
	open      uint8 // sends without an outcome yet
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

// nothing says that the group has nothing of the message.
func (r *got) nothing() bool {
	return r.deliveries == 0 && r.processed == 0 && r.flags&gotElsewhere == 0
}

// done says that the message is not missing.
func (r *got) done() bool { return r.processed > 0 || r.flags&gotDead != 0 }

// page is what is known of a span of a track's messages.
type page struct {
	track    *track
	number   uint64
	base     int64    // place of the event that made the page
	top      int      // one past the highest index used
	stale    bool     // it was given up before, and came back because something happened to one of its messages
	intended []int64  // only if a delay is judged
	lo, hi   int64    // stale: the bounds of what intended was
	got      []*reads // by group
	sent     [pageSize]sent
}

// reads is what a group has of a page.
type reads struct {
	earliest int64    // the first first delivery of a message that was sent; 0: none
	last     int64    // stale: the last first delivery
	faults   []uint16 // stale: what explains that a message is missing, see old.go
	records  [pageSize]got
}

// place keeps where in the history an event stands in 32 bits, relative to the page; 0 is nowhere, and the largest is too far
// to tell.
func (p *page) place(event int64) uint32 {
	return uint32(min(event-p.base+1, math.MaxUint32))
}

// before says whether the message a of this page was confirmed before the message b of page q was first sent.
func (p *page) before(a *sent, q *page, b *sent) bool {
	if a.confirmed == 0 || a.confirmed == math.MaxUint32 || b.invoked == math.MaxUint32 {
		return false
	}
	return p.base+int64(a.confirmed) < q.base+int64(b.invoked)
}

// identity is the identity of the message at an index.
func (p *page) identity(run uint32, i int) *queue.Identity {
	t := p.track.id
	return &queue.Identity{Run: run, Producer: t.Producer, Epoch: t.Epoch, Stream: t.Stream, Seq: p.number<<pageBits + uint64(i)}
}

// of returns what the group has of the page, or nil.
func (p *page) of(g *group) *reads {
	if g.number >= len(p.got) {
		return nil
	}
	return p.got[g.number]
}

// arrived notes the first delivery of a message that was sent.
func (r *reads) arrived(at int64) {
	if r.earliest == 0 || at < r.earliest {
		r.earliest = at
	}
}

// count raises a counter that stops at its end.
func count(n *uint8) {
	if *n < math.MaxUint8 {
		*n++
	}
}
