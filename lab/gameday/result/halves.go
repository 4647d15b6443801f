package result

import (
	"fmt"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
)

// Judgement is the verdict on one half of what a system promises. Safety: nothing bad happened to any message. Liveness: what was
// to happen did happen, in time and within its bounds. A system may keep one and break the other, and what to do about it differs;
// the run's Verdict is that on the whole.
type Judgement struct {
	Verdict oracle.Verdict `json:"verdict"`  // pass, fail or unknown
	Reasons []string       `json:"reasons"`  // why it is not pass; empty for pass
	RestsOn []string       `json:"rests_on"` // the checks, criteria and guards that belong to it
}

// isSafety says of a check, a criterion or a guard, by the metric that it is on, to which half it belongs: what befell a message
// is safety, and all the rest is liveness: whether it went on, how fast, how late, and within what means.
func isSafety(metric string) bool {
	return metric != oracle.Late && slices.Contains(oracle.Names(), metric)
}

// halves judges safety and liveness. doubts are what is not known of the run as a whole, and so of both.
func (r *Result) halves(checks []oracle.Check, s *scenario.Scenario, doubts []string) {
	r.Safety, r.Liveness = newJudgement(), newJudgement()
	add := func(metric string, c oracle.Check, why string) {
		if isSafety(metric) {
			r.Safety.add(c, why)
			return
		}
		r.Liveness.add(c, why)
	}
	for _, c := range checks {
		metric, _, _ := strings.Cut(c.Expr, " ")
		add(metric, c, checkWords(c))
	}
	drained := oracle.Check{Expr: "drained", Verdict: oracle.Unknown}
	if r.Drained {
		drained.Verdict = oracle.Pass
	}
	r.Liveness.add(drained, "the queue was not proven empty")
	own := r.Criteria[len(checks):]
	for i, c := range s.ParsedCriteria[:min(len(own), len(s.ParsedCriteria))] {
		add(c.Query.Metric, own[i], criterionWords(own[i]))
	}
	for i, g := range s.ParsedGuards[:min(len(r.Guards), len(s.ParsedGuards))] {
		add(g.Query.Metric, r.Guards[i], guardWords(r.Guards[i]))
	}
	r.Safety.doubt(doubts)
	r.Liveness.doubt(doubts)
}

func newJudgement() Judgement {
	return Judgement{Verdict: oracle.Pass, Reasons: []string{}, RestsOn: []string{}}
}

// add takes a check in. A failure beats what is not known.
func (j *Judgement) add(c oracle.Check, why string) {
	j.RestsOn = append(j.RestsOn, c.Expr)
	if c.Verdict == oracle.Pass {
		return
	}
	if c.Verdict == oracle.Fail {
		j.Verdict = oracle.Fail
	} else if j.Verdict == oracle.Pass {
		j.Verdict = oracle.Unknown
	}
	j.because(why)
}

func (j *Judgement) doubt(doubts []string) {
	for _, why := range doubts {
		if j.Verdict == oracle.Pass {
			j.Verdict = oracle.Unknown
		}
		j.because(why)
	}
}

func (j *Judgement) because(why string) {
	if !slices.Contains(j.Reasons, why) {
		j.Reasons = append(j.Reasons, why)
	}
}

func checkWords(c oracle.Check) string {
	if c.Verdict == oracle.Fail {
		return c.Expr + ": found " + c.Value
	}
	return c.Expr + ": " + c.Reason
}

func guardWords(c oracle.Check) string { return join(fmt.Sprintf("guard %q", c.Expr), c.Reason) }

// doubts are what is not known of the run as a whole.
func (r *Result) doubts(o oracle.Result, more []string) (why []string) {
	if r.Abort != nil {
		why = append(why, abortWords(r.Abort))
	}
	return slices.Concat(why, r.besidesAbort(atLarge(o)), more, unmet(r), unsent(r), distrust(r))
}

// atLarge are the reasons of the oracle that belong to no single check: what is not known of the history as a whole.
func atLarge(o oracle.Result) (why []string) {
	for _, reason := range o.Reasons {
		if !slices.ContainsFunc(o.Checks, func(c oracle.Check) bool { return strings.HasPrefix(reason, c.Expr+": ") }) {
			why = append(why, reason)
		}
	}
	return why
}
