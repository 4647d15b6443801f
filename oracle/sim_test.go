package oracle_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// sim is a model of producers, a broker with deduplication and consumer groups. It is driven by a string of choices, so that
// rapid can shrink it, and writes the history that a recorder would. Without a bug it keeps every promise: nothing acked is
// lost, what was acked is not delivered again, work is done once, and order is kept per key and per producer.
type sim struct {
	choices []byte
	bug     string
	planted int // how often the bug struck
	target  int // which chance the bug takes

	contract oracle.Contract
	events   []history.Event
	now      int64
	tracks   []*simTrack
	groups   []*simGroup
	attempts []simAttempt // sends without an outcome
	flight   []*simMessage
	stored   map[queue.Identity]bool
	archive  []*simMessage // all that is stored
	faults   []string      // nodes that are down
	chances  int

	confirmed, invoked map[queue.Identity]int // places of the first
}

type simTrack struct {
	id      queue.Identity
	lastKey map[byte]uint64
	retry   []*simMessage // to be tried again
	keys    int
}

type simMessage struct {
	id       queue.Identity
	back     uint32
	attempt  int32
	intended int64
}

type simAttempt struct {
	*simMessage
	track *simTrack
}

type simGroup struct {
	name  string
	log   []*simCopy
	ready []*simCopy // delivered before, and to be delivered again
	hand  []*simCopy // delivered, not settled
	done  map[queue.Identity]bool
	claim int64
}

type simCopy struct {
	*simMessage
	claim int64
}

// next draws one of n; where there is no choice left, the first, which is the usual course of things everywhere.
func (s *sim) next(n int) int {
	if len(s.choices) == 0 || n <= 1 {
		return 0
	}
	c := s.choices[0]
	s.choices = s.choices[1:]
	return int(c) % n
}

func (s *sim) emit(e history.Event) {
	s.now += int64(time.Millisecond)
	e.At = s.now
	if e.Client == "" {
		e.Client = clientOf(&e)
	}
	s.events = append(s.events, e)
	note := func(m map[queue.Identity]int) {
		if e.Name != "" {
			return
		}
		if _, ok := m[e.Identity]; !ok {
			m[e.Identity] = len(s.events)
		}
	}
	switch {
	case s.confirmed == nil: // only events are wanted
	case e.Kind == history.Invoke:
		note(s.invoked)
	case e.Kind == history.Outcome && e.Outcome == queue.OK:
		note(s.confirmed)
	}
}

// clientOf names who records the event: a producer, a consumer group as if it were one client, or nobody of them.
func clientOf(e *history.Event) string {
	switch {
	case e.Group != "":
		return "group " + e.Group
	case e.Kind == history.Invoke || e.Kind == history.Outcome:
		return fmt.Sprint("producer ", e.Identity.Producer)
	default:
		return ""
	}
}

// strikes says whether the bug takes this chance.
func (s *sim) strikes(bug string) bool {
	if s.bug != bug {
		return false
	}
	s.chances++
	if s.chances-1 != s.target {
		return false
	}
	s.planted++
	return true
}

func (s *sim) run() {
	s.stored = make(map[queue.Identity]bool)
	s.confirmed, s.invoked = make(map[queue.Identity]int), make(map[queue.Identity]int)
	producers, groups := 1+s.next(3), 1+s.next(2)
	for i := range producers {
		s.tracks = append(s.tracks, &simTrack{
			id:      queue.Identity{Run: 9, Producer: uint32(i), Epoch: uint16(s.next(2))},
			lastKey: make(map[byte]uint64), keys: 1 + s.next(3),
		})
	}
	for i := range groups {
		s.groups = append(s.groups, &simGroup{name: string(rune('a' + i)), done: make(map[queue.Identity]bool)})
	}
	if s.next(3) == 0 {
		s.kill("n1")
		s.kill("n2")
	}
	for len(s.choices) > 0 {
		s.act()
	}
	for len(s.faults) > 0 {
		s.heal()
	}
	s.finish()
}

func (s *sim) kill(node string) {
	s.faults = append(s.faults, node)
	s.emit(history.Event{Kind: history.FaultBegin, Name: "kill", Node: node, Detail: "kill " + node})
	s.emit(history.Event{Kind: history.FaultSeen, Name: "kill", Node: node, Value: 1})
}

func (s *sim) heal() {
	s.emit(history.Event{Kind: history.HealSeen, Name: "kill", Node: s.faults[0]})
	s.faults = s.faults[1:]
}

func (s *sim) act() {
	t, g := s.tracks[s.next(len(s.tracks))], s.groups[s.next(len(s.groups))]
	switch s.next(8) {
	case 0, 1:
		for range 1 + s.next(6)/2 { // a batch: all of it is sent before the first answer
			s.send(t)
		}
	case 2, 3:
		s.answer()
	case 4, 5:
		s.deliver(g)
	case 6:
		s.settle(g)
	default:
		s.odd(g)
	}
}

// send tries a message: a new one, or again.
func (s *sim) send(t *simTrack) {
	var m *simMessage
	if len(t.retry) > 0 {
		m, t.retry = t.retry[0], t.retry[1:]
	} else {
		key := byte(s.next(t.keys))
		m = &simMessage{id: t.id, intended: s.now}
		if last, ok := t.lastKey[key]; ok {
			m.back = uint32(t.id.Seq - last)
		}
		t.lastKey[key] = t.id.Seq
		t.id.Seq++
	}
	m.attempt++
	s.emit(history.Event{Kind: history.Invoke, Identity: m.id, Back: m.back, Attempt: m.attempt, Intended: m.intended})
	s.attempts = append(s.attempts, simAttempt{m, t})
}

// answer gives one send its outcome.
func (s *sim) answer() {
	if len(s.attempts) == 0 {
		return
	}
	i := s.next(len(s.attempts))
	a := s.attempts[i]
	s.attempts = slices.Delete(s.attempts, i, i+1)
	outcome, retry := queue.OK, false
	switch s.next(8) {
	case 7: // no answer: it may be stored, now or later, or never
		outcome, retry = queue.Unknown, s.next(2) == 0
		switch s.next(3) {
		case 0:
			s.store(a.simMessage)
		case 1:
			s.flight = append(s.flight, a.simMessage)
		}
	case 6: // refused
		outcome, retry = queue.Failed, s.next(2) == 0
		if a.attempt == 1 && !retry && s.strikes("stores what it refuses") {
			s.store(a.simMessage)
		}
	default:
		if a.attempt == 1 && !s.stored[a.id] && s.strikes("acks without storing") {
			s.stored[a.id] = true
		}
		s.store(a.simMessage)
	}
	s.emit(history.Event{Kind: history.Outcome, Identity: a.id, Attempt: a.attempt, Outcome: outcome})
	if retry {
		a.track.retry = append(a.track.retry, a.simMessage)
	}
}

// store puts a message into each group's log, once.
func (s *sim) store(m *simMessage) {
	if s.stored[m.id] {
		return
	}
	s.stored[m.id] = true
	s.archive = append(s.archive, m)
	for _, g := range s.groups {
		g.log = append(g.log, &simCopy{simMessage: m})
	}
}

// deliver hands out a message: a new one that nothing of its key or producer comes before, or one again.
func (s *sim) deliver(g *simGroup) {
	if len(g.ready) > 0 && s.next(2) == 0 {
		i := s.next(len(g.ready))
		c := g.ready[i]
		g.ready = slices.Delete(g.ready, i, i+1)
		s.hand(g, c)
		return
	}
	if len(g.log) == 0 {
		return
	}
	i := s.next(len(g.log))
	for k := range i { // the first of its producer
		if g.log[k].id.Track() == g.log[i].id.Track() {
			i = k
			break
		}
	}
	c := g.log[i]
	if later := s.overtaker(g, i); later != nil && s.strikes("reorders") {
		g.log = slices.DeleteFunc(g.log, func(x *simCopy) bool { return x == later })
		s.hand(g, later)
	}
	g.log = slices.DeleteFunc(g.log, func(x *simCopy) bool { return x == c })
	if s.strikes("loses in one group") && s.acked(c.id) {
		return
	}
	s.hand(g, c)
}

// overtaker returns the next message of the key in the log, if its order after the i-th was promised.
func (s *sim) overtaker(g *simGroup, i int) *simCopy {
	a := g.log[i]
	at, ok := s.confirmed[a.id]
	if !ok {
		return nil
	}
	for _, b := range g.log[i+1:] {
		if b.id.Track() == a.id.Track() && b.back > 0 && b.id.Seq-uint64(b.back) == a.id.Seq && s.invoked[b.id] > at {
			return b
		}
	}
	return nil
}

func (s *sim) acked(id queue.Identity) bool {
	_, ok := s.confirmed[id]
	if !ok {
		s.planted-- // a loss only if it was acked
	}
	return ok
}

func (s *sim) hand(g *simGroup, c *simCopy) {
	e := history.Event{Kind: history.Deliver, Identity: c.id, Group: g.name, Claim: g.claim, Intended: c.intended}
	switch {
	case s.strikes("flips a bit"):
		e.Damage = history.CorruptPayload
	case s.strikes("invents a message"):
		p := e
		p.Identity.Seq += 1000
		s.emit(p)
	case s.strikes("delivers another's message"):
		s.emit(history.Event{Kind: history.Deliver, Group: g.name, Damage: history.Foreign})
	case s.strikes("is slow"):
		if !slices.ContainsFunc(s.events, func(o history.Event) bool {
			return o.Kind == history.Deliver && o.Identity == c.id && o.Group == g.name
		}) {
			e.Intended = s.now - int64(2*time.Hour)
		} else {
			s.planted--
		}
	}
	s.emit(e)
	c.claim = g.claim
	g.hand = append(g.hand, c)
}

// settle works on a delivery and acks it.
func (s *sim) settle(g *simGroup) {
	if len(g.hand) == 0 {
		return
	}
	i := s.next(len(g.hand))
	c := g.hand[i]
	g.hand = slices.Delete(g.hand, i, i+1)
	s.finishOne(g, c)
}

func (s *sim) finishOne(g *simGroup, c *simCopy) {
	if !g.done[c.id] {
		g.done[c.id] = true
		_, acked := s.confirmed[c.id]
		if !acked || !s.strikes("acks without working") {
			s.emit(history.Event{Kind: history.Processed, Identity: c.id, Group: g.name})
		}
		if s.strikes("works twice") {
			s.emit(history.Event{Kind: history.Processed, Identity: c.id, Group: g.name})
		}
	}
	ack := history.Event{Kind: history.Settle, Identity: c.id, Group: g.name, Ack: true, Outcome: queue.OK, Claim: c.claim}
	if s.next(6) == 5 { // the answer is lost: it may come again, or not
		ack.Outcome = queue.Unknown
		s.emit(ack)
		if s.next(2) == 1 {
			g.ready = append(g.ready, c)
		}
		return
	}
	s.emit(ack)
	if c.claim == g.claim && s.strikes("forgets an ack") {
		s.emit(history.Event{Kind: history.Deliver, Identity: c.id, Group: g.name, Claim: g.claim, Intended: c.intended})
	}
}

// odd does what is allowed and seldom.
func (s *sim) odd(g *simGroup) {
	switch s.next(10) {
	case 9: // a fault in between, as long as it takes
		if len(s.faults) > 0 {
			s.heal()
		} else {
			s.kill("n3")
		}
	case 8: // a producer is started again, and numbers anew
		i := s.next(len(s.tracks))
		old := s.tracks[i]
		if len(old.retry) > 0 || slices.ContainsFunc(s.attempts, func(a simAttempt) bool { return a.track == old }) {
			return // what is under way is answered first
		}
		id := old.id
		id.Epoch, id.Seq = id.Epoch+2, 0
		s.tracks[i] = &simTrack{id: id, lastKey: make(map[byte]uint64), keys: old.keys}
	case 7: // a group comes late, and gets what there was from the beginning
		if len(s.groups) < 3 && s.bug == "" {
			late := &simGroup{name: string(rune('a' + len(s.groups))), done: make(map[queue.Identity]bool)}
			for _, m := range s.archive {
				late.log = append(late.log, &simCopy{simMessage: m})
			}
			s.groups = append(s.groups, late)
		}
	case 5: // a drain that comes too early, or not
		e := history.Event{Kind: history.Drain, Group: g.name, Outcome: queue.OK, Value: float64(len(g.log) + len(g.ready) + len(g.hand))}
		if e.Value > 0 {
			e.Outcome = queue.Unknown
		}
		s.emit(e)
	case 4: // given up: kept with the dead letters, then acked
		if len(g.hand) == 0 || g.done[g.hand[0].id] {
			return
		}
		c := g.hand[0]
		g.hand, g.done[c.id] = g.hand[1:], true
		attempts := []queue.Outcome{queue.Unknown, queue.OK} // the second, where the outcome of the first is not known
		if s.bug != "" || s.next(2) == 0 {
			attempts = attempts[1:] // the first would hide what another group lost: it may have been that one's
		}
		for _, o := range attempts {
			by := "group " + g.name
			s.emit(history.Event{Kind: history.Invoke, Identity: c.id, Back: c.back, Attempt: 1, Name: "dead", Client: by})
			s.emit(history.Event{Kind: history.Outcome, Identity: c.id, Attempt: 1, Outcome: o, Name: "dead", Client: by})
		}
		s.emit(history.Event{Kind: history.DeadLetter, Identity: c.id, Group: g.name})
		s.emit(history.Event{Kind: history.Settle, Identity: c.id, Group: g.name, Ack: true, Outcome: queue.OK, Claim: c.claim})
	case 0: // the ack timeout, or a crash: what is in hand comes again
		g.ready = append(g.ready, g.hand...)
		g.hand = nil
	case 1: // given back
		if len(g.hand) > 0 {
			c := g.hand[0]
			g.hand = g.hand[1:]
			s.emit(history.Event{Kind: history.Settle, Identity: c.id, Group: g.name, Outcome: queue.OK, Claim: c.claim})
			g.ready = append(g.ready, c)
		}
	case 2: // what was under way arrives
		if len(s.flight) > 0 {
			m := s.flight[0]
			s.flight = s.flight[1:]
			s.store(m)
		}
	default: // a rebalance
		g.claim++
		g.ready = append(g.ready, g.hand...)
		g.hand = nil
	}
}

// finish answers everything that is open, and drains.
func (s *sim) finish() {
	for len(s.attempts) > 0 {
		s.answer()
	}
	if s.bug == "loses the tail on restart" && len(s.groups[0].log) > 0 {
		g := s.groups[0]
		c := g.log[len(g.log)-1]
		g.log = g.log[:len(g.log)-1]
		s.planted = 1
		s.acked(c.id)
	}
	for _, g := range s.groups {
		for len(g.log)+len(g.ready)+len(g.hand) > 0 {
			s.deliver(g)
			for len(g.hand) > 0 {
				s.settle(g)
			}
		}
		s.emit(history.Event{Kind: history.Drain, Group: g.name, Outcome: queue.OK})
	}
	s.emit(history.Event{Kind: history.End})
}
