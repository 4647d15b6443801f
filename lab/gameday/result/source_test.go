package result_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/oracle"
)

// Every metric of the catalog, with every aggregation, over the run and over a phase, has a value in a run that has it all: a
// metric that nobody answers would make every scenario that uses it unknown.
func TestEveryMetricIsAnswered(t *testing.T) {
	var lines []string
	for _, m := range criteria.Metrics() {
		name := strings.Replace(m.Name, "NAME", "checkout", 1)
		zero := map[criteria.Unit]string{criteria.Seconds: "0s", criteria.Bytes: "0B", criteria.PerSecond: "0/s", criteria.Ratio: "0%", criteria.Count: "0"}[m.Unit]
		if len(m.Aggs) == 0 {
			lines = append(lines, fmt.Sprintf("  - %q", name+" >= "+zero))
		}
		for _, agg := range m.Aggs {
			lines = append(lines, fmt.Sprintf("  - %q", agg+"("+name+") >= "+zero))
			if m.Phase {
				lines = append(lines, fmt.Sprintf("  - %q", agg+"("+name+", baseline) >= "+zero))
			}
		}
	}
	r := judge(t, kill(), parse(t, strings.Join(lines, "\n"), ""))
	if len(lines) < 60 {
		t.Errorf("only %d criteria", len(lines))
	}
	for _, c := range r.Criteria {
		if c.Verdict != oracle.Pass {
			t.Errorf("%s: %s, %s", c.Expr, c.Verdict, c.Reason)
		}
	}
}

// What the metrics say of the kill run.
func TestMetricValues(t *testing.T) {
	for expr, want := range map[string]string{
		"offered == 1390":                       "1,390",
		"attempts == 1390":                      "1,390",
		"lost == 0":                             "0",
		"mean(rate.sent, baseline) > 0.9x":      "99/s", // 490 messages in 4.95 s
		"max(rate.acked, baseline) <= 100/s":    "100/s",
		"min(rate.acked) == 0/s":                "0/s",
		"max(latency.e2e, baseline) < 4ms":      "3ms",
		"mean(latency.ack, baseline) < 3ms":     "2ms",
		"max(lag) < 1000":                       "21",
		"last(lag) == 0":                        "0",
		"error_rate == 0%":                      "0%",
		"max(memory) < 1MiB":                    "1.09KiB",
		"probe.checkout.ok > 80%":               "84.62%",
		"probe.checkout.failed == 2":            "2",
		"max(probe.checkout.latency) < 1s":      "39ms",
		"p50(probe.checkout.latency) < 1s":      "21ms",
		"drain < 2s":                            "1.01s",
		"mean(rate.processed, recover) >= 0.5x": "100/s",
		"lag.recovered < 12s":                   "4s",
		"failover < 12s":                        "3s",
		"downtime.produce < 4s":                 "3s",
		"p999(latency.e2e) < 4s":                "2.99s",
	} {
		r := judge(t, kill(), parse(t, fmt.Sprintf("  - %q", expr), ""))
		i := slices.IndexFunc(r.Criteria, func(c oracle.Check) bool { return c.Expr == expr })
		if c := r.Criteria[max(i, 0)]; i < 0 || c.Verdict != oracle.Pass || c.Value != want {
			t.Errorf("%s: %s, found %q, want %q %s", expr, c.Verdict, c.Value, want, c.Reason)
		}
	}
}
