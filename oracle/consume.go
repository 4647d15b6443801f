package oracle

import (
	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// spot finds what a message's consumption concerns; r is nil if anything about it is out of the ordinary.
func (j *Judge) spot(e *history.Event) (s *share, p *page, r *got) {
	id, g := &e.Identity, j.lastGroup
	t := j.hot[slot(id)]
	if t == nil || g == nil || !t.is(id) || id.Run != j.run || !j.runSet || !same(g.name, e.Group) || g.number >= len(t.shares) ||
		e.Damage != history.Sound || e.Name != "" {
		return nil, nil, nil
	}
	s = t.shares[g.number]
	n := id.Seq>>pageBits - t.first
	if s == nil || !s.reads || n >= uint64(len(t.pages)) {
		return nil, nil, nil
	}
	p = t.pages[n]
	if p == nil || g.number >= len(p.got) || int(id.Seq&pageMask) >= p.top {
		return nil, nil, nil
	}
	reads := p.got[g.number]
	if reads == nil {
		return nil, nil, nil
	}
	return s, p, &reads.records[id.Seq&pageMask]
}

func (j *Judge) deliver(e *history.Event) {
	j.counts.Deliveries++
	if s, p, r := j.spot(e); r != nil {
		if j.drains > 0 {
			j.refute(s.group, "it got messages")
		}
		j.came(s, p, r, e)
		return
	}
	j.deliverOdd(e)
}

// deliverOdd reads any delivery.
func (j *Judge) deliverOdd(e *history.Event) {
	g := j.group(e.Group)
	if g == nil {
		return
	}
	here := Window{e.At, e.At}
	if e.Name == "" {
		g.seen = e.At
		j.refute(g, "it got messages")
	}
	switch {
	case e.Damage == history.CorruptEnvelope:
		g.damaged++
		j.found(Corrupted, here, nil, g)
		return
	case e.Damage == history.Foreign, j.runSet && e.Identity.Run != j.run:
		g.foreign++
		j.found(Unexpected, here, nil, g)
		return
	}
	if e.Damage == history.CorruptPayload {
		j.found(Corrupted, here, &e.Identity, g)
	}
	t := j.place(&e.Identity)
	if t == nil {
		j.stranger(&e.Identity)
		j.found(Unexpected, here, &e.Identity, g)
		return
	}
	seq := e.Identity.Seq
	s := j.reader(t, g, e)
	p := j.keep(t, seq)
	r := j.record(p, g, seq)
	if e.Damage == history.CorruptPayload {
		r.flags |= gotDamaged
	}
	if e.Name != "" {
		r.elsewhere(e)
		return
	}
	j.came(s, p, r, e)
}

// came reads that a message came to the group, from its own topic.
func (j *Judge) came(s *share, p *page, r *got, e *history.Event) {
	if r.deliveries == 0 {
		j.first(s, p, r, e)
	} else {
		j.again(r, s.group, e)
	}
	count(&r.deliveries)
	r.claim = uint32(e.Claim)
	t, g := s.track, s.group
	if e.Identity.Seq >= s.delivered {
		s.delivered = e.Identity.Seq + 1
	}
	if s.waiting && t.acked <= s.delivered {
		s.waiting = false
		t.waiting--
		g.waiting--
	}
	g.gaps.success(e.At, g.waiting > 0)
	if len(j.faults.list) > 0 {
		j.faults.await(g)
	}
}

// reader returns the group's part of the track of e. A group that gets a message of a stream reads that stream, unless it got
// it from another topic: of a dead-letter topic's reader nobody expects all that the messages' own topics have.
func (j *Judge) reader(t *track, g *group, e *history.Event) *share {
	s := t.part(g)
	switch {
	case e.Name != "":
		g.elsewhere = true
	case !s.reads:
		j.join(g, t.id.Stream)
	}
	return s
}

// elsewhere notes that the message came, or was worked on, from another topic. That is a copy that somebody sent on: it is not
// late nor out of order, and no repetition of the delivery from its own topic.
func (r *got) elsewhere(e *history.Event) {
	r.flags |= gotElsewhere
	if r.deliveries == 0 && r.at == 0 {
		r.at = e.At
	}
}

// place returns the track of a message that was received, or nil if no such message can have been sent.
func (j *Judge) place(id *queue.Identity) *track {
	if !j.runSet {
		j.heard = id.Run
	}
	t := j.track(id)
	if t == nil {
		if j.strangers == maxStrangers || id.Seq >= slack {
			return nil
		}
		j.strangers++
		t = j.openTrack(id)
	}
	if id.Seq >= t.next && id.Seq >= t.limit() {
		return nil
	}
	return t
}

// first judges the first delivery of a message.
func (j *Judge) first(s *share, p *page, r *got, e *history.Event) {
	r.at = e.At
	if e.Offset > 0 {
		s.group.positions.got(s.group, e)
	}
	m := &p.sent[e.Identity.Seq&pageMask]
	if m.flags&sentInvoked == 0 {
		s.track.early++
		return // judged at the end, or when it is told
	}
	if reads := p.got[s.group.number]; reads.earliest == 0 {
		reads.earliest = e.At
	}
	if j.config.Contract.MaxDelay > 0 {
		j.judgeDelay(m, p, e, s.group)
	}
	switch {
	case j.byPartition:
		j.judgePartition(s, p, m, e)
	case m.flags&(sentLinked|sentOld) != 0 || m.flags&sentRoot == 0:
		j.judgeOrder(s, p, m, e)
	}
}

func (j *Judge) judgeDelay(m *sent, p *page, e *history.Event, g *group) {
	limit := int64(j.config.Contract.MaxDelay)
	intended := e.Intended
	switch {
	case intended != 0:
	case m.flags&sentOld != 0:
		if e.At-p.hi <= limit && e.At-p.lo > limit { // it may be late and may be not
			j.untimed++
			return
		}
		intended = p.hi
	case p.intended != nil:
		intended = p.intended[e.Identity.Seq&pageMask]
	}
	if e.At-intended > limit {
		j.found(Late, Window{intended, e.At}, &e.Identity, g)
	}
}

// again judges a repeated delivery.
func (j *Judge) again(r *got, g *group, e *history.Event) {
	span := Window{r.at, e.At}
	if r.flags&gotAck != 0 && r.claim == uint32(e.Claim) {
		count(&r.doubled)
		j.found(Duplicated, span, &e.Identity, g)
		return
	}
	r.flags &^= gotAck // of an older claim
	j.found(Redelivered, span, &e.Identity, g)
}

// maxFar bounds the numbers kept of messages that cannot have been sent.
const maxFar = 1024

// stranger remembers that a message that cannot have been sent was counted when it came. It says whether it was so already.
func (j *Judge) stranger(id *queue.Identity) bool {
	key := hitKey{id.Track(), id.Seq}
	if j.far[key] || len(j.far) == maxFar {
		return true
	}
	if j.far == nil {
		j.far = make(map[hitKey]bool)
	}
	j.far[key] = true
	return false
}

// consumed returns what the group knows of the message of e; nil if it cannot have been sent, or if the group is not known.
func (j *Judge) consumed(e *history.Event) (s *share, p *page, r *got) {
	if s, p, r = j.spot(e); r != nil {
		return s, p, r
	}
	g := j.group(e.Group)
	if g == nil {
		return nil, nil, nil
	}
	if e.Damage == history.CorruptEnvelope || e.Damage == history.Foreign {
		j.strange(g, e)
		return nil, nil, nil
	}
	if j.runSet && e.Identity.Run != j.run {
		j.wrong("work on messages of another run")
		return nil, nil, nil
	}
	t := j.place(&e.Identity)
	if t == nil {
		if !j.stranger(&e.Identity) {
			j.found(Unexpected, Window{e.At, e.At}, &e.Identity, g)
		}
		return nil, nil, nil
	}
	s = j.reader(t, g, e)
	p = j.keep(t, e.Identity.Seq)
	return s, p, j.record(p, g, e.Identity.Seq)
}

// strange reads the work on a message that is none of this run's, or that nobody can tell. It was counted when it came; where
// its delivery was not told, it is counted now.
func (j *Judge) strange(g *group, e *history.Event) {
	if e.Kind != history.Processed {
		return
	}
	told, anomaly := &g.foreign, Unexpected
	if e.Damage == history.CorruptEnvelope {
		told, anomaly = &g.damaged, Corrupted
	}
	if *told > 0 {
		*told--
		return
	}
	j.found(anomaly, Window{e.At, e.At}, nil, g)
}

func (j *Judge) processed(e *history.Event) {
	s, p, r := j.consumed(e)
	if r == nil {
		return
	}
	g := s.group
	if g.gaps.waiting {
		g.gaps.sign(e.At)
	}
	switch {
	case e.Name != "":
		r.elsewhere(e)
	case r.deliveries == 0 && g.sourced: // nobody will tell of the delivery: the work shows that it came
		j.came(s, p, r, e)
		r.flags |= gotWork
	default:
		r.flags |= gotWork
	}
	if r.deliveries == 0 && r.at == 0 {
		r.at = e.At
	}
	if e.Damage == history.CorruptPayload && r.flags&gotDamaged == 0 {
		r.flags |= gotDamaged
		j.found(Corrupted, Window{r.at, e.At}, &e.Identity, g)
	}
	count(&r.processed)
	if r.processed == 1 {
		if r.deliveries == 1 && e.Name == "" {
			g.work = max(g.work, e.At-r.at)
		}
		return
	}
	j.workedAgain(r, &p.sent[e.Identity.Seq&pageMask], g, e)
}

// workedAgain judges work that was done on a message before.
func (j *Judge) workedAgain(r *got, m *sent, g *group, e *history.Event) {
	j.counts.ProcessedTwice++
	promised := j.config.Contract.Delivery == ExactlyOnce || j.config.Contract.Delivery == AtMostOnce
	untold := r.processed > r.deliveries && r.flags&gotElsewhere == 0
	if (promised || untold) && r.processed-1 > r.doubled {
		count(&r.doubled)
		from := r.at
		if r.deliveries == 0 {
			from = e.At
			if m.flags&sentInvoked != 0 {
				from = m.at
			}
		}
		j.found(Duplicated, Window{from, e.At}, &e.Identity, g)
	}
}

func (j *Judge) settle(e *history.Event) {
	_, _, r := j.consumed(e)
	if r == nil || !e.Ack || e.Outcome != queue.OK || e.Name != "" {
		return
	}
	if e.Claim != 0 && uint32(e.Claim) != r.claim {
		return // of an older claim: the newer one's delivery is not acked by it
	}
	r.flags |= gotAck
}

func (j *Judge) deadLetter(e *history.Event) {
	if _, _, r := j.consumed(e); r != nil {
		r.flags |= gotDead
	}
}
