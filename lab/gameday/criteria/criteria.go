// Package criteria reads and evaluates the threshold expressions of scenarios: "failover < 12s",
// "p99(latency.e2e, baseline) < 200ms", and guards: "error_rate < 90% for 20s".
package criteria

import "time"

// Query asks for one number.
type Query struct {
	Metric string // "latency.e2e", "lost", "probe.checkout.ok"
	Agg    string // "p99", "max", …; empty for metrics that are one number
	Phase  string // only within the phases of this name; empty: the whole run
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
	For   time.Duration // guards only: how long it must be broken before it counts
}
