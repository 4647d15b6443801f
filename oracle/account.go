package oracle

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/havoqlab/havoq/queue"
)

// account is the judgement of the end: what every message came to. It is made anew by every Result, and changes nothing that
// is judged as it happens.
type account struct {
	judge  *Judge
	counts Counts
	tally  map[string]*Anomaly
	wit    witnesses

	missing   []int64         // by group: acked, not processed, not dead-lettered
	forwarded int64           // drained, missing, and perhaps in another topic
	untold    int64           // processed, and no delivery is told
	unread    []string        // which groups got nothing of a stream that another group read
	expected  int64           // acked messages, once for each group that is responsible, counted event by event
	vague     int64           // received, reserved, and the history is cut before it tells of the send
	covered   map[uint16]bool // streams that some group got a message of
	after     [pageSize]int64 // scratch: the first delivery of a later message
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
	tracks := j.sorted()
	a.unread = a.unreadStreams(tracks)
	for _, t := range tracks {
		a.sends(t)
		someone := false
		for _, g := range j.list {
			responsible := a.responsible(g, t.id.Stream)
			a.group(t, g, responsible)
			if responsible {
				someone = true
				a.expected += t.tally[queue.OK]
			}
		}
		if !someone && len(j.list) > 0 { // all groups got other topics' messages only
			a.counts.Unaccounted += t.tally[queue.OK]
			a.expected += t.tally[queue.OK]
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
	if len(g.streams) == 0 {
		return !g.elsewhere
	}
	return g.streams[stream] || !a.covered[stream]
}

// unreadStreams says which groups got nothing of a stream that another group read, and something of others. They may have no
// business with it, and they may have lost all of it: only the topics that they subscribed to could tell.
func (a *account) unreadStreams(tracks []*track) []string {
	var why []string
	for _, g := range a.judge.list {
		unread := make(map[uint16]bool)
		for _, t := range tracks {
			if t.tally[queue.OK] > 0 && len(g.streams) > 0 && !a.responsible(g, t.id.Stream) {
				unread[t.id.Stream] = true
			}
		}
		if len(unread) == 0 {
			continue
		}
		first := slices.Min(slices.Collect(maps.Keys(unread)))
		by := a.judge.list[slices.IndexFunc(a.judge.list, func(o *group) bool { return o.streams[first] })]
		text := fmt.Sprintf("group %q got nothing of stream %d, which group %q read", g.name, first, by.name)
		if more := len(unread) - 1; more > 0 {
			text += fmt.Sprintf(", nor of %d more streams that others read", more)
		}
		why = append(why, text)
	}
	return why
}

// group judges what a group got of a track.
func (a *account) group(t *track, g *group, responsible bool) {
	s := t.share(g)
	if s == nil {
		s = &share{group: g}
	}
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
			if r.deliveries == 0 && r.processed == 0 && r.flags&gotElsewhere == 0 || sends != nil && sends.records[i].flags&sentInvoked != 0 {
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
		worked := r.flags&gotWork != 0
		if worked && r.deliveries == 0 {
			a.untold++
		}
		switch state := m.state(); {
		case state == queue.Failed && (r.deliveries > 0 || worked):
			a.found(FailedButDelivered, Window{m.at, r.at}, t.identity(a.judge.run, n*pageSize+uint64(i)), s.group)
		case state == queue.Unknown && r.processed > 0:
			a.counts.DoubtProcessed++
		case state == queue.OK && responsible:
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
	if m.flags&(sentForward|sentForwardLost) != 0 && r.deliveries > 0 {
		a.forwarded++
		a.counts.Unaccounted++
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

// check asserts the law that every message is accounted for: what was found at the end in the pages is what was counted
// event by event.
func (a *account) check() error {
	c := &a.counts
	var told [3]int64
	for _, t := range a.judge.tracks {
		for outcome, n := range t.tally {
			told[outcome] += n
		}
	}
	if found := [3]int64{queue.Unknown: c.InDoubt, queue.OK: c.Acked, queue.Failed: c.Failed}; found != told {
		return fmt.Errorf("the events make %d acked, %d failed and %d in doubt, and %d, %d and %d were found", told[queue.OK],
			told[queue.Failed], told[queue.Unknown], c.Acked, c.Failed, c.InDoubt)
	}
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
