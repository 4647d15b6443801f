package oracle_test

import (
	"slices"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// naive counts anomalies by their definitions, as plainly as can be: every message has the list of its events, and each question
// is asked of whole lists. It knows a history that is whole.
type naive struct {
	contract oracle.Contract
	events   []history.Event
	places   map[place][]int
}

type place struct {
	kind      history.Kind
	id        queue.Identity
	group     string
	elsewhere bool // to or from another topic than its own
}

func newNaive(contract oracle.Contract, events []history.Event) *naive {
	n := &naive{contract: contract, events: events, places: make(map[place][]int)}
	for i, e := range events {
		if e.Damage <= history.CorruptPayload {
			key := place{e.Kind, e.Identity, e.Group, e.Name != ""}
			n.places[key] = append(n.places[key], i)
		}
	}
	return n
}

// of returns the places of the events of one message on its own topic, in one group where the kind has one.
func (n *naive) of(kind history.Kind, id queue.Identity, group string) []int {
	return n.places[place{kind, id, group, false}]
}

// elsewhere is of for other topics.
func (n *naive) elsewhere(kind history.Kind, id queue.Identity, group string) []int {
	return n.places[place{kind, id, group, true}]
}

// reads says whether the group ever got something of the stream from its own topic, or of any stream.
func (n *naive) reads(group string, stream uint16, any bool) bool {
	for k := range n.places {
		own := !k.elsewhere && k.group == group && (any || k.id.Stream == stream)
		if own && (k.kind == history.Deliver || k.kind == history.Processed || k.kind == history.Settle || k.kind == history.DeadLetter) {
			return true
		}
	}
	return false
}

// strangerTo says whether all that the group ever got came from other topics.
func (n *naive) strangerTo(group string) bool {
	for k := range n.places {
		if k.elsewhere && k.group == group {
			return !n.reads(group, 0, true)
		}
	}
	return false
}

func (n *naive) responsible(group string, stream uint16, groups []string) bool {
	if n.reads(group, stream, false) {
		return true
	}
	if n.strangerTo(group) {
		return false
	}
	return !n.reads(group, 0, true) || !slices.ContainsFunc(groups, func(o string) bool { return n.reads(o, stream, false) })
}

// drained says whether the last drain of the group proved that it was empty, and nothing happened since that would refute it.
func (n *naive) drained(group string) bool {
	last := -1
	for i, e := range n.events {
		if e.Kind == history.Drain && e.Group == group {
			last = i
		}
	}
	if last < 0 || n.events[last].Outcome != queue.OK || n.events[last].Value != 0 {
		return false
	}
	for i, e := range n.events[last:] {
		if e.Kind == history.Deliver && e.Group == group && e.Name == "" {
			return false
		}
		if at, ok := n.confirmed(e.Identity); ok && e.Kind == history.Outcome && e.Name == "" && at == last+i {
			return false
		}
	}
	return true
}

// astray says whether the message may be in another topic, and nobody knows.
func (n *naive) astray(id queue.Identity) bool {
	if len(n.of(history.Invoke, id, "")) == 0 {
		return false
	}
	open := 0
	for i, e := range n.events {
		if e.Identity != id || e.Name == "" || i < n.of(history.Invoke, id, "")[0] {
			continue
		}
		switch {
		case e.Kind == history.Invoke && open > 0, e.Kind == history.Outcome && e.Outcome == queue.Unknown:
			return true
		case e.Kind == history.Invoke:
			open++
		case e.Kind == history.Outcome:
			open = 0
		}
	}
	return open > 0
}

// faults follows the stages of faults: how many are seen and gone of each name and node, and the stages of none.
func (n *naive) faults() (list []oracle.FaultWindow, strays int) {
	for _, e := range n.events {
		if e.Kind == history.FaultBegin {
			list = append(list, oracle.FaultWindow{Name: e.Name, Node: e.Node, Begin: e.At})
		}
		if e.Kind != history.FaultSeen && e.Kind != history.HealBegin && e.Kind != history.HealSeen {
			continue
		}
		exact, loose := -1, -1
		for i, f := range list {
			switch {
			case f.Gone > 0 || f.Name != e.Name:
			case f.Node == e.Node:
				exact = i
			case f.Node == "" || e.Node == "":
				loose = i
			}
		}
		if exact < 0 {
			exact = loose
		}
		switch {
		case exact < 0:
			strays++
		case e.Kind == history.HealSeen:
			list[exact].Gone = e.At
		case e.Kind == history.FaultSeen:
			list[exact].Seen = e.At
			if e.Node != "" {
				list[exact].Node = e.Node
			}
		}
	}
	return list, strays
}

func (n *naive) state(id queue.Identity) queue.Outcome {
	failed, all := 0, n.of(history.Outcome, id, "")
	for _, i := range all {
		switch n.events[i].Outcome {
		case queue.OK:
			return queue.OK
		case queue.Failed:
			failed++
		}
	}
	if failed == len(n.of(history.Invoke, id, "")) {
		return queue.Failed
	}
	return queue.Unknown
}

func (n *naive) confirmed(id queue.Identity) (place int, ok bool) {
	for _, i := range n.of(history.Outcome, id, "") {
		if n.events[i].Outcome == queue.OK {
			return i, true
		}
	}
	return 0, false
}

func (n *naive) before(id queue.Identity) (queue.Identity, bool) {
	places := n.of(history.Invoke, id, "")
	if len(places) == 0 {
		return id, false
	}
	back := uint64(n.events[places[0]].Back)
	if n.contract.Order == oracle.OrderProducer || n.contract.Order == oracle.OrderPartition { // all is in one partition
		back = 1
	}
	if back == 0 || back > id.Seq {
		return id, false
	}
	id.Seq -= back
	return id, len(n.of(history.Invoke, id, "")) > 0
}

// overtaken says whether a message that comes after id by order, and was promised to, was delivered before id.
func (n *naive) overtaken(id queue.Identity, group string, ids []queue.Identity) bool {
	mine := n.of(history.Deliver, id, group)
	at, ok := n.confirmed(id)
	if len(mine) == 0 || !ok {
		return false
	}
	for _, later := range ids {
		if later.Track() != id.Track() || later.Seq <= id.Seq {
			continue
		}
		sent, got := n.of(history.Invoke, later, ""), n.of(history.Deliver, later, group)
		if len(sent) == 0 || len(got) == 0 || got[0] > mine[0] || sent[0] < at {
			continue
		}
		if got[0] < sent[0] {
			continue // delivered before it was sent: such a history is odd in another way
		}
		for b, ok := n.before(later); ok; b, ok = n.before(b) {
			if b == id {
				return true
			}
		}
	}
	return false
}

func (n *naive) judge(groups []string) map[string]int64 {
	counts := map[string]int64{}
	seen := map[queue.Identity]bool{}
	var ids []queue.Identity
	for i := range n.events {
		e := &n.events[i]
		if e.Kind == history.Invoke || e.Kind == history.Deliver || e.Kind == history.Processed {
			n.damage(counts, i)
			if e.Damage <= history.CorruptPayload && !seen[e.Identity] {
				seen[e.Identity] = true
				ids = append(ids, e.Identity)
			}
		}
	}
	answers := map[string]map[uint16]bool{} // which groups are responsible for which streams
	drained := map[string]bool{}
	for _, group := range groups {
		answers[group], drained[group] = map[uint16]bool{}, n.drained(group)
		for _, id := range ids {
			if _, ok := answers[group][id.Stream]; !ok {
				answers[group][id.Stream] = n.responsible(group, id.Stream, groups)
			}
		}
	}
	for _, id := range ids {
		sent, someone := len(n.of(history.Invoke, id, "")) > 0, false
		if sent {
			counts["offered"]++
			counts[n.state(id).String()]++
		}
		for _, group := range groups {
			someone = someone || answers[group][id.Stream]
			n.received(counts, id, group, sent)
			if sent && answers[group][id.Stream] && n.state(id) == queue.OK {
				n.fate(counts, id, group, drained[group])
			}
			if sent && n.overtaken(id, group, ids) {
				counts[oracle.Reordered]++
			}
		}
		if sent && !someone && len(groups) > 0 && n.state(id) == queue.OK {
			counts["missing"]++
			counts["expected"]++
		}
	}
	return counts
}

// damage counts what is damaged or foreign: each delivery, and the work on what was not delivered so.
func (n *naive) damage(counts map[string]int64, i int) {
	e := &n.events[i]
	like := func(o *history.Event, kind history.Kind) bool {
		return o.Kind == kind && o.Group == e.Group && o.Damage == e.Damage &&
			(e.Damage != history.CorruptPayload || o.Identity == e.Identity)
	}
	if e.Kind == history.Processed {
		told := 0
		for k := range i {
			switch {
			case like(&n.events[k], history.Deliver):
				told++
			case !like(&n.events[k], history.Processed):
			case e.Damage == history.CorruptPayload:
				told++ // once a message
			case told > 0:
				told--
			}
		}
		if told > 0 {
			return
		}
	}
	switch e.Damage {
	case history.Sound:
		return
	case history.Foreign:
		counts[oracle.Unexpected]++
		return
	}
	counts[oracle.Corrupted]++
	for k := range i {
		if n.events[k].Kind == history.FaultBegin { // all of this is within a second or so
			counts["corrupted during"]++
			return
		}
	}
}

// fate says what a confirmed message came to in a group that answers for it.
func (n *naive) fate(counts map[string]int64, id queue.Identity, group string, drained bool) {
	counts["expected"]++
	switch {
	case len(n.of(history.Processed, id, group))+len(n.elsewhere(history.Processed, id, group)) > 0:
	case len(n.of(history.DeadLetter, id, group)) > 0:
	case !drained, len(n.of(history.Deliver, id, group)) > 0 && n.astray(id):
		counts["missing"]++
	default:
		counts[oracle.Lost]++
	}
}

// received counts what is wrong with one message in one group.
func (n *naive) received(counts map[string]int64, id queue.Identity, group string, sent bool) {
	delivered, worked := n.of(history.Deliver, id, group), n.of(history.Processed, id, group)
	copies := slices.Concat(n.elsewhere(history.Deliver, id, group), n.elsewhere(history.Processed, id, group))
	processed := slices.Concat(worked, n.elsewhere(history.Processed, id, group))
	slices.Sort(processed)
	doubled := 0
	for k, i := range delivered {
		if k == 0 {
			limit := n.contract.MaxDelay
			if limit > 0 && sent && n.events[i].At-n.events[i].Intended > int64(limit) {
				counts[oracle.Late]++
			}
			continue
		}
		if n.ackedBefore(id, group, delivered[:k+1]) {
			counts[oracle.Duplicated]++
		} else {
			counts[oracle.Redelivered]++
		}
	}
	// The processings, in the order in which they count against the deliveries.
	for k, i := range processed {
		if k == 0 {
			continue
		}
		had := 0
		for d := range delivered {
			if delivered[d] < i {
				had++
			}
		}
		duplicates := doubled
		for d := 1; d < had; d++ {
			if n.ackedBefore(id, group, delivered[:d+1]) {
				duplicates++
			}
		}
		strict := n.contract.Delivery == oracle.ExactlyOnce || n.contract.Delivery == oracle.AtMostOnce
		copied := slices.ContainsFunc(copies, func(c int) bool { return c <= i })
		if (strict || k+1 > had && !copied) && k > duplicates {
			doubled++
			counts[oracle.Duplicated]++
		}
	}
	switch {
	case !sent && len(delivered)+len(processed)+len(copies) > 0:
		counts[oracle.Unexpected]++
	case sent && n.state(id) == queue.Failed && len(delivered)+len(worked) > 0:
		counts[oracle.FailedButDelivered]++
	}
}

// ackedBefore says whether the last of the deliveries came after a confirmed ack of its own claim, as of the one before it.
func (n *naive) ackedBefore(id queue.Identity, group string, delivered []int) bool {
	last := delivered[len(delivered)-1]
	claim := n.events[last].Claim
	acked, current := false, int64(0)
	for i := range n.events[:last] {
		e := &n.events[i]
		if e.Identity != id || e.Group != group || e.Name != "" || e.Damage > history.CorruptPayload {
			continue
		}
		switch e.Kind {
		case history.Deliver:
			if e.Claim != current {
				acked = false // a new claim starts anew
			}
			current = e.Claim
		case history.Settle:
			if e.Ack && e.Outcome == queue.OK && (e.Claim == 0 || e.Claim == current) {
				acked = true
			}
		}
	}
	return acked && claim == current
}
