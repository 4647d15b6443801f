package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Result judges what was seen so far. It may be called more than once, and between events.
func (j *Judge) Result() Result {
	a := j.account()
	r := Result{
		Counts:    a.counts,
		Anomalies: make(map[string]Anomaly, len(a.tally)),
		Faults:    j.faults.windows(a.byFault),
		Outages:   []Outage{},
		Witnesses: a.wit.list,
		Drained:   len(j.list) > 0,
		Complete:  j.complete,
		Aborted:   j.aborted,
		Sources:   slices.Clone(j.sources),
	}
	for name, n := range a.tally {
		r.Anomalies[name] = *n
	}
	for _, g := range j.list {
		r.Drained = r.Drained && (g.drained || !j.tellsLoss(g))
		r.Positions = append(r.Positions, g.positions.list()...)
	}
	r.Recovery = j.outages(&r)
	for _, c := range checks() {
		if !c.promised(j.config.Contract) || c.anomaly == j.config.without {
			continue
		}
		if slices.Contains(implied(), c.anomaly) && a.tally[c.anomaly].Total == 0 && j.blind(c.anomaly) != nil {
			continue
		}
		r.Checks = append(r.Checks, c.judge(a))
	}
	r.conclude(j.doubts(a, &r))
	return r
}

// outages lists the outages and the recoveries from faults.
func (j *Judge) outages(r *Result) []Recovery {
	list, ongoing := j.sends.outages(j.now)
	produce := spans{list, ongoing}
	for _, w := range list {
		r.Outages = append(r.Outages, Outage{Side: "produce", Window: w})
	}
	var consume []spans
	for _, g := range j.list {
		list, ongoing := g.gaps.outages(j.now)
		consume = append(consume, spans{list, ongoing})
		for _, w := range list {
			r.Outages = append(r.Outages, Outage{Side: "consume", Group: g.name, Window: w})
		}
	}
	r.Clients = j.clientOutages()
	return j.recovery(produce, consume)
}

// clientOutages lists the outages of each track's own sends. One producer may be cut off while others get through.
func (j *Judge) clientOutages() []Outage {
	var all []Outage
	for _, t := range j.sorted() {
		list, _ := t.watch.outages(j.now, outageFloor)
		for _, w := range list {
			if len(all) == maxClientOutages {
				return all
			}
			all = append(all, Outage{Side: "produce", Client: t.client, Producer: t.id.Producer, Window: w})
		}
	}
	return all
}

// maxClientOutages bounds what a result lists.
const maxClientOutages = 1000

// conclude makes the verdict of the checks and of what is not known.
func (r *Result) conclude(doubts []string) {
	r.Verdict, r.Reasons = Pass, []string{}
	for _, c := range r.Checks {
		if c.Verdict == Fail {
			r.Verdict = Fail
			r.Reasons = append(r.Reasons, fmt.Sprintf("%s: found %s", c.Expr, c.Value))
		}
	}
	if r.Verdict == Pass && len(doubts) > 0 {
		r.Verdict = Unknown
	}
	for _, c := range r.Checks {
		if c.Verdict == Unknown {
			if r.Verdict == Pass {
				r.Verdict = Unknown
			}
			if !slices.Contains(doubts, c.Reason) {
				doubts = append(doubts, fmt.Sprintf("%s: %s", c.Expr, c.Reason))
			}
		}
	}
	r.Reasons = append(r.Reasons, doubts...)
}

// doubts says why the history proves too little to pass.
func (j *Judge) doubts(a *account, r *Result) []string {
	var why []string
	if j.aborted != "" {
		why = append(why, "the run was aborted by "+j.aborted)
	}
	if !j.complete {
		why = append(why, "the history is not complete: it has no end, the run was cut off")
	}
	for _, what := range slices.Sorted(maps.Keys(j.malformed)) {
		why = append(why, fmt.Sprintf("the history has %d %s", j.malformed[what], what))
	}
	if err := a.check(); err != nil {
		why = append(why, "the judge's own account does not add up: "+err.Error())
	}
	why = append(why, j.config.Contract.doubts()...)
	c := &r.Counts
	switch {
	case c.Offered == 0:
		why = append(why, "nothing was sent")
	case c.Acked == 0:
		why = append(why, "nothing was acked")
	case c.Processed == 0:
		why = append(why, "nothing was processed")
	}
	if c.Offered > 0 && len(j.list) == 0 {
		why = append(why, "no consumer group was seen")
	}
	for _, g := range j.list {
		if !g.drained && j.tellsLoss(g) {
			why = append(why, g.undrained())
		}
	}
	if c.Unaccounted > 0 {
		why = append(why, fmt.Sprintf("%d acked messages are unaccounted for", c.Unaccounted))
	}
	why = append(why, a.unread...)
	if a.vague > 0 {
		why = append(why, notTold(a))
	}
	if j.sends.dropped > 0 {
		why = append(why, fmt.Sprintf("the outages of the producers are too many: %d are not listed", j.sends.dropped))
	}
	for _, g := range j.list {
		if g.gaps.dropped > 0 {
			why = append(why, fmt.Sprintf("the outages of group %q are too many: %d are not listed", g.name, g.gaps.dropped))
		}
	}
	return append(why, j.faults.reasons()...)
}

// doubts says what of the contract is not understood. Nothing passes by a misspelt promise.
func (c Contract) doubts() []string {
	var why []string
	switch c.Delivery {
	case "", AtMostOnce, AtLeastOnce, ExactlyOnce:
	default:
		why = append(why, fmt.Sprintf("the contract promises delivery %q, which is none of %s, %s, %s",
			c.Delivery, AtMostOnce, AtLeastOnce, ExactlyOnce))
	}
	switch c.Order {
	case NoOrder, OrderKey, OrderProducer, OrderPartition:
	default:
		why = append(why, fmt.Sprintf("the contract promises order %q, which is none of %s, %s, %s", c.Order, OrderKey, OrderPartition,
			OrderProducer))
	}
	for _, a := range c.Allow {
		if !slices.Contains(implied(), a) {
			why = append(why, fmt.Sprintf("the contract allows %q, but only %s can be allowed", a, strings.Join(implied(), ", ")))
		}
	}
	for _, f := range c.Forgive {
		if f != caused {
			why = append(why, fmt.Sprintf("the contract forgives %q, but only %s can be forgiven", f, caused))
		}
	}
	return why
}
