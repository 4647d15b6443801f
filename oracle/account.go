package oracle

import (
	"fmt"
	"math"

	"github.com/havoqlab/havoq/queue"
)

// account is the judgement of the end: what every message came to. It is made anew by every Result, and changes nothing that
// is judged as it happens.
type account struct {
	judge  *Judge
	counts Counts
	tally  map[string]*Anomaly
	wit    witnesses

	missing  []int64         // by group: acked, not processed, not dead-lettered
	expected int64           // acked messages, once for each group that is responsible
	vague    int64           // received, reserved, and the history is cut before it tells of the send
	covered  map[uint16]bool // streams that some group got a message of
	after    [pageSize]int64 // scratch: the first delivery of a later message
}

func (j *Judge) account() *account {
	a := &account{
		judge:   j,
		counts:  j.counts,
		tally:   make(map[string]*Anomaly),
		wit:     j.wit.copy(),
		missing: make([]int64, len(j.list)),
		covered: make(map[uint16]bool),
	}
	for name, n := range j.tally {
		c := *n
		a.tally[name] = &c
	}
	for _, g := range j.list {
		for stream := range g.streams {
			a.covered[stream] = true
		}
	}
	for _, t := range j.sorted() {
		a.sends(t)
		for _, g := range j.list {
			a.group(t, g)
		}
	}
	a.divide()
	return a
}

// sends counts what the messages of a track came to on the producer's side.
func (a *account) sends(t *track) {
	for _, n := range t.sent.numbers() {
		p := t.sent.all[n]
		for i := range p.records {
			r := &p.records[i]
			if r.flags&sentInvoked == 0 {
				continue
			}
			a.counts.Offered++
			switch r.state() {
			case queue.OK:
				a.counts.Acked++
			case queue.Failed:
				a.counts.Failed++
			default:
				a.counts.InDoubt++
			}
		}
	}
}

// responsible says whether what is missing of the stream is missing in this group.
func (a *account) responsible(g *group, stream uint16) bool {
	return g.streams[stream] || len(g.streams) == 0 || !a.covered[stream]
}

// group judges what a group got of a track.
func (a *account) group(t *track, g *group) {
	s := t.share(g)
	if s == nil {
		s = &share{group: g}
	}
	responsible := a.responsible(g, t.id.Stream)
	a.received(t, s)
	numbers := t.sent.numbers()
	// What lies behind a page is only needed as a minimum.
	behind := make([]int64, len(numbers)+1)
	behind[len(numbers)] = math.MaxInt64
	for i := len(numbers) - 1; i >= 0; i-- {
		behind[i] = min(behind[i+1], earliest(t.sent.all[numbers[i]], s.got.all[numbers[i]]))
	}
	begun := false // something of the track was delivered
	for i, n := range numbers {
		begun = a.page(t, s, n, behind[i+1], begun, responsible)
	}
}

// received judges what came to the group and was never told to be sent.
func (a *account) received(t *track, s *share) {
	for _, n := range s.got.numbers() {
		page, sends := s.got.all[n], t.sent.all[n]
		for i := range page.records {
			r := &page.records[i]
			if r.deliveries == 0 && r.processed == 0 || sends != nil && sends.records[i].flags&sentInvoked != 0 {
				continue
			}
			seq := n*pageSize + uint64(i)
			if seq < t.reserved && !a.judge.complete {
				a.vague++
				continue
			}
			a.found(Unexpected, Window{r.at, r.at}, t.identity(a.judge.run, seq), s.group)
		}
	}
}

func (t *track) identity(run uint32, seq uint64) *queue.Identity {
	return &queue.Identity{Run: run, Producer: t.id.Producer, Epoch: t.id.Epoch, Stream: t.id.Stream, Seq: seq}
}

// earliest is the first delivery of a page's messages, as far as they were sent.
func earliest(sends *sentPage, page *gotPage) int64 {
	first := int64(math.MaxInt64)
	if page == nil {
		return first
	}
	for i := range page.records {
		if r := &page.records[i]; r.deliveries > 0 && sends.records[i].flags&sentInvoked != 0 {
			first = min(first, r.at)
		}
	}
	return first
}

// page judges one page of messages that were sent. behind is the first delivery of any message of later pages; begun says
// whether one of earlier pages was delivered.
func (a *account) page(t *track, s *share, n uint64, behind int64, begun, responsible bool) bool {
	sends, page := t.sent.all[n], s.got.all[n]
	scanned := false
	for i := range sends.records {
		m := &sends.records[i]
		if m.flags&sentInvoked == 0 {
			continue
		}
		var r got
		if page != nil {
			r = page.records[i]
		}
		earlier := begun
		if r.deliveries > 0 {
			begun = true
			a.counts.Delivered++
		}
		switch state := m.state(); {
		case state == queue.Failed && r.deliveries > 0:
			a.found(FailedButDelivered, Window{m.at, r.at}, t.identity(a.judge.run, n*pageSize+uint64(i)), s.group)
		case state == queue.Unknown && r.processed > 0:
			a.counts.DoubtProcessed++
		case state == queue.OK && responsible:
			a.expected++
			switch {
			case r.processed > 0:
				a.counts.Processed++
			case r.flags&gotDead != 0:
				a.counts.DeadLettered++
			default:
				if !scanned {
					a.scan(sends, page, behind)
					scanned = true
				}
				a.miss(t, s.group, n*pageSize+uint64(i), m, &r, a.after[i], earlier)
			}
		}
	}
	return begun
}

// scan fills in, for each message of the page, when the first later one of its track was delivered.
func (a *account) scan(sends *sentPage, page *gotPage, behind int64) {
	for i := pageSize - 1; i >= 0; i-- {
		a.after[i] = behind
		if page == nil {
			continue
		}
		if r := &page.records[i]; r.deliveries > 0 && sends.records[i].flags&sentInvoked != 0 {
			behind = min(behind, r.at)
		}
	}
}

// miss judges an acked message that was neither processed nor dead-lettered.
func (a *account) miss(t *track, g *group, seq uint64, m *sent, r *got, later int64, earlier bool) {
	if !g.drained {
		a.missing[g.number]++
		return
	}
	end := later
	switch {
	case later == math.MaxInt64:
		a.counts.LostTail++
		end = g.drain.At
	case earlier:
		a.counts.LostMiddle++
	default:
		a.counts.LostPrefix++
	}
	if r.deliveries > 0 { // whoever had it in hand may have dropped it as long as the work could take
		end = max(end, r.at+g.work)
	}
	a.counts.Lost++
	a.found(Lost, Window{m.at, max(end, m.at)}, t.identity(a.judge.run, seq), g)
}

// divide says of what is missing in groups that are not drained how much the broker said to hold.
func (a *account) divide() {
	for i, missing := range a.missing {
		held := int64(0)
		if g := a.judge.list[i]; g.asked && g.drain.Value > 0 {
			held = min(missing, int64(g.drain.Value))
		}
		a.counts.Queued += held
		a.counts.Unaccounted += missing - held
	}
}

func (a *account) found(anomaly string, span Window, id *queue.Identity, g *group) {
	how, fault := a.judge.attribute(anomaly, span, id, g, true)
	a.tally[anomaly].add(how)
	a.wit.add(anomaly, how, fault, g, id)
}

// check asserts the law that every message is accounted for.
func (a *account) check() error {
	c := &a.counts
	if c.Offered != c.Acked+c.Failed+c.InDoubt {
		return fmt.Errorf("offered %d is not acked %d + failed %d + in doubt %d", c.Offered, c.Acked, c.Failed, c.InDoubt)
	}
	if sum := c.Processed + c.DeadLettered + c.Queued + c.Lost + c.Unaccounted; sum != a.expected {
		return fmt.Errorf("acked %d is not processed %d + dead-lettered %d + queued %d + lost %d + unaccounted %d",
			a.expected, c.Processed, c.DeadLettered, c.Queued, c.Lost, c.Unaccounted)
	}
	if c.Lost != c.LostPrefix+c.LostMiddle+c.LostTail || c.Lost != a.tally[Lost].Total {
		return fmt.Errorf("lost %d is not prefix %d + middle %d + tail %d", c.Lost, c.LostPrefix, c.LostMiddle, c.LostTail)
	}
	return nil
}
