package oracle

import (
	"math"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

func (j *Judge) invoke(e *history.Event) {
	id := &e.Identity
	if (!j.runSet || id.Run != j.run) && !j.ours(id) {
		j.wrong("sends of another run (a history is of one run)")
		return
	}
	if e.Name != "" {
		j.forward(e)
		return
	}
	t := j.hot[slot(id)]
	if t == nil || !t.is(id) {
		t = j.openTrack(id)
	}
	seq := id.Seq
	if seq > t.next && seq >= t.limit() {
		j.wrong("sends far beyond their track's sequence (numbers are dense, from 0)")
		return
	}
	p := t.at(seq)
	if p == nil {
		p = j.makePage(t, seq)
	}
	j.counts.Attempts++
	if len(j.faults.list) > 0 {
		j.faults.sending()
	}
	r := &p.sent[seq&pageMask]
	switch {
	case r.flags&sentInvoked != 0:
		before := r.state()
		r.begin()
		t.came(before, r.state())
	case e.Outcome == queue.OK: // found in the queue
		j.firstSend(t, p, r, e)
		r.flags |= sentOK
		r.confirmed = r.invoked
		if j.byPartition {
			j.confirmLane(t, p, r, e)
		}
		t.tally[queue.OK]++
		j.confirm(t, seq, e.At)
		return
	default:
		j.firstSend(t, p, r, e)
		r.open = 1
		t.tally[queue.Unknown]++
	}
	j.attempt(t, e)
	if e.Outcome != queue.Unknown { // told at once
		j.ended(t, seq, r, p, e)
	}
}

// attempt notes that a send is under way.
func (j *Judge) attempt(t *track, e *history.Event) {
	if !j.sends.waiting || j.open == 0 {
		j.sends.attempt(e.At, j.open == 0 && e.Attempt <= 1)
	}
	if !t.watch.waiting || t.open == 0 {
		t.watch.attempt(e.At, t.open == 0 && e.Attempt <= 1)
	}
	j.open++
	t.open++
}

// firstSend reads that a message is sent for the first time.
func (j *Judge) firstSend(t *track, p *page, r *sent, e *history.Event) {
	seq := e.Identity.Seq
	i := int(seq & pageMask)
	if i >= p.top {
		p.top = i + 1
	}
	r.flags |= sentInvoked
	r.at, r.chain, r.invoked = e.At, e.Back, p.place(j.events)
	if seq >= t.next {
		t.next = seq + 1
	}
	if j.careful || t.early > 0 || t.client == "" {
		j.firstSendOdd(t, p, e)
	}
	if j.byPartition { // it is not known yet which
		r.flags |= sentRoot
		return
	}
	// The usual case of link.
	if before, ok := predecessor(seq, e.Back, j.byProducer); ok && before>>pageBits == p.number {
		prev := &p.sent[before&pageMask]
		if prev.flags&(sentOld|sentFollowed|sentLinked) == sentLinked {
			prev.flags |= sentFollowed
			t.chains[prev.chain]++
			r.chain = prev.chain
			if r.flags |= sentLinked; p.before(prev, p, r) {
				r.flags |= sentPromised
			}
			return
		}
	}
	j.link(t, p, seq, r)
}

// firstSendOdd notes what is not noted of every message.
func (j *Judge) firstSendOdd(t *track, p *page, e *history.Event) {
	if j.config.Contract.MaxDelay > 0 {
		p.keepIntended(e.Identity.Seq, e.Intended)
	}
	if t.early > 0 {
		j.tellEarly(p, e)
	}
	if t.client == "" {
		t.client = e.Client
	}
}

// begin counts a send that is under way.
func (s *sent) begin() {
	if s.open == math.MaxUint8 { // too many to count: it stays in doubt
		s.flags |= sentUnknown
	} else {
		s.open++
	}
}

// tellEarly judges the deliveries of a message that came before it was told that it was sent: what came before it is not known then.
func (j *Judge) tellEarly(p *page, e *history.Event) {
	for number, g := range p.got {
		if g == nil {
			continue
		}
		r := &g.records[e.Identity.Seq&pageMask]
		if r.deliveries == 0 {
			continue
		}
		g.arrived(r.at)
		if j.config.Contract.Order != NoOrder {
			j.unordered++
		}
		switch {
		case !j.careful:
		case p.stale: // when it came is not kept
			j.untimed++
		case r.at-e.Intended > int64(j.config.Contract.MaxDelay):
			j.found(Late, Window{e.Intended, r.at}, &e.Identity, j.list[number])
		}
	}
}

// forward reads that a message is sent to another topic than that of its identity, or what came of that: a dead letter, or a
// bridge. It changes nothing of what is known of its own send. As long as it is not known whether it got there, a message that
// is missing may be there.
func (j *Judge) forward(e *history.Event) {
	var r *sent
	if t := j.track(&e.Identity); t != nil {
		if p := j.find(t, e.Identity.Seq); p != nil {
			r = &p.sent[e.Identity.Seq&pageMask]
		}
	}
	switch {
	case r == nil || r.flags&sentInvoked == 0:
		j.wrong("forwards of messages that were never sent")
	case e.Kind == history.Invoke && r.flags&sentForward != 0:
		r.flags |= sentForwardLost // two at once: whose outcome comes is not told
	case e.Kind == history.Invoke:
		r.flags |= sentForward
	default:
		r.flags &^= sentForward
		if e.Outcome == queue.Unknown {
			r.flags |= sentForwardLost
		}
	}
}

// maxReserve bounds a reservation: it lets numbers be received that the history does not tell of.
const maxReserve = 1 << 20

func (j *Judge) reserve(e *history.Event) {
	if !j.ours(&e.Identity) {
		j.wrong("reservations of another run (a history is of one run)")
		return
	}
	t := j.openTrack(&e.Identity)
	if e.Value < 0 || e.Value > maxReserve || e.Identity.Seq >= t.limit() {
		j.wrong("reservations that cannot be (numbers are dense, from 0)")
		return
	}
	t.reserved = max(t.reserved, e.Identity.Seq+uint64(e.Value))
}

func (p *page) keepIntended(seq uint64, at int64) {
	if p.intended == nil {
		p.intended = make([]int64, pageSize)
	}
	p.intended[seq&pageMask] = at
}

func (j *Judge) outcome(e *history.Event) {
	if !j.ours(&e.Identity) {
		j.wrong("outcomes of another run (a history is of one run)")
		return
	}
	if e.Name != "" {
		j.forward(e)
		return
	}
	t, seq := j.track(&e.Identity), e.Identity.Seq
	var r *sent
	var p *page
	if t != nil {
		if p = j.find(t, seq); p != nil {
			r = &p.sent[seq&pageMask]
		}
	}
	if r == nil || r.flags&sentInvoked == 0 {
		j.wrong("outcomes of messages that were never sent")
		return
	}
	j.ended(t, seq, r, p, e)
}

// ended reads what came of a send.
func (j *Judge) ended(t *track, seq uint64, r *sent, p *page, e *history.Event) {
	before := r.state()
	if r.open > 0 {
		r.open--
		j.open--
		t.open--
	} else if r.flags&sentUnknown == 0 {
		j.wrong("outcomes without a send")
	}
	switch e.Outcome {
	case queue.OK:
		if r.flags&sentOK == 0 {
			r.flags |= sentOK
			r.confirmed = p.place(j.events)
			if j.byPartition {
				j.confirmLane(t, p, r, e)
			}
			j.confirm(t, seq, e.At)
		} else {
			j.confirmed(t, e.At)
		}
	case queue.Failed:
		r.flags |= sentFailed
		j.sends.miss(e.At)
		t.watch.miss(e.At)
	default:
		r.flags |= sentUnknown
		j.sends.miss(e.At)
		t.watch.miss(e.At)
	}
	t.came(before, r.state())
}

// confirmed reads that a send was confirmed.
func (j *Judge) confirmed(t *track, at int64) {
	j.sends.success(at, j.open > 0)
	t.watch.success(at, t.open > 0)
	j.phase.acked()
}

// confirm is confirmed for the first time of a message.
func (j *Judge) confirm(t *track, seq uint64, at int64) {
	j.sends.success(at, j.open > 0)
	t.watch.success(at, t.open > 0)
	j.phase.acked()
	j.ackedAt = at
	if j.drains > 0 {
		for _, g := range j.list {
			j.refute(g, "messages were acked")
		}
	}
	if seq < t.acked {
		return
	}
	t.acked = seq + 1
	if t.waiting == t.readers {
		return
	}
	for _, s := range t.shares {
		if s != nil && s.reads && !s.waiting && t.acked > s.delivered {
			s.wait()
			s.group.gaps.want(at)
			j.faults.await(s.group)
		}
	}
}
