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
	switch {
	case e.Damage == history.CorruptEnvelope:
		j.found(Corrupted, here, nil, g)
		return
	case e.Damage == history.Foreign, j.runSet && e.Identity.Run != j.run:
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
	j.join(g, t.id.Stream)
	s := t.open(g)
	r := s.record(seq)
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
	if r.flags&gotOvertaken != 0 {
		j.found(Reordered, Window{m.at, e.At}, &e.Identity, s.group)
	}
	j.overtake(t, s, seq, m, p, e)
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
	if g == nil || e.Identity == (queue.Identity{}) && j.run != 0 {
		return nil, nil // the message had no readable envelope: it was counted when it came
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
	j.join(g, t.id.Stream)
	return t.open(g).record(e.Identity.Seq), t
}

func (j *Judge) processed(e *history.Event) {
	r, t := j.consumed(e)
	if r == nil {
		return
	}
	count(&r.processed)
	if r.processed == 1 {
		if r.deliveries == 1 {
			g := j.group(e.Group)
			g.work = max(g.work, e.At-r.at)
		}
		return
	}
	j.counts.ProcessedTwice++
	promised := j.config.Contract.Delivery == ExactlyOnce || j.config.Contract.Delivery == AtMostOnce
	if (promised || r.processed > r.deliveries) && r.processed-1 > r.doubled {
		count(&r.doubled)
		from := r.at
		if r.deliveries == 0 {
			from = e.At
			if m, _ := t.find(e.Identity.Seq); m != nil {
				from = m.at
			}
		}
		j.found(Duplicated, Window{from, e.At}, &e.Identity, j.group(e.Group))
	}
}

func (j *Judge) settle(e *history.Event) {
	r, _ := j.consumed(e)
	if r == nil || !e.Ack || e.Outcome != queue.OK {
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
