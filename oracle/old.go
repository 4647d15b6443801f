package oracle

import (
	"math"
	"slices"

	"github.com/havoqlab/havoq/queue"
)

// oldSent is what is left of a page on the producer's side.
type oldSent struct {
	at    int64     // the first invoke
	odd   []uint16  // the messages that are not usual, see pack; nil: there are none
	delay *[2]int64 // the bounds of the intended times, if a delay is judged
	top   uint16    // one past the highest index used; 0: nothing is known of the page
}

// oldGot is what is left of a page in one group.
type oldGot struct {
	at    int64 // the first delivery
	to    int64 // the last first delivery
	odd   []uint16
	claim uint32 // of the deliveries, if it is the same of all
	told  bool   // false: nothing was got
}

// The usual message was sent once and confirmed; it was delivered, worked on and acked once.
const (
	usualSent = uint64(sentInvoked | sentOK)
	usualGot  = uint64(gotAck|gotWork) | 1<<8 | 1<<16
)

func (s *sent) pack() uint64 { return uint64(s.flags&sentKept) | uint64(s.open)<<16 }

func (s *sent) unpack(state uint64, old *oldSent) {
	*s = sent{flags: uint16(state) & sentKept, open: uint8(state >> 16)}
	if s.flags&sentInvoked == 0 {
		return
	}
	s.flags |= sentOld
	s.at, s.invoked = old.at, math.MaxUint32
	if s.flags&sentOK != 0 {
		s.confirmed = math.MaxUint32
	}
}

func (r *got) pack() uint64 {
	return uint64(r.flags) | uint64(r.deliveries)<<8 | uint64(r.processed)<<16 | uint64(r.doubled)<<24
}

func (r *got) unpack(state uint64, at int64) {
	*r = got{flags: uint8(state), deliveries: uint8(state >> 8), processed: uint8(state >> 16), doubled: uint8(state >> 24)}
	if !r.nothing() {
		r.at = at
	}
}

// What explains that a message is missing is told when its page is given up, while its times are known: nothing, or one of the
// faults by number.
const (
	faultUntold = iota
	faultNone
	faultFirst
)

const faultShift = 32

// claimRun is a run of messages that were delivered in one claim, up to an index.
type claimRun struct {
	end   int
	claim uint32
}

// pack keeps the states of a page's messages in few words, nil if all are usual and of one claim: the claims, the most frequent
// state, and for each other state the indexes of its messages. So a message that is lost costs two bytes, and what its page
// costs in all.
func pack(states []uint64, usual uint64, claims []claimRun) []uint16 {
	if len(claims) <= 1 && !slices.ContainsFunc(states, func(s uint64) bool { return s != usual }) {
		return nil
	}
	type class struct {
		state uint64
		n     int
	}
	var classes []class
	at := -1
	for _, s := range states {
		if at < 0 || classes[at].state != s {
			if at = slices.IndexFunc(classes, func(c class) bool { return c.state == s }); at < 0 {
				at = len(classes)
				classes = append(classes, class{state: s})
			}
		}
		classes[at].n++
	}
	slices.SortStableFunc(classes, func(a, b class) int { return b.n - a.n })
	size := 1 + 3*len(claims) + 3
	for _, c := range classes[1:] {
		size += 4 + c.n
	}
	odd := make([]uint16, 0, size)
	if len(claims) == 1 {
		claims = nil
	}
	odd = append(odd, uint16(len(claims)))
	for _, c := range claims {
		odd = append(odd, uint16(c.end), uint16(c.claim), uint16(c.claim>>16))
	}
	word := func(s uint64) { odd = append(odd, uint16(s), uint16(s>>16), uint16(s>>faultShift)) }
	word(classes[0].state)
	for _, c := range classes[1:] {
		word(c.state)
		odd = append(odd, uint16(c.n))
		for i, s := range states {
			if s == c.state {
				odd = append(odd, uint16(i))
			}
		}
	}
	return odd
}

// unpack is the inverse of pack.
func unpack(odd []uint16, states []uint64, usual uint64) (claims []claimRun) {
	if odd != nil {
		for n := odd[0]; n > 0; n-- {
			claims = append(claims, claimRun{int(odd[1]), uint32(odd[2]) | uint32(odd[3])<<16})
			odd = odd[3:]
		}
		usual, odd = word(odd[1:]), odd[4:]
	}
	for i := range states {
		states[i] = usual
	}
	for len(odd) > 0 {
		state, n := word(odd), odd[3]
		for _, i := range odd[4 : 4+n] {
			states[i] = state
		}
		odd = odd[4+n:]
	}
	return claims
}

// stateAt is the state of one message in what pack made.
func stateAt(odd []uint16, index uint16, usual uint64) uint64 {
	if odd == nil {
		return usual
	}
	odd = odd[1+3*int(odd[0]):]
	usual, odd = word(odd), odd[3:]
	for len(odd) > 0 {
		n := odd[3]
		if _, is := slices.BinarySearch(odd[4:4+n], index); is {
			return word(odd)
		}
		odd = odd[4+n:]
	}
	return usual
}

func word(w []uint16) uint64 {
	return uint64(w[0]) | uint64(w[1])<<16 | uint64(w[2])<<faultShift
}

// compact keeps what must be kept of a page that is given up.
func (j *Judge) compact(p *page) {
	t := p.track
	old := j.compactSent(p)
	if p.stale {
		t.old[p.number] = old
	} else {
		t.old = append(t.old, old)
	}
	for _, s := range t.shares {
		if s == nil {
			continue
		}
		r := p.of(s.group)
		if r == nil {
			if !s.reads || uint64(len(s.old)) > p.number && !s.old[p.number].told {
				continue
			}
			r = &j.blank
		}
		for uint64(len(s.old)) <= p.number {
			s.old = append(s.old, oldGot{})
		}
		s.old[p.number] = j.compactGot(p, s, r)
	}
}

func (j *Judge) compactSent(p *page) oldSent {
	old := oldSent{at: math.MaxInt64, top: uint16(p.top)}
	usual := true
	for i := range p.sent[:p.top] {
		m := &p.sent[i]
		if m.flags&sentLinked != 0 {
			p.track.leave(m.chain)
		}
		usual = usual && m.flags&sentKept == sentInvoked|sentOK && m.open == 0
		if m.at < old.at && m.flags&sentInvoked != 0 {
			old.at = m.at
		}
	}
	if !usual {
		for i := range p.sent[:p.top] {
			j.states[i] = p.sent[i].pack()
		}
		old.odd = pack(j.states[:p.top], usualSent, nil)
	}
	if p.intended != nil || p.stale && p.hi != 0 {
		lo, hi := p.bounds()
		old.delay = &[2]int64{lo, hi}
	}
	return old
}

// bounds are the bounds of the times at which the page's messages were meant to be sent.
func (p *page) bounds() (lo, hi int64) {
	lo, hi = math.MaxInt64, math.MinInt64
	if p.stale {
		lo, hi = p.lo, p.hi
	}
	for i := range p.sent[:p.top] {
		if m := &p.sent[i]; p.intended != nil && m.flags&(sentInvoked|sentOld) == sentInvoked {
			lo, hi = min(lo, p.intended[i]), max(hi, p.intended[i])
		}
	}
	return lo, hi
}

func (j *Judge) compactGot(p *page, s *share, r *reads) oldGot {
	if first := &r.records[0]; r.earliest != 0 && first.done() && first.deliveries > 0 && r.alike(p.top) {
		old := oldGot{told: true, at: r.earliest, to: r.latest(p.top), claim: first.claim}
		if state := first.pack(); state != usualGot {
			old.odd = []uint16{0, uint16(state), uint16(state >> 16), 0}
		}
		return old
	}
	old := oldGot{told: true, at: math.MaxInt64}
	inner, outer := int64(math.MaxInt64), int64(-1)
	claims, run := j.claims[:0], uint32(0)
	for i := p.top - 1; i >= 0; i-- {
		m, g := &p.sent[i], &r.records[i]
		state := g.pack()
		if !g.done() && m.flags&sentInvoked != 0 && m.state() != queue.Failed {
			if outer < 0 {
				outer = p.behind(s.group)
			}
			state |= uint64(j.blameMissing(p, i, r, s, min(inner, outer))) << faultShift
		}
		j.states[i] = state
		if g.nothing() {
			continue
		}
		old.at, old.to = min(old.at, g.at), max(old.to, g.at, r.last)
		if g.deliveries > 0 && m.flags&sentInvoked != 0 {
			inner = min(inner, g.at)
		}
		if len(claims) == 0 || g.claim != run {
			run = g.claim
			claims = append(claims, claimRun{i + 1, run})
		}
	}
	slices.Reverse(claims)
	j.claims = claims
	if len(claims) > 0 {
		old.claim = claims[0].claim
	}
	old.odd = pack(j.states[:p.top], usualGot, claims)
	return old
}

// latest is the last first delivery.
func (r *reads) latest(top int) int64 {
	last := r.last
	for i := range r.records[:top] {
		if at := r.records[i].at; at > last {
			last = at
		}
	}
	return last
}

// alike says that of all messages the same is known.
func (r *reads) alike(top int) bool {
	first := &r.records[0]
	for i := range r.records[:top] {
		g := &r.records[i]
		if g.flags != first.flags || g.deliveries != first.deliveries || g.processed != first.processed || g.doubled != first.doubled ||
			g.claim != first.claim {
			return false
		}
	}
	return true
}

// all is the state of all messages of a page; false: they differ.
func all(odd []uint16, usual uint64) (state uint64, alike bool) {
	if odd == nil {
		return usual, true
	}
	n := 1 + 3*int(odd[0])
	return word(odd[n:]), len(odd) == n+3
}

// behind is the first delivery, in the group, of a message of a later page.
func (p *page) behind(g *group) int64 {
	first := int64(math.MaxInt64)
	for n := max(p.number+1, p.track.first); n-p.track.first < uint64(len(p.track.pages)); n++ {
		if q := p.track.pages[n-p.track.first]; q != nil {
			if r := q.of(g); r != nil && r.earliest != 0 {
				first = min(first, r.earliest)
			}
		}
	}
	return first
}

// blameMissing says what explains that a message is missing.
func (j *Judge) blameMissing(p *page, i int, r *reads, s *share, later int64) uint16 {
	if r.faults != nil && r.faults[i] != faultUntold {
		return r.faults[i]
	}
	if later == math.MaxInt64 {
		return faultUntold // what came later was never sent
	}
	m, g := &p.sent[i], &r.records[i]
	number := j.faults.number(j.faults.during(missing(m, g, s.group, later), j.config.SettleTime))
	if number < 0 {
		return faultNone
	}
	return uint16(min(number+faultFirst, math.MaxUint16))
}

// revive brings back a page that was given up.
func (j *Judge) revive(t *track, number uint64) *page {
	p := j.newPage(t, number)
	if t.back == nil {
		t.back = make(map[uint64]*page)
	}
	t.back[number] = p
	j.restoreSent(p, &t.old[number])
	for _, s := range t.shares {
		if s != nil && uint64(len(s.old)) > number && s.old[number].told {
			j.restoreGot(p.top, j.newReads(p, s.group), &s.old[number])
		}
	}
	return p
}

// restoreSent fills in a cleared page.
func (j *Judge) restoreSent(p *page, old *oldSent) {
	p.stale, p.top = true, int(old.top)
	unpack(old.odd, j.states[:p.top], usualSent)
	for i, s := range j.states[:p.top] {
		p.sent[i].unpack(s, old)
	}
	if old.delay != nil {
		p.lo, p.hi = old.delay[0], old.delay[1]
	}
}

// restoreGot fills in cleared reads.
func (j *Judge) restoreGot(top int, r *reads, old *oldGot) {
	claims := unpack(old.odd, j.states[:top], usualGot)
	r.earliest, r.last = old.at, old.to
	run, n := claimRun{top, old.claim}, 0
	for i, s := range j.states[:top] {
		g := &r.records[i]
		g.unpack(s, old.at)
		if fault := uint16(s >> faultShift); fault != faultUntold {
			if r.faults == nil {
				r.faults = make([]uint16, pageSize)
			}
			r.faults[i] = fault
		}
		for n < len(claims) && (n == 0 || i >= run.end) {
			run = claims[n]
			n++
		}
		if !g.nothing() {
			g.claim = run.claim
		}
	}
}
