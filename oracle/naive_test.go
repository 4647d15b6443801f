package oracle_test

import (
	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// naive counts anomalies by their definitions, as plainly as can be: every message has the list of its events, and each question
// is asked of whole lists. It knows one stream, and a history that is whole.
type naive struct {
	contract oracle.Contract
	events   []history.Event
	places   map[place][]int
}

type place struct {
	kind  history.Kind
	id    queue.Identity
	group string
}

func newNaive(contract oracle.Contract, events []history.Event) *naive {
	n := &naive{contract: contract, events: events, places: make(map[place][]int)}
	for i, e := range events {
		if e.Damage <= history.CorruptPayload {
			key := place{e.Kind, e.Identity, e.Group}
			n.places[key] = append(n.places[key], i)
		}
	}
	return n
}

// of returns the places of the events of one message, in one group where the kind has one.
func (n *naive) of(kind history.Kind, id queue.Identity, group string) []int {
	return n.places[place{kind, id, group}]
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
	if n.contract.Order == oracle.OrderProducer {
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
		switch {
		case e.Kind == history.Deliver && e.Damage == history.CorruptEnvelope:
			counts[oracle.Corrupted]++
		case e.Kind == history.Deliver && e.Damage == history.Foreign:
			counts[oracle.Unexpected]++
		case e.Kind == history.Invoke, e.Kind == history.Deliver, e.Kind == history.Processed:
			if e.Damage == history.CorruptPayload {
				counts[oracle.Corrupted]++
			}
			if !seen[e.Identity] {
				seen[e.Identity] = true
				ids = append(ids, e.Identity)
			}
		}
	}
	for _, id := range ids {
		sent := len(n.of(history.Invoke, id, "")) > 0
		if sent {
			counts["offered"]++
			counts[n.state(id).String()]++
		}
		for _, group := range groups {
			n.received(counts, id, group, sent)
			if sent && n.overtaken(id, group, ids) {
				counts[oracle.Reordered]++
			}
		}
	}
	return counts
}

// received counts what is wrong with one message in one group.
func (n *naive) received(counts map[string]int64, id queue.Identity, group string, sent bool) {
	delivered, processed := n.of(history.Deliver, id, group), n.of(history.Processed, id, group)
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
		if (strict || k+1 > had) && k > duplicates {
			doubled++
			counts[oracle.Duplicated]++
		}
	}
	switch {
	case !sent && len(delivered)+len(processed) > 0:
		counts[oracle.Unexpected]++
	case sent && n.state(id) == queue.Failed && len(delivered) > 0:
		counts[oracle.FailedButDelivered]++
	case sent && n.state(id) == queue.OK && len(processed) == 0 && len(n.of(history.DeadLetter, id, group)) == 0:
		counts[oracle.Lost]++
	}
}

// ackedBefore says whether the last of the deliveries came after a confirmed ack of its own claim, as of the one before it.
func (n *naive) ackedBefore(id queue.Identity, group string, delivered []int) bool {
	last := delivered[len(delivered)-1]
	claim := n.events[last].Claim
	acked, current := false, int64(0)
	for i := range n.events[:last] {
		e := &n.events[i]
		if e.Identity != id || e.Group != group {
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
