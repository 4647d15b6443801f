package oracle

import (
	"math"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

func (j *Judge) invoke(e *history.Event) {
	if !j.ours(&e.Identity) {
		j.wrong("sends of another run (a history is of one run)")
		return
	}
	if e.Name != "" {
		j.forward(e)
		return
	}
	t, seq := j.openTrack(e.Identity.Track()), e.Identity.Seq
	if seq >= t.limit() {
		j.wrong("sends far beyond their track's sequence (numbers are dense, from 0)")
		return
	}
	r, p := t.find(seq)
	if p == nil {
		p = t.sent.add(seq)
		p.base = j.events
		r = &p.records[seq&pageMask]
	}
	j.counts.Attempts++
	if f := j.faults.last(); f != nil {
		f.sent = true
	}
	first, before := r.flags&sentInvoked == 0, r.state()
	if first {
		r.flags |= sentInvoked
		r.at, r.back, r.invoked = e.At, e.Back, p.place(j.events)
		t.next = max(t.next, seq+1)
		j.keepIntended(p, seq, e)
	}
	if r.open == math.MaxUint8 { // too many to count: it stays in doubt
		r.flags |= sentUnknown
	} else {
		r.open++
	}
	t.came(first, before, r.state())
	j.sends.attempt(e.At, j.open == 0 && e.Attempt <= 1)
	j.open++
}

// forward reads that a message is sent to another topic than that of its identity, or what came of that: a dead letter, or a
// bridge. It changes nothing of what is known of its own send. As long as it is not known whether it got there, a message that
// is missing may be there.
func (j *Judge) forward(e *history.Event) {
	var r *sent
	if t := j.track(e.Identity.Track()); t != nil {
		r, _ = t.find(e.Identity.Seq)
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
	t := j.openTrack(e.Identity.Track())
	if e.Value < 0 || e.Value > maxReserve || e.Identity.Seq >= t.limit() {
		j.wrong("reservations that cannot be (numbers are dense, from 0)")
		return
	}
	t.reserved = max(t.reserved, e.Identity.Seq+uint64(e.Value))
}

func (j *Judge) keepIntended(p *sentPage, seq uint64, e *history.Event) {
	if j.config.Contract.MaxDelay <= 0 {
		return
	}
	if p.intended == nil {
		p.intended = make([]int64, pageSize)
	}
	p.intended[seq&pageMask] = e.Intended
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
	t, seq := j.track(e.Identity.Track()), e.Identity.Seq
	var r *sent
	var p *sentPage
	if t != nil {
		r, p = t.find(seq)
	}
	if r == nil || r.flags&sentInvoked == 0 {
		j.wrong("outcomes of messages that were never sent")
		return
	}
	before := r.state()
	if r.open > 0 {
		r.open--
		j.open--
	} else if r.flags&sentUnknown == 0 {
		j.wrong("outcomes without a send")
	}
	switch e.Outcome {
	case queue.OK:
		j.confirm(t, seq, r, p, e.At)
	case queue.Failed:
		r.flags |= sentFailed
		j.sends.miss(e.At)
	default:
		r.flags |= sentUnknown
		j.sends.miss(e.At)
	}
	t.came(false, before, r.state())
}

func (j *Judge) confirm(t *track, seq uint64, r *sent, p *sentPage, at int64) {
	j.sends.success(at, j.open > 0)
	j.phase.acked()
	if r.flags&sentOK != 0 {
		return
	}
	r.flags |= sentOK
	r.confirmed = p.place(j.events)
	for _, g := range j.list {
		g.refute("messages were acked")
	}
	if seq < t.acked {
		return
	}
	t.acked = seq + 1
	for _, s := range t.shares {
		if s != nil && s.reads && !s.waiting && t.acked > s.delivered {
			s.waiting = true
			s.group.waiting++
			s.group.gaps.want(at)
			j.faults.await(s.group)
		}
	}
}
