package oracle

import (
	"fmt"
	"slices"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// Config says what to judge by. The zero value promises at-least-once.
type Config struct {
	Contract Contract
	// Witnesses is how many messages are kept for each anomaly. 0 means 10; negative: none.
	Witnesses int
	// SettleTime is how long after a fault was seen gone an anomaly still counts as during it. 0 means 2 s.
	SettleTime time.Duration
	// Verbs names the verb of a fault by its name, where the history does not tell. Nil or "": see the package comment.
	Verbs func(fault string) string

	without string // a check that is left out: the tests show that each is needed
}

// Judge reads a history and judges it. It is for one goroutine.
type Judge struct {
	config Config
	events int64 // seen so far
	now    int64 // latest time seen
	run    uint32
	runSet bool

	tracks    map[queue.Track]*track
	last      *track // the one of the last lookup
	strangers int    // tracks known by deliveries only
	far       map[hitKey]bool
	groups    map[string]*group
	list      []*group // by number
	lastGroup *group

	tally  map[string]*Anomaly
	counts Counts // the ones that are counted event by event
	faults faults
	wit    witnesses
	phase  phases
	sends  gaps
	open   int64 // sends without an outcome, of all tracks

	unordered  int64 // messages whose order could not be judged, for what the history tells of them
	keysGap    int64 // keys that the recorder forgot
	retriesGap int64 // messages that the recorder forgot, and that may have been sent again as new ones

	complete  bool
	aborted   string
	malformed map[string]int64 // what a history must not have, counted
}

// group is what is known of one consumer group.
type group struct {
	number  int
	name    string
	streams map[uint16]bool // it got messages of these, from their own topics
	waiting int             // tracks with something confirmed that is not delivered
	gaps    gaps
	work    int64 // the longest from a delivery to the work on it

	elsewhere        bool  // it got messages from other topics than their own
	damaged, foreign int64 // deliveries of unreadable and foreign messages whose work was not told yet

	drain   history.Event
	drained bool
	asked   bool   // there was a drain
	refuted string // what happened after it, that took its proof back
}

// refute takes back what the drain proved: it does not hold for what came after it.
func (g *group) refute(what string) {
	if g.drained {
		g.drained, g.refuted = false, what
	}
}

// maxGroups bounds what one judge keeps; further groups make the verdict unknown.
const maxGroups = 64

// New returns a judge that has seen nothing.
func New(config Config) *Judge {
	if config.Witnesses == 0 {
		config.Witnesses = 10
	}
	if config.SettleTime == 0 {
		config.SettleTime = 2 * time.Second
	}
	j := &Judge{
		config:    config,
		tracks:    make(map[queue.Track]*track),
		groups:    make(map[string]*group),
		tally:     make(map[string]*Anomaly),
		malformed: make(map[string]int64),
	}
	for _, name := range Names() {
		j.tally[name] = &Anomaly{}
	}
	j.faults.hits = make(map[hitKey][]*hit)
	j.wit.limit = config.Witnesses
	return j
}

// Observe reads the next event. Events come in the order in which they happened. It keeps nothing of e but its strings.
func (j *Judge) Observe(e *history.Event) {
	j.events++
	j.now = max(j.now, e.At)
	if j.complete {
		j.wrong("events after its end")
	}
	switch e.Kind {
	case history.Invoke:
		j.invoke(e)
	case history.Outcome:
		j.outcome(e)
	case history.Deliver:
		j.deliver(e)
	case history.Processed:
		j.processed(e)
	case history.Settle:
		j.settle(e)
	case history.DeadLetter:
		j.deadLetter(e)
	default:
		j.observeRun(e)
	}
}

// observeRun reads what happened around the messages.
func (j *Judge) observeRun(e *history.Event) {
	switch e.Kind {
	case history.NotSent:
		j.counts.NotSent += int64(e.Value)
	case history.FaultBegin, history.FaultSeen, history.HealBegin, history.HealSeen:
		if !j.faults.observe(e) {
			j.wrong("stages of a fault that never began")
		}
		if e.Kind == history.FaultBegin {
			j.underWay(j.faults.last())
		}
	case history.Hit:
		if !j.hit(e) {
			j.wrong("hits of a fault that never began")
		}
	case history.Reserve:
		j.reserve(e)
	case history.Phase:
		j.phase.begin(e, &j.faults)
	case history.Sample:
		if e.Name == "lag" {
			j.faults.lag(e, j.phase.lag(e))
		}
	case history.Drain:
		j.drain(e)
	case history.Gap:
		j.gap(e)
	case history.End:
		j.complete = true
	case history.Abort:
		j.aborted = e.Name + ": " + e.Detail
	case history.Node, history.Probe, history.Note:
	default:
		j.wrong(fmt.Sprintf("events of the unknown kind %d", e.Kind))
	}
}

// wrong counts something that a history must not have; the verdict is unknown then. The kinds of it are few.
func (j *Judge) wrong(what string) { j.malformed[what]++ }

// underWay notes what was tried already when the fault began.
func (j *Judge) underWay(f *injected) {
	f.sent = j.open > 0
	for _, g := range j.list {
		if g.gaps.waiting {
			f.awaited |= 1 << g.number
		}
	}
}

// gap reads that the recorder could not keep track of something.
func (j *Judge) gap(e *history.Event) {
	n := max(1, int64(e.Value))
	switch e.Name {
	case history.GapKeys:
		j.keysGap += n
	case history.GapRetries:
		j.retriesGap += n
	default:
		j.wrong("gaps of an unknown kind")
	}
}

func (j *Judge) drain(e *history.Event) {
	g := j.group(e.Group)
	if g == nil {
		return
	}
	g.asked, g.drain = true, *e
	g.drained = e.Outcome == queue.OK && e.Value == 0
	if g.drained {
		// What waits still will never come: that is a loss, not an outage.
		g.gaps.forget()
	}
}

// ours says whether the identity is of this run, which is the one of the first send.
func (j *Judge) ours(id *queue.Identity) bool {
	if !j.runSet {
		j.run, j.runSet = id.Run, true
	}
	return id.Run == j.run
}

// track returns the track, or nil if it is not known.
func (j *Judge) track(id queue.Track) *track {
	if j.last != nil && j.last.id == id {
		return j.last
	}
	t := j.tracks[id]
	if t != nil {
		j.last = t
	}
	return t
}

// openTrack returns the track, made if need be.
func (j *Judge) openTrack(id queue.Track) *track {
	if t := j.track(id); t != nil {
		return t
	}
	t := &track{id: id}
	j.tracks[id], j.last = t, t
	for _, g := range j.list {
		if g.streams[id.Stream] {
			t.read(g)
		}
	}
	return t
}

// sorted lists the tracks in a fixed order.
func (j *Judge) sorted() []*track {
	ts := make([]*track, 0, len(j.tracks))
	for _, t := range j.tracks {
		ts = append(ts, t)
	}
	slices.SortFunc(ts, func(a, b *track) int { return compareTracks(a.id, b.id) })
	return ts
}

func compareTracks(a, b queue.Track) int {
	switch {
	case a.Producer != b.Producer:
		return int(int64(a.Producer) - int64(b.Producer))
	case a.Epoch != b.Epoch:
		return int(a.Epoch) - int(b.Epoch)
	default:
		return int(a.Stream) - int(b.Stream)
	}
}

// group returns the group of this name, made if need be; nil if there are too many.
func (j *Judge) group(name string) *group {
	if j.lastGroup != nil && j.lastGroup.name == name {
		return j.lastGroup
	}
	g := j.groups[name]
	if g == nil {
		if len(j.list) == maxGroups {
			j.wrong(fmt.Sprintf("events of more than %d groups (judge them apart)", maxGroups))
			return nil
		}
		g = &group{number: len(j.list), name: name, streams: make(map[uint16]bool)}
		j.groups[name] = g
		j.list = append(j.list, g)
	}
	j.lastGroup = g
	return g
}

// join makes the group a reader of the stream: from now on, what is confirmed there waits for it.
func (j *Judge) join(g *group, stream uint16) {
	if g.streams[stream] {
		return
	}
	g.streams[stream] = true
	for _, t := range j.tracks {
		if t.id.Stream == stream {
			s := t.read(g)
			if t.acked > 0 && !s.waiting {
				s.waiting = true
				g.waiting++
			}
		}
	}
}
