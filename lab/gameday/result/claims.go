package result

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/oracle"
)

// claims says what the counts of the anomalies that the contract forbids are worth. Losses come in bursts, one fault destroying
// many messages, so the fault is the unit, by its verb; the claim by message stands after it. doubts are what is not known of the
// run as a whole: then nothing is claimed, because what was not seen could be anything.
func claims(r *Result, checks []oracle.Check, doubts []string) (list []oracle.Claim) {
	if len(r.Faults) == 0 {
		return nil
	}
	trials := r.trials()
	for _, c := range checks {
		anomaly, _, _ := strings.Cut(c.Expr, " ")
		why := ""
		switch {
		case len(doubts) > 0:
			why = doubts[0]
		case c.Verdict == oracle.Unknown:
			why = c.Reason
		case !r.Complete, anomaly == oracle.Lost && !r.Drained:
			why = "it is not known how many there are"
		}
		for _, verb := range sortedKeys(trials) {
			list = append(list, claimByFault(r, anomaly, verb, trials[verb], why))
		}
		if byMessage(anomaly) {
			list = append(list, claimByMessage(r, anomaly, why))
		}
	}
	return list
}

// byMessage says whether a sent message can show the anomaly: what was never sent, or proven not to be taken, is not among those
// that were acked.
func byMessage(anomaly string) bool {
	return anomaly != oracle.Unexpected && anomaly != oracle.FailedButDelivered
}

// trial is a fault, or several of one verb that were in force at the same time: they are no independent trials.
type trial struct {
	end       int64 // the latest time at which one of them was seen gone; negative: it never was
	anomalies map[string]int64
}

// trials are the faults by verb, as far as they were seen in force, struck something, and were met by a send. A verb of which no
// fault counts is there, without any.
func (r *Result) trials() map[string][]trial {
	all := map[string][]trial{}
	for _, f := range slices.SortedStableFunc(slices.Values(r.Faults), func(a, b Fault) int { return cmp.Compare(a.Begin, b.Begin) }) {
		verb, _, _ := strings.Cut(f.What, " ")
		if f.Layer == "application" { // to kill the user's own program is another trial than to kill a node
			verb = "application " + verb
		}
		list := all[verb]
		if f.Seen > 0 && f.Hits > 0 && r.met(f) > 0 {
			list = f.try(list)
		}
		all[verb] = list
	}
	return all
}

// met is how many sends met the fault: as the oracle counted, or where it did not, all that met faults of this name.
func (r *Result) met(f Fault) int64 {
	if slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.FaultWindow.Exposed > 0 }) {
		return f.FaultWindow.Exposed
	}
	return f.Exposed
}

// try adds the fault to the trials of its verb.
func (f Fault) try(list []trial) []trial {
	end := f.Gone
	if end == 0 {
		end = -1
	}
	if n := len(list); n > 0 && (list[n-1].end < 0 || list[n-1].end >= f.Begin) {
		last := &list[n-1]
		if end < 0 || last.end >= 0 && end > last.end {
			last.end = end
		}
		last.add(f)
		return list
	}
	t := trial{end: end, anomalies: map[string]int64{}}
	t.add(f)
	return append(list, t)
}

func (t *trial) add(f Fault) {
	for name, n := range f.Anomalies {
		t.anomalies[name] += n
	}
}

func claimByFault(r *Result, anomaly, verb string, trials []trial, why string) oracle.Claim {
	a := r.Anomalies[anomaly]
	attributed := a.Caused + a.During
	switch {
	case why != "":
	case len(trials) == 0:
		why = "none was seen in force and met by a send"
	case a.Unexplained > 0:
		why = fmt.Sprintf("no fault explains %s of them", criteria.Count.Format(float64(a.Unexplained)))
	case attributed == 0:
		return oracle.NewClaim(anomaly, verb, 0, int64(len(trials)))
	case told(r, anomaly) != attributed:
		why = "it is not known to which faults they fell"
	default:
		k := int64(0)
		for _, t := range trials {
			if t.anomalies[anomaly] > 0 {
				k++
			}
		}
		return oracle.NewClaim(anomaly, verb, k, int64(len(trials)))
	}
	return oracle.NoClaim(anomaly, verb, why)
}

// told is how many anomalies of this kind are told to have fallen to a fault.
func told(r *Result, anomaly string) (sum int64) {
	for _, f := range r.Faults {
		sum += f.Anomalies[anomaly]
	}
	return sum
}

func claimByMessage(r *Result, anomaly, why string) oracle.Claim {
	total := r.Anomalies[anomaly].Total
	switch {
	case why != "":
	case total > 0:
		why = fmt.Sprintf("%s came up, and what comes in bursts has no rate by message", criteria.Count.Format(float64(total)))
	default:
		return oracle.NewClaim(anomaly, oracle.PerMessage, 0, r.ExposedAcked)
	}
	return oracle.NoClaim(anomaly, oracle.PerMessage, why)
}
