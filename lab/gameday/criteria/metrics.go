package criteria

import (
	"slices"
	"strings"
)

// Unit is the kind of number that a metric is, and so the units that its bounds are written in.
type Unit uint8

// The kinds of numbers. The zero value is a count.
const (
	Count     Unit = iota // a whole number of messages or of events
	Seconds               // a duration
	Ratio                 // a share, 0..1
	Bytes                 // a size
	PerSecond             // a rate
)

// String names the unit for help texts.
func (u Unit) String() string {
	switch u {
	case Seconds:
		return "duration"
	case Ratio:
		return "ratio"
	case Bytes:
		return "size"
	case PerSecond:
		return "rate"
	default:
		return "count"
	}
}

// Metric describes what can be asked for.
type Metric struct {
	Name string
	Unit Unit
	// Aggs are the aggregations of a series, one of which must be named; empty: the metric is one number.
	Aggs []string
	// Phase reports whether a query may be limited to a phase.
	Phase bool
	// Live reports whether a run answers for the metric while it goes on, so that a guard can watch it.
	Live bool
	Help string
}

// Metrics is the catalog of a run, in the order of help texts. The metrics of a probe stand in it with the name "NAME".
func Metrics() []Metric {
	return slices.Concat(countMetrics(), anomalyMetrics(), durationMetrics(), seriesMetrics(), probeMetrics("NAME"))
}

func countMetrics() []Metric {
	return []Metric{
		{Name: "offered", Help: "messages handed to the queue at least once"},
		{Name: "acked", Help: "sends that the broker confirmed"},
		{Name: "failed", Help: "messages that the broker proved not to have taken, at every attempt"},
		{Name: "in_doubt", Help: "sends of which no answer came: they may have arrived"},
		{Name: "not_sent", Help: "messages that the schedule could not even offer"},
		{Name: "attempts", Help: "sends, retries included"},
		{Name: "delivered", Help: "distinct messages that reached a consumer"},
		{Name: "processed", Help: "acked messages whose work was done"},
		{Name: "dead_lettered", Help: "acked messages that ended in a dead-letter topic"},
		{Name: "queued", Help: "acked messages that the broker still holds at the end"},
	}
}

func anomalyMetrics() []Metric {
	return []Metric{
		{Name: "lost", Help: "acked messages that are nowhere"},
		{Name: "duplicated", Help: "delivered again after a confirmed ack, or processed twice"},
		{Name: "redelivered", Help: "delivered again before a confirmed ack"},
		{Name: "reordered", Help: "overtaken where the sender had waited"},
		{Name: "corrupted", Help: "payload or envelope damaged"},
		{Name: "unexpected", Help: "delivered and never sent"},
		{Name: "failed_but_delivered", Help: "proven not taken, and delivered"},
		{Name: "late", Help: "delivered after the contract's max-delay"},
	}
}

func durationMetrics() []Metric {
	return []Metric{
		{Name: "failover", Unit: Seconds, Help: "from a fault to the first confirmed send after the outage that it began; the longest"},
		{Name: "lag.recovered", Unit: Seconds, Help: "from a fault until the consumers' lag was back to normal for good; the longest"},
		{Name: "downtime.produce", Unit: Seconds, Help: "time without a single confirmed send, all outages together"},
		{Name: "downtime.consume", Unit: Seconds, Help: "time without a single delivery, all outages together"},
		{Name: "drain", Unit: Seconds, Help: "from the last send until every group was proven empty"},
	}
}

func seriesMetrics() []Metric {
	latency := []string{"p50", "p90", "p95", "p99", "p999", "max", "mean", "min"}
	rate := []string{"min", "mean", "max"}
	return []Metric{
		{"latency.e2e", Seconds, latency, true, true, "from the intended send time to the first delivery"},
		{"latency.ack", Seconds, latency, true, false, "from the intended send time to the broker's confirmation"},
		{"lag", Count, []string{"max", "mean", "last"}, true, true, "messages acked and not yet processed"},
		{"rate.sent", PerSecond, rate, true, true, "messages offered a second"},
		{"rate.acked", PerSecond, rate, true, true, "sends confirmed a second"},
		{"rate.processed", PerSecond, rate, true, true, "messages processed a second"},
		{"error_rate", Ratio, nil, false, true, "share of send attempts that were refused or not answered; in a guard, of the last seconds"},
		{"memory", Bytes, []string{"max"}, false, false, "resident memory of havoq and its nodes together"},
	}
}

func probeMetrics(name string) []Metric {
	latency := []string{"p50", "p90", "p95", "p99", "p999", "max", "mean", "min"}
	return []Metric{
		{"probe." + name + ".ok", Ratio, nil, false, true, "share of the probe's asks that were answered well; in a guard, of the last seconds"},
		{"probe." + name + ".failed", Count, nil, false, true, "asks of the probe that failed"},
		{"probe." + name + ".latency", Seconds, latency, false, false, "how long the probe's answers took"},
	}
}

// FactMetrics is the catalog of prerequisites: what is known before the load begins.
func FactMetrics() []Metric {
	return []Metric{
		{Name: "cluster.nodes", Help: "nodes of the cluster"},
		{Name: "cluster.replicas", Help: "copies of each message that the broker keeps"},
		{Name: "workload.producers", Help: "producers of the load"},
		{Name: "workload.consumers", Help: "consumers of the load"},
	}
}

// Facts is a Source of single numbers by the metric's name.
type Facts map[string]float64

// Value implements Source.
func (f Facts) Value(q Query) (float64, bool) {
	v, ok := f[q.Metric]
	return v, ok && q.Agg == "" && q.Phase == ""
}

var _ Source = Facts(nil)

// Counts lists the metrics that are plain counts of a finished run: those that a scenario's "expect" may bound.
func Counts() []Metric { return slices.Concat(countMetrics(), anomalyMetrics()) }

// Find looks a metric of a run up by its name: "lost", "latency.e2e", "probe.checkout.ok".
func Find(name string) (Metric, bool) {
	list := Metrics()
	if probe, _, ok := splitProbe(name); ok {
		list = probeMetrics(probe)
	}
	return find(list, name)
}

// Probe returns the name of the probe that a query asks about, if it is about one.
func (q Query) Probe() (name string, ok bool) {
	name, _, ok = splitProbe(q.Metric)
	return name, ok
}

func splitProbe(metric string) (probe, what string, ok bool) {
	rest, ok := strings.CutPrefix(metric, "probe.")
	if !ok {
		return "", "", false
	}
	probe, what, ok = strings.Cut(rest, ".")
	return probe, what, ok && probe != ""
}

func find(list []Metric, name string) (Metric, bool) {
	i := slices.IndexFunc(list, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return list[i], true
}

func names(list []Metric) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.Name
	}
	return out
}
