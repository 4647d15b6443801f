// Package criteria reads and evaluates the threshold expressions of scenarios: "failover < 12s",
// "p99(latency.e2e, baseline) < 200ms", and guards: "error_rate < 90% for 20s".
//
// # Grammar
//
//	criterion = query op bound
//	guard     = query op bound "for" duration
//	query     = metric | agg "(" metric [ "," phase ] ")"
//	op        = "<" | "<=" | ">" | ">=" | "==" | "!="
//	bound     = number [ unit ]
//
// The metrics, with their units and aggregations, are one table: [Metrics]. Units are those of the metric: durations take
// ns us ms s m h ("1m30s"), sizes B KB MB GB KiB MiB GiB, rates /s and /m, ratios % or a bare number 0..1, counts nothing.
// A bound in x is relative to the baseline phase: "mean(rate.acked, recover) > 0.9x".
package criteria

import "time"

// Query asks for one number.
type Query struct {
	Metric string // "latency.e2e", "lost", "probe.checkout.ok"
	Agg    string // "p99", "max", …; empty for metrics that are one number
	Phase  string // only within the phases of this name; empty: the whole run
}

// String writes the query as it is written in a scenario.
func (q Query) String() string {
	switch {
	case q.Agg == "":
		return q.Metric
	case q.Phase == "":
		return q.Agg + "(" + q.Metric + ")"
	default:
		return q.Agg + "(" + q.Metric + ", " + q.Phase + ")"
	}
}

// Source answers queries. ok false: there is no data, and what is built on it is unknown. Durations are seconds, ratios 0..1,
// sizes bytes, rates per second.
type Source interface {
	Value(Query) (value float64, ok bool)
}

// Criterion is one parsed expression.
type Criterion struct {
	Text  string // as written
	Query Query
	Op    string // < <= > >= == !=
	Bound float64
	// Relative: Bound is a multiple of the same query's value in the baseline phase.
	Relative bool
	For      time.Duration // guards only: how long it must be broken before it counts
}

// Ops lists the comparison operators.
func Ops() []string { return []string{"<", "<=", ">", ">=", "==", "!="} }

// Phases lists the phase names that a query may be limited to: the verbs of a scenario's phases.
func Phases() []string { return []string{"baseline", "inject", "observe", "recover", "load"} }
