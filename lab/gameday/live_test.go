package gameday

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/queue"
)

// Every metric that a guard may watch is answered live, in the unit and by the aggregation that the guard names.
func TestGuardsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := newLive(func() int64 { return int64(time.Since(start)) })
		if _, ok := l.Value(query(t, "error_rate < 1 for 1s")); ok {
			t.Error("an error rate of nothing is known")
		}
		// Five seconds of 1, 2, 3, 4 and 5 sends each quarter of a second; every second one is refused.
		for second := 1; second <= 5; second++ {
			for range 4 {
				for i := range second {
					l.Record(history.Event{Kind: history.Invoke})
					outcome := queue.OK
					if i%2 == 1 {
						outcome = queue.Failed
					}
					l.Record(history.Event{Kind: history.Outcome, Outcome: outcome})
					l.Record(history.Event{Kind: history.Deliver, Intended: l.now() - int64(second)*1e6})
					l.Record(history.Event{Kind: history.Processed})
				}
				l.Record(history.Event{Kind: history.Sample, Name: "lag", Value: float64(second)})
				bubble.Sleep(250 * time.Millisecond) // in the bubble
			}
		}
		l.Record(history.Event{Kind: history.Probe, Name: "checkout", Value: 1})
		l.Record(history.Event{Kind: history.Probe, Name: "checkout", Value: 0})
		for text, want := range map[string]float64{
			"error_rate":            24.0 / 60,
			"min(rate.sent)":        4,
			"max(rate.sent)":        20,
			"mean(rate.sent)":       12,
			"max(rate.acked)":       12,
			"max(rate.processed)":   20,
			"max(lag)":              5,
			"mean(lag)":             3,
			"last(lag)":             5,
			"max(latency.e2e)":      0.005,
			"min(latency.e2e)":      0.001,
			"p50(latency.e2e)":      0.004,
			"p99(latency.e2e)":      0.005,
			"probe.checkout.ok":     0,
			"probe.checkout.failed": 1,
		} {
			got, ok := l.Value(query(t, text+" < 1 for 1s"))
			if !ok || got < want*0.999 || got > want*1.001 {
				t.Errorf("%s is %v (%v), want %v", text, got, ok, want)
			}
		}
	})
}

func TestNoLiveMetricIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := newLive(func() int64 { return int64(time.Since(start)) })
		l.Record(history.Event{Kind: history.Invoke})
		l.Record(history.Event{Kind: history.Outcome, Outcome: queue.OK})
		l.Record(history.Event{Kind: history.Deliver})
		l.Record(history.Event{Kind: history.Sample, Name: "lag", Value: 1})
		l.Record(history.Event{Kind: history.Probe, Name: "NAME", Value: 1})
		bubble.Sleep(2 * time.Second) // in the bubble
		for _, m := range criteria.Metrics() {
			if !m.Live {
				continue
			}
			aggs := m.Aggs
			if len(aggs) == 0 {
				aggs = []string{""}
			}
			for _, agg := range aggs {
				if _, ok := l.Value(criteria.Query{Metric: m.Name, Agg: agg}); !ok {
					t.Errorf("a guard may watch %s(%s), and nobody answers", agg, m.Name)
				}
			}
		}
	})
}

// Normal is what the baseline's worst moment was, not its last.
func TestHighestLag(t *testing.T) {
	l := newLive(func() int64 { return 1 })
	for _, lag := range []float64{3, 90, 5} {
		l.Record(history.Event{Kind: history.Sample, Name: "lag", Value: lag})
	}
	if got := l.resetLagMax(); got != 90 {
		t.Errorf("%v, want 90", got)
	}
	if got := l.resetLagMax(); got != 5 {
		t.Errorf("of the next span: %v, want 5", got)
	}
}

func query(t *testing.T, guard string) criteria.Query {
	t.Helper()
	c, err := criteria.ParseGuard(guard)
	if err != nil {
		// The bound's unit differs by metric.
		for _, unit := range []string{"s", "/s", "%"} {
			if c, again := criteria.ParseGuard(strings.Replace(guard, " < 1", " < 1"+unit, 1)); again == nil {
				return c.Query
			}
		}
		t.Fatal(err)
	}
	return c.Query
}
