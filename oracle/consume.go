package oracle

import (
	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

func (j *Judge) deliver(e *history.Event) {
	j.counts.Deliveries++
	g := j.group(e.Group)
	if g == nil {
		return
	}
	here := Window{e.At, e.At}
	if e.Name == "" {
		g.refute("it got messages")
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
	r := s.record(seq)
	if e.Damage == history.CorruptPayload {
		r.flags |= gotDamaged
	}
	if e.Name != "" {
		r.elsewhere(e)
		return
	}
	if r.deliveries == 0 {
		j.first(t, s, r, e)
	} else {
		j.again(r, g, e)
	}
	count(&r.deliveries)
	r.claim = uint32(e.Claim)
	s.delivered = max(s.delivered, seq+1)
	if s.waiting && t.acked <= s.delivered {
		s.waiting = false
		g.waiting--
	}
	g.gaps.success(e.At, g.waiting > 0)
	j.faults.await(g)
}

// reader returns the group's part of the track of e. A group that gets a message of a stream reads that stream, unless it got
// it from another topic: of a dead-letter topic's reader nobody expects all that the messages' own topics have.
func (j *Judge) reader(t *track, g *group, e *history.Event) *share {
	s := t.open(g)
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
	t := j.track(id.Track())
	if t == nil {
		if j.strangers == maxStrangers || id.Seq >= slack {
			return nil
		}
		j.strangers++
		t = j.openTrack(id.Track())
	}
	if id.Seq >= t.limit() {
		return nil
	}
	return t
}

func (j *Judge) first(t *track, s *share, r *got, e *history.Event) {
	r.at = e.At
	seq := e.Identity.Seq
	m, p := t.find(seq)
	if m == nil || m.flags&sentInvoked == 0 {
		return // judged at the end
	}
	j.judgeDelay(p, seq, e, s.group)
	j.judgeOrder(t, s, seq, m, p, e)
}

func (j *Judge) judgeDelay(p *sentPage, seq uint64, e *history.Event, g *group) {
	limit := j.config.Contract.MaxDelay
	if limit <= 0 {
		return
	}
	intended := e.Intended
	if intended == 0 && p.intended != nil {
		intended = p.intended[seq&pageMask]
	}
	if e.At-intended > int64(limit) {
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

// consumed returns what the group knows of the message of e, or nil if it cannot have been sent.
func (j *Judge) consumed(e *history.Event) (*got, *track) {
	g := j.group(e.Group)
	if g == nil {
		return nil, nil
	}
	if e.Damage == history.CorruptEnvelope || e.Damage == history.Foreign {
		j.strange(g, e)
		return nil, nil
	}
	if !j.runSet || e.Identity.Run != j.run {
		j.wrong("work on messages of another run")
		return nil, nil
	}
	t := j.place(&e.Identity)
	if t == nil {
		if !j.stranger(&e.Identity) {
			j.found(Unexpected, Window{e.At, e.At}, &e.Identity, g)
		}
		return nil, nil
	}
	if e.Kind == history.Processed {
		g.gaps.sign(e.At)
	}
	return j.reader(t, g, e).record(e.Identity.Seq), t
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
	r, t := j.consumed(e)
	if r == nil {
		return
	}
	g := j.group(e.Group)
	if e.Name != "" {
		r.elsewhere(e)
	} else {
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
	j.counts.ProcessedTwice++
	promised := j.config.Contract.Delivery == ExactlyOnce || j.config.Contract.Delivery == AtMostOnce
	untold := r.processed > r.deliveries && r.flags&gotElsewhere == 0
	if (promised || untold) && r.processed-1 > r.doubled {
		count(&r.doubled)
		from := r.at
		if r.deliveries == 0 {
			from = e.At
			if m, _ := t.find(e.Identity.Seq); m != nil {
				from = m.at
			}
		}
		j.found(Duplicated, Window{from, e.At}, &e.Identity, g)
	}
}

func (j *Judge) settle(e *history.Event) {
	r, _ := j.consumed(e)
	if r == nil || !e.Ack || e.Outcome != queue.OK || e.Name != "" {
		return
	}
	if e.Claim != 0 && uint32(e.Claim) != r.claim {
		return // of an older claim: the newer one's delivery is not acked by it
	}
	r.flags |= gotAck
}

func (j *Judge) deadLetter(e *history.Event) {
	if r, _ := j.consumed(e); r != nil {
		r.flags |= gotDead
	}
}
