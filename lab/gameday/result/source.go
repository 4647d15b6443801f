package result

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/oracle"
)

// source answers the queries of criteria out of a judged run.
type source struct {
	result *Result
	facts  *facts
}

var _ criteria.Source = source{}

// Value implements criteria.Source. What was not measured, or cannot be told because the queue was not drained or the history
// is cut off, is not known.
func (s source) Value(q criteria.Query) (float64, bool) {
	if v, ok, is := s.account(q.Metric); is {
		return v, ok && q.Phase == "" && q.Agg == ""
	}
	switch q.Metric {
	case "failover":
		return s.recovery(func(r oracle.Recovery) float64 { return r.Failover })
	case "lag.recovered":
		return s.recovery(func(r oracle.Recovery) float64 { return r.Lag })
	case "downtime.produce":
		return s.result.Downtime.Produce, s.result.Complete && s.facts.messages.offered > 0
	case "downtime.consume":
		return s.result.Downtime.Consume, s.result.Complete && s.facts.e2e.count() > 0
	case "drain":
		return s.drain()
	case "latency.e2e":
		return s.latency(q, s.facts.e2e, func(l *phaseLatencies) *histogram { return l.e2e })
	case "latency.ack":
		return s.latency(q, s.facts.ack, func(l *phaseLatencies) *histogram { return l.ack })
	case "lag":
		return s.lag(q)
	case "rate.sent":
		return s.rate(q, s.result.Timeline.Sent, func(p *phaseFacts) int64 { return p.Sent })
	case "rate.acked":
		return s.rate(q, s.result.Timeline.Acked, func(p *phaseFacts) int64 { return p.Acked })
	case "rate.processed":
		return s.rate(q, s.result.Timeline.Processed, func(p *phaseFacts) int64 { return p.Processed })
	case "error_rate":
		return s.errorRate(q)
	case "memory":
		return float64(s.facts.memory.max), s.facts.memory.max > 0
	}
	return s.probe(q)
}

// account answers the counts. is reports whether the metric is one of them.
func (s source) account(metric string) (v float64, ok, is bool) {
	c, r := s.result.Counts, s.result
	counts := map[string]int64{
		"offered": c.Offered, "acked": c.Acked, "failed": c.Failed, "in_doubt": c.InDoubt, "not_sent": c.NotSent,
		"attempts": c.Attempts, "delivered": c.Delivered, "processed": c.Processed, "dead_lettered": c.DeadLettered,
	}
	if n, is := counts[metric]; is {
		return float64(n), r.Complete, true
	}
	if metric == "queued" {
		return float64(c.Queued), r.Complete && r.Drained, true
	}
	if !slices.Contains(oracle.Names(), metric) {
		return 0, false, false
	}
	n := r.Anomalies[metric].Total
	// What was found is there. That nothing more would be found is known only of a whole history, and that a message which
	// did not arrive is lost, only of a queue that was drained.
	known := r.Complete && (metric != oracle.Lost || r.Drained)
	return float64(n), known || n > 0, true
}

// recovery is the longest over all faults. One that did not come back, or of which it is not known, makes the whole not known.
func (s source) recovery(of func(oracle.Recovery) float64) (float64, bool) {
	worst := 0.0
	for _, r := range s.result.Recovery {
		v := of(r)
		if v < 0 {
			return 0, false
		}
		worst = max(worst, v)
	}
	return worst, len(s.result.Recovery) > 0
}

func (s source) drain() (float64, bool) {
	worst := 0.0
	for _, d := range s.result.Drains {
		if !d.Proven {
			return 0, false
		}
		worst = max(worst, d.Took)
	}
	return worst, len(s.result.Drains) > 0
}

func (s source) latency(q criteria.Query, whole *histogram, of func(*phaseLatencies) *histogram) (float64, bool) {
	h := whole
	if q.Phase != "" {
		h = nil
		for _, p := range s.facts.phases.named(q.Phase) {
			if p.hist == nil {
				continue
			}
			if h == nil {
				h = newHistogram(3)
			}
			h.merge(of(p.hist))
		}
	}
	if h == nil || h.count() == 0 {
		return 0, false
	}
	switch q.Agg {
	case "min":
		return float64(h.min) / 1e9, true
	case "max":
		return float64(h.max) / 1e9, true
	case "mean":
		return h.mean(), true
	}
	p, ok := percentile(q.Agg)
	return h.percentile(p), ok
}

// percentile reads "p50", "p99", "p999".
func percentile(agg string) (float64, bool) {
	text, ok := strings.CutPrefix(agg, "p")
	if !ok || len(text) < 2 {
		return 0, false
	}
	p, err := strconv.ParseFloat(text[:2]+"."+text[2:], 64)
	return p, err == nil && p >= 0
}

func (s source) lag(q criteria.Query) (float64, bool) {
	if s.facts.messages.offered == 0 {
		return 0, false
	}
	if q.Agg == "max" && q.Phase == "" {
		worst := s.facts.phases.outside.LagMax
		for _, p := range s.facts.phases.list {
			worst = max(worst, p.LagMax)
		}
		return worst, true
	}
	if q.Agg == "max" {
		worst, phases := 0.0, s.facts.phases.named(q.Phase)
		for _, p := range phases {
			worst = max(worst, p.LagMax)
		}
		return worst, len(phases) > 0
	}
	var values []float64
	for i, v := range s.result.Timeline.Lag {
		if v != nil && s.within(i, q.Phase) {
			values = append(values, *v)
		}
	}
	return aggregate(values, q.Agg)
}

// rate is exact in the mean; the extremes are those of the timeline's buckets that lie wholly within.
func (s source) rate(q criteria.Query, series []float64, of func(*phaseFacts) int64) (float64, bool) {
	if q.Agg == "mean" {
		return s.meanRate(q.Phase, of)
	}
	var values []float64
	for i, v := range series {
		if s.within(i, q.Phase) {
			values = append(values, v)
		}
	}
	return aggregate(values, q.Agg)
}

func (s source) meanRate(phase string, of func(*phaseFacts) int64) (float64, bool) {
	list := s.facts.phases.named(phase)
	n, seconds := int64(0), 0.0
	if phase == "" {
		list, n, seconds = s.facts.phases.list, of(&s.facts.phases.outside), float64(s.facts.end)/1e9
	}
	for _, p := range list {
		n += of(p)
		if phase != "" {
			seconds += p.Seconds()
		}
	}
	return float64(n) / seconds, seconds > 0
}

// within reports whether a bucket of the timeline lies wholly in phases of this name. Empty: in the run.
func (s source) within(i int, phase string) bool {
	from := int64(float64(i) * s.result.Timeline.Bucket * 1e9)
	to := int64(float64(i+1) * s.result.Timeline.Bucket * 1e9)
	if phase == "" {
		return to <= s.facts.end
	}
	return slices.ContainsFunc(s.facts.phases.named(phase), func(p *phaseFacts) bool { return p.From <= from && to <= p.To })
}

func (s source) errorRate(q criteria.Query) (float64, bool) {
	errors, attempts := s.facts.errors, s.facts.attempts
	if q.Phase != "" {
		errors, attempts = 0, 0
		for _, p := range s.facts.phases.named(q.Phase) {
			errors += p.Errors
			attempts += p.attempts
		}
	}
	return float64(errors) / float64(attempts), attempts > 0
}

func (s source) probe(q criteria.Query) (float64, bool) {
	name, ok := q.Probe()
	p := s.facts.probes[name]
	if !ok || p == nil {
		return 0, false
	}
	switch q.Metric[len("probe.")+len(name)+1:] {
	case "ok":
		return float64(p.OK) / float64(p.OK+p.Failed), true
	case "failed":
		return float64(p.Failed), s.result.Complete || p.Failed > 0
	case "latency":
		return aggregate(p.latencies, q.Agg)
	}
	return 0, false
}

// aggregate is over plain values; percentiles are nearest ranks.
func aggregate(values []float64, agg string) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	switch agg {
	case "min":
		return slices.Min(values), true
	case "max":
		return slices.Max(values), true
	case "last":
		return values[len(values)-1], true
	case "mean":
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum / float64(len(values)), true
	}
	p, ok := percentile(agg)
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1], ok
}
