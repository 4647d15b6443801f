package oracle

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/havoqlab/havoq/queue"
)

// Merge adds to j what o has seen, so that shards of a run, or several machines, are judged as one. Both must have the same
// contract and SettleTime, must have seen parts of one run, and their times must be of one clock. No event of a message may have
// been told to both. What tells of no message, such as phases, faults, drains and sources, may have been told to both or to one
// of them, except for what is only counted (NotSent, Gap, Hit), which only one of them may have been told. o must not be used
// afterwards. The order and the grouping of merges make no difference.
//
// Where each track was seen by one of them only, with all that happened to its messages, the judgement is that of one judge who
// saw everything, but for three things. What explains an anomaly is known only to who was told of the fault and of the hit. The
// outages are those of the parts: spans in which one of them had no success. And the witnesses are other ones where there are
// too many, in the order of their identities.
//
// Where both saw something of a track, a producer's machine its sends and a consumer's the deliveries, what they saw of each
// message is put together. What came before what is not known then: order and lateness of such a track are not judged, what was
// found of them before is taken back, and a contract that asks for them is unknown; so is one that forbids repetitions, if both
// saw deliveries of a message. To have all that judged, too, merge the histories: see [history.Merge].
//
// The merged history is complete only if that of each part is: each must have been told of its End, because who was not was cut
// off. A group is drained if the last drain says so, and nobody saw anything acked or delivered after it.
//
// An error says why they cannot be merged; then nothing was changed.
func (j *Judge) Merge(o *Judge) error {
	if err := j.mergeable(o); err != nil {
		return fmt.Errorf("oracle: merge two judges: %w", err)
	}
	if o.events == 0 {
		return nil
	}
	m := merger{to: j, from: o}
	if !j.runSet {
		j.run, j.runSet = o.run, o.runSet
	}
	if j.heard == 0 {
		j.heard = o.heard
	}
	m.groups()
	m.faults()
	m.tracks()
	m.counts()
	m.ending()
	j.settleReaders()
	j.witnessesInOrder()
	j.makeRoom()
	return nil
}

// merger puts what one judge has seen into another one.
type merger struct{ to, from *Judge }

// mergeable says why two judges cannot be merged.
func (j *Judge) mergeable(o *Judge) error {
	switch {
	case o == nil || o == j:
		return errors.New("there is only one")
	case !j.config.Contract.equal(o.config.Contract) || j.config.SettleTime != o.config.SettleTime:
		return fmt.Errorf("they judge by different contracts, %+v and %+v: give all parts of a run the same", j.config.Contract,
			o.config.Contract)
	case j.someRun() != 0 && o.someRun() != 0 && j.someRun() != o.someRun():
		return fmt.Errorf("they saw different runs, %d and %d", j.someRun(), o.someRun())
	}
	if n := len(j.groupsWith(o)); n > maxGroups {
		return fmt.Errorf("together they saw %d groups, and %d can be judged: judge some of them apart", n, maxGroups)
	}
	if n := len(j.sourcesWith(o)); n > maxSources {
		return fmt.Errorf("together they have %d sources, and %d can be kept", n, maxSources)
	}
	return j.comparable(o)
}

// equal says that two contracts promise the same.
func (c Contract) equal(d Contract) bool {
	return c.delivery() == d.delivery() && c.Order == d.Order && c.MaxDelay == d.MaxDelay && slices.Equal(c.Allow, d.Allow) &&
		slices.Equal(c.Forgive, d.Forgive)
}

// someRun is the run whose messages the judge saw; 0: it saw none.
func (j *Judge) someRun() uint32 {
	if j.runSet {
		return j.run
	}
	return j.heard
}

// counts adds up what is counted event by event.
func (m *merger) counts() {
	j, o := m.to, m.from
	add(&j.events, o.events) // so that places of what comes now are behind those of both
	j.now = max(j.now, o.now)
	for name, n := range o.tally {
		j.tally[name].plus(n)
	}
	a, b := &j.counts, &o.counts
	add(&a.NotSent, b.NotSent)
	add(&a.Attempts, b.Attempts)
	add(&a.Deliveries, b.Deliveries)
	add(&a.ProcessedTwice, b.ProcessedTwice)
	add(&a.OrderedPairs, b.OrderedPairs)
	add(&j.open, o.open)
	add(&j.untimed, o.untimed)
	add(&j.unordered, o.unordered)
	add(&j.split, o.split)
	add(&j.repeats, o.repeats)
	add(&j.keysGap, o.keysGap)
	add(&j.retriesGap, o.retriesGap)
	for what, n := range o.malformed {
		j.malformed[what] += n
	}
	j.sends.union(&o.sends)
	j.phase.union(&o.phase)
	j.wit.union(&o.wit)
	for key := range o.far {
		if len(j.far) < maxFar {
			j.stranger(&queue.Identity{Producer: key.Producer, Epoch: key.Epoch, Stream: key.Stream, Seq: key.seq})
		}
	}
}

func add(n *int64, more int64) { *n += more }

// plus adds the counts of another.
func (a *Anomaly) plus(b *Anomaly) {
	a.Total += b.Total
	a.Caused += b.Caused
	a.During += b.During
	a.Unexplained += b.Unexplained
}

// ending says how the merged history ended.
func (m *merger) ending() {
	j, o := m.to, m.from
	j.sources = j.sourcesWith(o)
	j.complete = o.complete && (j.complete || j.events == o.events)
	if j.aborted == "" || o.aborted != "" && o.aborted < j.aborted {
		j.aborted = o.aborted
	}
}

// sourcesWith lists the sources of both. What both tell of is one.
func (j *Judge) sourcesWith(o *Judge) []Source {
	if slices.EqualFunc(j.sources, o.sources, func(a, b Source) bool { return compareSources(a, b) == 0 }) {
		return j.sources
	}
	all := slices.Clone(j.sources)
	for _, s := range o.sources {
		is := func(a Source) bool { return compareSources(a, s) == 0 }
		if countIf(all, is) < countIf(o.sources, is) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, compareSources)
	return all
}

func compareSources(a, b Source) int {
	return slices.Compare(append([]string{a.Name, a.Group}, a.Blind...), append([]string{b.Name, b.Group}, b.Blind...))
}

func countIf[T any](list []T, is func(T) bool) (n int) {
	for _, e := range list {
		if is(e) {
			n++
		}
	}
	return n
}

// union adds the witnesses of another.
func (w *witnesses) union(o *witnesses) { w.list = append(w.list, o.list...) }

// witnessesInOrder puts the witnesses into an order that does not depend on that of merges, and keeps as many as there may be.
func (j *Judge) witnessesInOrder() {
	w := &j.wit
	slices.SortStableFunc(w.list, compareWitnesses)
	w.counts = make(map[string]int)
	w.list = slices.DeleteFunc(w.list, func(x Witness) bool {
		w.counts[x.Anomaly]++
		return w.counts[x.Anomaly] > w.limit
	})
	for anomaly, n := range maps.Clone(w.counts) {
		w.counts[anomaly] = min(n, w.limit)
	}
}

func compareWitnesses(a, b Witness) int {
	if a.Anomaly != b.Anomaly {
		return slices.Index(Names(), a.Anomaly) - slices.Index(Names(), b.Anomaly)
	}
	if c := compareTracks(a.Message.Track(), b.Message.Track()); c != 0 {
		return c
	}
	if a.Message.Seq != b.Message.Seq {
		return compareNumbers(a.Message.Seq, b.Message.Seq)
	}
	return slices.Compare([]string{a.Group, a.Attribution, a.Fault}, []string{b.Group, b.Attribution, b.Fault})
}

func compareNumbers(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// makeRoom gives up what is too much for the memory of one.
func (j *Judge) makeRoom() {
	for n := len(j.memory.queue) - j.memory.head; n > 0 && j.memory.used > j.memory.limit; n-- {
		j.giveUpOldest(j.memory.used > hardFactor*j.memory.limit)
	}
}
