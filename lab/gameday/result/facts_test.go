package result_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// A send that was under way when the fault began met it, too.
func TestSendsUnderWayAreExposed(t *testing.T) {
	tp := kill()
	tp.message(5*second-3*ms, 5*second+8*ms)
	if r := judge(t, tp, parse(t, "", "")); r.Exposed != 551 {
		t.Errorf("%d sends met the fault, want 551", r.Exposed)
	}
}

// The lag is that of the group that is furthest behind.
func TestLagOfTheSlowestGroup(t *testing.T) {
	tp := kill()
	first := tp.events[0].Identity
	for _, e := range tp.events {
		if e.Kind == history.Deliver {
			first = e.Identity
			break
		}
	}
	for _, kind := range []history.Kind{history.Deliver, history.Processed} {
		tp.add(102*ms+1, history.Event{Kind: kind, Identity: first, Group: "others", Client: "consumer-9", Attempt: 1, Intended: 100 * ms})
	}
	r := judge(t, tp, parse(t, "", ""))
	lag := r.Timeline.Lag[len(r.Timeline.Lag)-1]
	if lag == nil || *lag != 1389 || r.Groups != 2 {
		t.Errorf("lag %v of %d groups, want 1389 of 2", *lag, r.Groups)
	}
}

// One node leads: who led before is up, also if nobody says so.
func TestThereIsOneLeader(t *testing.T) {
	tp := kill()
	tp.node(12*second, "n3", "leader")
	nodes := judge(t, tp, parse(t, "", "")).Timeline.Nodes
	var states []string
	for _, s := range nodes["n2"] {
		states = append(states, s.State)
	}
	if diff := cmp.Diff([]string{"up", "leader", "up"}, states); diff != "" {
		t.Error(diff)
	}
}

// A count that an undrained queue cannot tell of is not known.
func TestLostIsNotKnownUntilDrained(t *testing.T) {
	tp := &tape{}
	tp.outline()
	tp.steady(100*ms, 14*second, 5*second, 8*second)
	tp.add(15*second, history.Event{Kind: history.Drain, Group: "workers", Outcome: queue.Unknown, Value: -1, Detail: "time-out"})
	tp.add(15*second+ms, history.Event{Kind: history.End})
	r := judge(t, tp, parse(t, "  - lost == 0\n  - queued == 0\n  - duplicated == 0\n  - drain < 1m", ""))
	n := len(r.Criteria)
	for i, want := range []oracle.Verdict{oracle.Unknown, oracle.Unknown, oracle.Pass, oracle.Unknown} {
		if c := r.Criteria[n-4+i]; c.Verdict != want {
			t.Errorf("%s is %s, want %s", c.Expr, c.Verdict, want)
		}
	}
}
