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
	byFault   map[*injected]map[string]int64

	// Scratch: the first delivery of a later message, and a page that was given up.
	after [pageSize]int64
	page  page
	reads reads
}

func (j *Judge) account() *account {
	a := &account{
		judge:   j,
		counts:  j.counts,
		tally:   make(map[string]*Anomaly),
		wit:     j.wit.copy(),
		missing: make([]int64, len(j.list)),
		covered: make(map[uint16]bool),
		byFault: make(map[*injected]map[string]int64),
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
	for _, n := range t.numbers() {
		if n < t.first && t.back[n] == nil && t.old[n].odd == nil {
			a.counts.Offered += int64(t.old[n].top)
			a.counts.Acked += int64(t.old[n].top)
			continue
		}
		p := a.load(t, n)
		for i := range p.sent[:p.top] {
			r := &p.sent[i]
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

// load returns a page; one that was given up only for what happened on the producer's side, and until the next load.
func (a *account) load(t *track, n uint64) *page {
	switch {
	case n >= t.first:
		return t.pages[n-t.first]
	case t.back[n] != nil:
		return t.back[n]
	}
	p := &a.page
	clear(p.sent[:p.top])
	p.track, p.number = t, n
	a.judge.restoreSent(p, &t.old[n])
	return p
}

// loadReads returns what the group has of a page that load returned; nil: nothing.
func (a *account) loadReads(p *page, s *share) *reads {
	if p != &a.page {
		return p.of(s.group)
	}
	if uint64(len(s.old)) <= p.number || !s.old[p.number].told {
		return nil
	}
	a.reads.faults, a.reads.last = nil, 0
	a.judge.restoreGot(p.top, &a.reads, &s.old[p.number])
	return &a.reads
}

// responsible says whether what is missing of the stream is missing in this group.
func (a *account) responsible(g *group, stream uint16) bool {
	if !a.judge.tellsLoss(g) {
		return false
	}
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
		if !a.judge.tellsLoss(g) {
			continue
		}
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
	numbers := t.numbers()
	// What lies behind a page is only needed as a minimum.
	behind := make([]int64, len(numbers)+1)
	behind[len(numbers)] = math.MaxInt64
	for i := len(numbers) - 1; i >= 0; i-- {
		behind[i] = min(behind[i+1], t.earliest(s, numbers[i]))
	}
	begun := false // something of the track was delivered
	for i, n := range numbers {
		if t.ordinary(s, n) {
			a.ordinary(int64(t.old[n].top), responsible)
			begun = begun || t.old[n].top > 0
			continue
		}
		p := a.load(t, n)
		begun = a.messages(p, s, a.loadReads(p, s), behind[i+1], begun, responsible)
	}
}

// ordinary says that a page was given up, and that all its messages were confirmed, delivered and worked on.
func (t *track) ordinary(s *share, n uint64) bool {
	if n >= t.first || t.back[n] != nil || t.old[n].odd != nil || uint64(len(s.old)) <= n || !s.old[n].told {
		return false
	}
	state, alike := all(s.old[n].odd, usualGot)
	var g got
	g.unpack(state, 0)
	return alike && g.deliveries > 0 && g.processed > 0
}

// ordinary counts such messages.
func (a *account) ordinary(n int64, responsible bool) {
	a.counts.Delivered += n
	if responsible {
		a.counts.Processed += n
	}
}

// receive judges what came to the group and was never told to be sent.
func (a *account) receive(p *page, i int, r *got, g *group, end int64) {
	if r.nothing() {
		return
	}
	if seq := p.number<<pageBits + uint64(i); seq < p.track.reserved && !a.judge.complete {
		a.vague++
		return
	}
	a.found(Unexpected, Window{r.at, end}, p.identity(a.judge.run, i), g)
}

// earliest is the first delivery, in the group, of the page's messages, as far as they were sent.
func (t *track) earliest(s *share, n uint64) int64 {
	if n < t.first && t.back[n] == nil {
		if uint64(len(s.old)) > n && s.old[n].told {
			return s.old[n].at
		}
		return math.MaxInt64
	}
	p := t.back[n]
	if p == nil {
		p = t.pages[n-t.first]
	}
	if r := p.of(s.group); r != nil && r.earliest != 0 {
		return r.earliest
	}
	return math.MaxInt64
}

// messages judges the messages of one page. behind is the first delivery of any message of later pages; begun says whether one
// of earlier pages was delivered.
func (a *account) messages(p *page, s *share, r *reads, behind int64, begun, responsible bool) bool {
	scanned := false
	var none got
	for i := range p.sent[:p.top] {
		m, g := &p.sent[i], &none
		if r != nil {
			g = &r.records[i]
		}
		end := g.at // of when it came, as far as is known
		if r != nil && p.stale {
			end = max(end, r.last)
		}
		if m.flags&sentInvoked == 0 {
			a.receive(p, i, g, s.group, end)
			continue
		}
		earlier := begun
		if g.deliveries > 0 {
			begun = true
			a.counts.Delivered++
		}
		worked := g.flags&gotWork != 0
		if worked && g.deliveries == 0 {
			a.untold++
		}
		switch state := m.state(); {
		case state == queue.Failed && (g.deliveries > 0 || worked):
			a.found(FailedButDelivered, Window{m.at, end}, p.identity(a.judge.run, i), s.group)
		case state == queue.Unknown && g.processed > 0:
			a.counts.DoubtProcessed++
		case state == queue.OK && responsible:
			switch {
			case g.processed > 0:
				a.counts.Processed++
			case g.flags&gotDead != 0:
				a.counts.DeadLettered++
			default:
				if !scanned {
					a.scan(p, r, behind)
					scanned = true
				}
				a.miss(p, i, s, r, g, earlier)
			}
		}
	}
	return begun
}

// scan fills in, for each message of the page, when the first later one of its track was delivered.
func (a *account) scan(p *page, r *reads, behind int64) {
	for i := p.top - 1; i >= 0; i-- {
		a.after[i] = behind
		if r == nil {
			continue
		}
		if g := &r.records[i]; g.deliveries > 0 && p.sent[i].flags&sentInvoked != 0 {
			behind = min(behind, g.at)
		}
	}
}

// missing is the window of a message that is missing: from its first send to the first delivery of a later message of its
// track; and if it was delivered itself, at least as long after that as the work on it could take: whoever had it in hand may
// have dropped it as long.
func missing(m *sent, r *got, g *group, later int64) Window {
	end := later
	if end == math.MaxInt64 {
		end = g.drain.At
	}
	if r.deliveries > 0 {
		end = max(end, r.at+g.work)
	}
	return Window{m.at, max(end, m.at)}
}

// miss judges an acked message that was neither processed nor dead-lettered.
func (a *account) miss(p *page, i int, s *share, r *reads, g *got, earlier bool) {
	m, later := &p.sent[i], a.after[i]
	if !s.group.drained {
		a.missing[s.group.number]++
		return
	}
	if m.flags&(sentForward|sentForwardLost) != 0 && g.deliveries > 0 {
		a.forwarded++
		a.counts.Unaccounted++
		return
	}
	switch {
	case later == math.MaxInt64:
		a.counts.LostTail++
	case earlier:
		a.counts.LostMiddle++
	default:
		a.counts.LostPrefix++
	}
	a.counts.Lost++
	id := p.identity(a.judge.run, i)
	if r != nil && r.faults != nil && r.faults[i] != faultUntold { // judged when its page was given up
		how, by := a.explain(r.faults[i], id, s.group)
		a.count(Lost, how, by, id, s.group)
		return
	}
	a.found(Lost, missing(m, g, s.group, later), id, s.group)
}

// explain says what explains a loss by what was kept of it.
func (a *account) explain(fault uint16, id *queue.Identity, g *group) (how string, by *injected) {
	if h := a.judge.culprit(Lost, id, g); h != nil {
		return caused, h.fault
	}
	if fault == faultNone {
		return unexplained, nil
	}
	return during, a.judge.faults.list[fault-faultFirst]
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
	how, by := a.judge.attribute(anomaly, span, id, g, true)
	a.count(anomaly, how, by, id, g)
}

func (a *account) count(anomaly, how string, by *injected, id *queue.Identity, g *group) {
	a.tally[anomaly].add(how)
	if by != nil {
		if a.byFault[by] == nil {
			a.byFault[by] = make(map[string]int64)
		}
		a.byFault[by][anomaly]++
	}
	a.wit.add(anomaly, how, by, g, id)
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
