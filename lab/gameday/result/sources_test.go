package result_test

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// A history that was made of what a topic and a table showed.
func TestSourcesAreCounted(t *testing.T) {
	id := func(seq uint64) queue.Identity { return queue.Identity{Run: 1, Producer: 1, Seq: seq} }
	at := func(ms int64) int64 { return ms * 1e6 }
	events := []history.Event{
		{Kind: history.Source, At: 1, Name: "topic orders", Detail: oracle.Reordered},
		{Kind: history.Source, At: 1, Group: "table orders", Name: "table orders", Detail: oracle.Late + history.Blind + oracle.Redelivered},
		{Kind: history.Phase, At: 1, Name: "baseline"},
		{Kind: history.FaultBegin, At: at(1), Name: "crash billing", Node: "billing", Detail: "crash billing"},
		{Kind: history.FaultSeen, At: at(2), Name: "crash billing", Node: "billing", Value: 1},
	}
	for i := range uint64(4) {
		events = append(events, history.Event{Kind: history.Invoke, Outcome: queue.OK, At: at(int64(10 + i)), Intended: at(5), Identity: id(i)})
	}
	for _, seq := range []uint64{0, 1, 1, 9} {
		events = append(events, history.Event{Kind: history.Processed, At: at(25), Identity: id(seq), Group: "table orders"})
	}
	events = append(events,
		history.Event{Kind: history.HealSeen, At: at(30), Name: "crash billing", Node: "billing"},
		history.Event{Kind: history.Gap, At: at(40), Name: history.GapSource, Value: 2, Detail: "2 orders have no ID"},
		history.Event{Kind: history.Gap, At: at(40), Name: history.GapSource, Group: "who", Value: 2, Detail: "nobody posts"},
		history.Event{Kind: history.Drain, At: at(50), Group: "table orders", Outcome: queue.OK},
		history.Event{Kind: history.End, At: at(60)},
	)
	s := &scenario.Scenario{
		Name: "own", Contract: scenario.Contract{Delivery: "at-least-once"},
		Workload: scenario.Workload{External: []scenario.App{{Name: "billing"}}},
	}
	r, err := result.Judge(result.Input{Scenario: s, Events: func() iter.Seq[history.Event] { return slices.Values(events) }})
	if err != nil {
		t.Fatal(err)
	}
	want := []result.Source{
		{Name: "topic orders", CannotSee: []string{oracle.Reordered}, Messages: 4, Doubts: []string{"2 orders have no ID"}},
		{Name: "table orders", Group: "table orders", CannotSee: []string{oracle.Late, oracle.Redelivered}, Messages: 2, Missing: 2, Repeated: 1, Unknown: 1},
	}
	if diff := cmp.Diff(want, r.Sources); diff != "" {
		t.Error(diff)
	}
	for _, doubt := range []string{"2 orders have no ID", "nobody posts"} {
		if !slices.Contains(r.Reasons, doubt) {
			t.Errorf("no reason is %q: %q", doubt, r.Reasons)
		}
	}
	if l := r.Latency["e2e"]; l.Count != 2 || l.P50 < 0.019 || l.P50 > 0.021 {
		t.Errorf("latency %+v", l)
	}
	if _, timed := r.Latency["ack"]; timed {
		t.Error("the broker's ack was timed, which nobody saw")
	}
	if f := r.Faults[0]; f.Layer != "application" || f.Exposed != 4 {
		t.Errorf("fault %+v", f)
	}
	if p := r.Phases[0]; p.Sent != 4 || p.Acked != 4 || p.Processed != 2 || p.LagMax != 4 {
		t.Errorf("phase %+v", p)
	}
	if !slices.ContainsFunc(r.Unproven, func(u string) bool { return strings.HasPrefix(u, "What your application believed to have sent") }) {
		t.Errorf("unproven %q", r.Unproven)
	}
}
