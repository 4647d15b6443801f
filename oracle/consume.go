package oracle

import (
	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// cursor is where the last consumption on a track was: a page in a group. The next one is mostly there, too.
type cursor struct {
	number uint64 // of the page
	group  *group // nil: the cursor is nowhere
	share  *share
	page   *page
	reads  *reads
}

// spot finds what a message's consumption concerns; nil if anything about it is out of the ordinary.
func (j *Judge) spot(e *history.Event) (*cursor, *got) {
	id := &e.Identity
	t := j.hot[slot(id)]
	if t == nil || !t.is(id) {
		return nil, nil
	}
	c, i := &t.cursor, id.Seq&pageMask
	if c.group == nil || c.number != id.Seq>>pageBits || int(i) >= c.page.top || !same(c.group.name, e.Group) || id.Run != j.run ||
		e.Damage != history.Sound || e.Name != "" {
		return nil, nil
	}
	return c, &c.reads.records[i]
}

// seek moves the cursor of a track to a message in a group, and returns what the group has of it. The cursor stays only at groups
// that read the track.
func (j *Judge) seek(t *track, s *share, seq uint64) (*cursor, *got) {
	p := j.keep(t, seq)
	r := j.record(p, s.group, seq)
	c := &t.cursor
	if !s.reads || !j.runSet {
		c = &j.beside
	}
	*c = cursor{p.number, s.group, s, p, p.got[s.group.number]}
	return c, r
}

func (j *Judge) deliver(e *history.Event) {
	j.counts.Deliveries++
	if c, r := j.spot(e); r != nil {
		if j.drains > 0 {
			j.refute(c.group, "it got messages")
		}
		j.came(c, r, e)
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
	c, r := j.seek(t, s, seq)
	if e.Damage == history.CorruptPayload {
		r.flags |= gotDamaged
	}
	if e.Name != "" {
		r.elsewhere(e)
		return
	}
	j.came(c, r, e)
}

// came reads that a message came to the group, from its own topic.
func (j *Judge) came(c *cursor, r *got, e *history.Event) {
	s, g := c.share, c.group
	if r.deliveries == 0 {
		j.first(c, r, e)
	} else {
		j.again(r, g, e)
	}
	count(&r.deliveries)
	r.claim = uint32(e.Claim)
	if e.Identity.Seq >= s.delivered {
		s.delivered = e.Identity.Seq + 1
	}
	if s.waiting && s.track.acked <= s.delivered {
		s.waiting = false
		s.track.waiting--
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
func (j *Judge) first(c *cursor, r *got, e *history.Event) {
	r.at = e.At
	if e.Offset > 0 {
		c.group.positions.got(c.group, e)
	}
	m := &c.page.sent[e.Identity.Seq&pageMask]
	if m.flags&sentInvoked == 0 {
		c.share.track.early++
		return // judged at the end, or when it is told
	}
	if c.reads.earliest == 0 {
		c.reads.earliest = e.At
	}
	if j.careful && !c.group.untimed {
		j.judgeDelay(m, c.page, e, c.group)
	}
	switch {
	case c.group.unordered:
	case j.byPartition:
		j.judgePartition(c.share, c.page, m, e)
	case m.flags&(sentLinked|sentOld) != 0 || m.flags&sentRoot == 0:
		j.judgeOrder(c.share, c.page, m, e)
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
func (j *Judge) consumed(e *history.Event) (*cursor, *got) {
	if c, r := j.spot(e); r != nil {
		return c, r
	}
	g := j.group(e.Group)
	if g == nil {
		return nil, nil
	}
	if e.Damage == history.CorruptEnvelope || e.Damage == history.Foreign {
		j.strange(g, e)
		return nil, nil
	}
	if j.runSet && e.Identity.Run != j.run {
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
	return j.seek(t, j.reader(t, g, e), e.Identity.Seq)
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
	c, r := j.consumed(e)
	if r == nil {
		return
	}
	g := c.group
	if g.gaps.waiting {
		g.gaps.sign(e.At)
	}
	switch {
	case e.Name != "":
		r.elsewhere(e)
	case r.deliveries == 0 && g.sourced: // nobody will tell of the delivery: the work shows that it came
		j.came(c, r, e)
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
			if work := e.At - r.at; work > g.work {
				g.work = work
			}
		}
		return
	}
	j.workedAgain(r, &c.page.sent[e.Identity.Seq&pageMask], g, e)
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
	_, r := j.consumed(e)
	if r == nil || !e.Ack || e.Outcome != queue.OK || e.Name != "" {
		return
	}
	if e.Claim != 0 && uint32(e.Claim) != r.claim {
		return // of an older claim: the newer one's delivery is not acked by it
	}
	r.flags |= gotAck
}

func (j *Judge) deadLetter(e *history.Event) {
	if _, r := j.consumed(e); r != nil {
		r.flags |= gotDead
	}
}
