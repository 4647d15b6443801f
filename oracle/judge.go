package oracle

import (
	"fmt"
	"time"
	"unsafe"

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
	// Memory is how many bytes of messages are kept in full: 40 for one in flight or settled lately, and 16 for each further
	// group. Of messages that everybody is done with, older ones are given up first; see the package comment. 0 means 2 MiB.
	Memory int64

	without string // a check that is left out: the tests show that each is needed
}

// Judge reads a history and judges it. It is for one goroutine.
type Judge struct {
	config Config
	events int64 // seen so far
	now    int64 // latest time seen
	run    uint32
	runSet bool
	heard  uint32 // the run of what was received before that was known

	tracks    map[queue.Track]*track
	hot       [hot]*track // the ones of the last lookups
	strangers int         // tracks known by deliveries only
	memory    memory
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
	drains int   // groups whose drain is proven

	ackedAt int64 // when a message was last confirmed for the first time

	sources []Source

	untimed    int64 // messages of which the history tells too late whether they were late
	unordered  int64 // messages whose order could not be judged, for what the history tells of them
	split      int64 // messages of which merged judges saw a part each
	repeats    int64 // those that came to more than one of them
	keysGap    int64 // keys that the recorder forgot
	retriesGap int64 // messages that the recorder forgot, and that may have been sent again as new ones

	careful     bool // it bounds the delay
	byProducer  bool // the contract promises order by producer
	byPartition bool // or by partition

	complete  bool
	aborted   string
	malformed map[string]int64 // what a history must not have, counted

	// Scratch.
	states [pageSize]uint64
	claims []claimRun
	stack  []uint64
	blank  reads  // of a group that has nothing of a page
	beside cursor // of what does not move a track's
}

// group is what is known of one consumer group.
type group struct {
	number             int
	name               string
	streams            map[uint16]bool // it got messages of these, from their own topics
	waiting            int             // tracks with something confirmed that is not delivered
	gaps               gaps
	work               int64 // the longest from a delivery to the work on it
	positions          positions
	blind              []string // anomalies that its sources cannot see
	untimed, unordered bool     // they cannot see what is late, or out of order
	sourced            bool     // what it got is told by sources that do not tell of deliveries

	elsewhere        bool  // it got messages from other topics than their own
	damaged, foreign int64 // deliveries of unreadable and foreign messages whose work was not told yet

	seen    int64 // when something out of the ordinary last came to it
	drain   history.Event
	drained bool
	asked   bool   // there was a drain
	refuted string // what happened after it, that took its proof back
}

// refute takes back what the drain proved: it does not hold for what came after it.
func (j *Judge) refute(g *group, what string) {
	if g.drained {
		g.drained, g.refuted = false, what
		j.drains--
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
	if config.Memory == 0 {
		j.config.Memory = defaultMemory
	}
	j.memory.limit = j.config.Memory
	j.careful = config.Contract.MaxDelay > 0
	j.byPartition = config.Contract.Order == OrderPartition
	j.byProducer = config.Contract.Order == OrderProducer
	j.faults.hits = make(map[hitKey][]*hit)
	j.wit.limit = config.Witnesses
	return j
}

// Observe reads the next event. Events come in the order in which they happened. It keeps nothing of e but its strings.
func (j *Judge) Observe(e *history.Event) {
	j.events++
	if e.At > j.now {
		j.now = e.At
	}
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
	case history.Source:
		j.source(e)
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
	f.exposed = j.open
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
	case history.GapSource:
		j.malformed["messages that a source could not tell, or missed"] += n
	case history.GapIdentities:
		j.malformed["messages that the recorder could not tell apart, and left out"] += n
	default:
		j.wrong("gaps of an unknown kind")
	}
}

func (j *Judge) drain(e *history.Event) {
	g := j.group(e.Group)
	if g == nil {
		return
	}
	j.refute(g, "it was drained again")
	g.asked, g.drain = true, *e
	g.drained = e.Outcome == queue.OK && e.Value == 0
	if g.drained {
		j.drains++
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

// same compares two texts that are mostly one.
func same(a, b string) bool {
	return len(a) == len(b) && (unsafe.StringData(a) == unsafe.StringData(b) || a == b)
}

// group returns the group of this name, made if need be; nil if there are too many.
func (j *Judge) group(name string) *group {
	if g := j.lastGroup; g != nil && same(g.name, name) {
		return g
	}
	return j.coldGroup(name)
}

func (j *Judge) coldGroup(name string) *group {
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
				s.wait()
			}
		}
	}
}
