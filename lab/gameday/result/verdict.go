package result

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
)

// judgeCriteria adds the scenario's criteria to the contract's.
func judgeCriteria(r *Result, s *scenario.Scenario, from source) {
	for _, c := range s.ParsedCriteria {
		check := oracle.Check{Expr: c.Text}
		check.Verdict, check.Value, check.Reason = c.Eval(from)
		switch c.Query.Metric {
		case "failover":
			placeRecovery(&check, r, c, "sending did not come back",
				func(r oracle.Recovery) float64 { return r.Failover }, from.sentAfter)
		case "lag.recovered":
			if from.facts.lagSampled {
				placeRecovery(&check, r, c, "the lag did not go back to normal",
					func(r oracle.Recovery) float64 { return r.Lag }, func(r oracle.Recovery) float64 { return r.LagWatched })
			}
		}
		r.Criteria = append(r.Criteria, check)
	}
}

// placeRecovery says of which fault a broken limit speaks. A fault from which the system did not come back although it was
// watched for longer than the limit is a proven failure; if nobody watched for so long, it stays unknown.
func placeRecovery(check *oracle.Check, r *Result, c criteria.Criterion, never string, of, watched func(oracle.Recovery) float64) {
	if len(r.Recovery) == 0 || (c.Op != "<" && c.Op != "<=") || c.Relative {
		return
	}
	worst := slices.MaxFunc(r.Recovery, func(a, b oracle.Recovery) int { return cmp.Compare(endless(of(a)), endless(of(b))) })
	if of(worst) >= 0 {
		if check.Verdict == oracle.Fail {
			check.Reason += fmt.Sprintf(" (after %q)", worst.Fault)
		}
		return
	}
	seconds := watched(worst)
	after := fmt.Sprintf("%s within %s after %q", never, criteria.FormatSeconds(seconds), worst.Fault)
	check.Value, check.Reason = "not known", after+", which is as long as it was watched"
	if r.Complete && seconds > c.Bound {
		check.Verdict, check.Value, check.Reason = oracle.Fail, "never", after
	}
}

// sentAfter is how long after a fault's act messages were still sent, in seconds: without sends nobody knows whether sending
// would have come back.
func (s source) sentAfter(of oracle.Recovery) float64 {
	for _, f := range s.result.Faults {
		if f.Name == of.Fault {
			return float64(s.facts.lastSend-f.Begin) / 1e9
		}
	}
	return 0
}

// endless orders a time that is not known, or never came, last.
func endless(seconds float64) float64 {
	if seconds < 0 {
		return 1e300
	}
	return seconds
}

// judgeGuards tells what became of the stop conditions. They were watched while the run went on; a history keeps only the
// abort of the one that was broken.
func judgeGuards(r *Result, s *scenario.Scenario) {
	for _, g := range s.ParsedGuards {
		check := oracle.Check{Expr: g.Text, Verdict: oracle.Pass, Value: "held"}
		switch {
		case r.Abort != nil && r.Abort.By == "guard" && strings.Contains(r.Abort.Why, g.Text):
			check.Verdict, check.Reason = oracle.Fail, r.Abort.Why
			check.Value = "broken at " + criteria.FormatSeconds(float64(r.Abort.At)/1e9)
		case r.Abort != nil:
			check.Value = "held until the run was ended"
		case !r.Complete:
			check.Verdict, check.Value = oracle.Unknown, "not known"
			check.Reason = "the history ends before the run did, so nobody knows whether the guard held"
		}
		r.Guards = append(r.Guards, check)
	}
}

// missingFaults tells of faults that the scenario injects and the history does not have, step by step: a run that did not break
// what it was to break proves nothing. begun is how many faults began in each inject phase.
func missingFaults(s *scenario.Scenario, begun []int) string {
	step := 0
	for i, p := range s.Phases {
		if p.Inject == nil {
			continue
		}
		planned, had := max(1, len(p.Inject.Names)), 0
		if step < len(begun) {
			had = begun[step]
		}
		if had < planned {
			return fmt.Sprintf("phase %d injects %s, and %d began", i+1, count(planned, "fault"), had)
		}
		step++
	}
	return ""
}

// unmet tells of faults of the cluster that no message met: what nobody sends into proves nothing about those who send.
func unmet(r *Result) (why []string) {
	for _, f := range r.Faults {
		if f.Layer == "cluster" && f.Exposed == 0 {
			why = append(why, fmt.Sprintf("no message was on its way while %q was in force, so its effect cannot be told: raise the "+
				"workload's rate, or let the fault last longer", f.Name))
		}
	}
	return why
}

// conclude combines everything into one verdict, and says in sentences why it is not pass. Ended early beats failed, failed
// beats not known, and pass is only what is left.
func conclude(r *Result, o oracle.Result, doubts []string) (oracle.Verdict, []string) {
	verdict := oracle.Pass
	var reasons []string
	worsen := func(to oracle.Verdict, why ...string) {
		if to == oracle.Fail || verdict == oracle.Pass {
			verdict = to
		}
		for _, w := range why {
			if w != "" && !slices.Contains(reasons, w) {
				reasons = append(reasons, w)
			}
		}
	}
	if r.Abort != nil {
		reasons = append(reasons, abortWords(r.Abort))
	}
	if o.Verdict != oracle.Pass {
		worsen(o.Verdict, r.besidesAbort(o.Reasons)...)
	}
	for _, want := range []oracle.Verdict{oracle.Fail, oracle.Unknown} {
		for _, c := range r.Criteria[len(o.Checks):] {
			if c.Verdict == want {
				worsen(want, criterionWords(c))
			}
		}
	}
	for _, why := range slices.Concat(doubts, unmet(r), unsent(r), distrust(r)) {
		worsen(oracle.Unknown, why)
	}
	if r.Abort != nil {
		verdict = Aborted
	}
	return verdict, reasons
}

// besidesAbort leaves out what follows from the abort, which is told already.
func (r *Result) besidesAbort(reasons []string) []string {
	if r.Abort == nil {
		return reasons
	}
	return slices.DeleteFunc(slices.Clone(reasons), func(why string) bool {
		return strings.HasPrefix(why, "the run was aborted by") || strings.HasPrefix(why, "the history is not complete")
	})
}

// unsent tells of a load that was not what the scenario asked for: a system that took less than half of it was not tried with it.
func unsent(r *Result) []string {
	c := r.Counts
	if c.NotSent <= c.Offered {
		return nil
	}
	return []string{fmt.Sprintf("most of the load was never sent: %s of %s messages; lower workload.rate, or raise what limits it",
		criteria.Count.Format(float64(c.NotSent)), criteria.Count.Format(float64(c.NotSent+c.Offered)))}
}

// distrust says why the judgement itself could not be trusted.
func distrust(r *Result) (why []string) {
	t := r.SelfTest
	switch {
	case t.Planted == 0:
		why = append(why, "the judge could not test itself on this history: there was nothing to plant an anomaly in")
	case t.Found < t.Planted:
		why = append(why, fmt.Sprintf("the judge found only %d of the %d anomalies planted in a copy of this history (missed: %s)",
			t.Found, t.Planted, strings.Join(t.Missed, ", ")))
	}
	return append(why, unclosed(r)...)
}

// unclosed says where the account of the messages does not add up: then the judge, or the history, is wrong. With several
// groups the second equation holds for each group and the streams that it is responsible for, which the oracle sees to.
func unclosed(r *Result) (why []string) {
	c := r.Counts
	if c.Offered != c.Acked+c.Failed+c.InDoubt {
		why = append(why, fmt.Sprintf("the account does not close: %d offered are not %d acked + %d failed + %d in doubt",
			c.Offered, c.Acked, c.Failed, c.InDoubt))
	}
	if r.Groups == 1 && c.Acked != c.Processed+c.DeadLettered+c.Queued+c.Lost+c.Unaccounted {
		why = append(why, fmt.Sprintf("the account does not close: %d acked are not %d processed + %d dead-lettered + %d queued + %d lost "+
			"+ %d unaccounted", c.Acked, c.Processed, c.DeadLettered, c.Queued, c.Lost, c.Unaccounted))
	}
	return why
}

func criterionWords(c oracle.Check) string {
	if c.Verdict == oracle.Fail {
		return fmt.Sprintf("criterion %q does not hold: %s", c.Expr, c.Reason)
	}
	return fmt.Sprintf("criterion %q cannot be told: %s", c.Expr, c.Reason)
}

func abortWords(a *Abort) string {
	at := criteria.FormatSeconds(float64(a.At) / 1e9)
	switch a.By {
	case "guard":
		return join("a guard ended the run at "+at, a.Why)
	case "person":
		return join("a person ended the run at "+at, a.Why)
	default:
		return join("the run could not go on at "+at, a.Why)
	}
}

// judgeExpectation compares with what the scenario says it comes to.
func judgeExpectation(r *Result, e *scenario.Expect, from source) error {
	if e == nil {
		return nil
	}
	expected := e.Verdict == "" || e.Verdict == string(r.Verdict)
	var words []string
	if e.Verdict != "" {
		words = append(words, "verdict "+e.Verdict)
	}
	for _, metric := range sortedKeys(e.Bounds) {
		c, err := criteria.ParseBound(metric, e.Bounds[metric])
		if err != nil {
			return fmt.Errorf("expect %s %s: %w", metric, e.Bounds[metric], err)
		}
		verdict, _, _ := c.Eval(from)
		expected = expected && verdict == oracle.Pass
		words = append(words, metric+" "+e.Bounds[metric])
	}
	r.Expected, r.Expect = &expected, strings.Join(words, ", ")
	return nil
}
