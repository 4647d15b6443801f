package result_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

func claim(t *testing.T, r *result.Result, anomaly, unit string) oracle.Claim {
	t.Helper()
	i := slices.IndexFunc(r.Claims, func(c oracle.Claim) bool { return c.Anomaly == anomaly && c.Unit == unit })
	if i < 0 {
		t.Fatalf("no claim on %s by %q: %+v", anomaly, unit, r.Claims)
	}
	return r.Claims[i]
}

// One kill, in which nothing was lost, says next to nothing, and says so.
func TestClaimsOfARun(t *testing.T) {
	r := judge(t, kill(), parse(t, "", ""))
	if diff := cmp.Diff(oracle.NewClaim(oracle.Lost, "kill", 0, 1), r.Claims[0]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(oracle.NewClaim(oracle.Lost, oracle.PerMessage, 0, 550), r.Claims[1]); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, c := range r.Claims {
		got = append(got, c.Anomaly+" "+c.Unit)
	}
	want := []string{"lost kill", "lost message", "corrupted kill", "corrupted message", "unexpected kill", "failed_but_delivered kill"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Sends that were not confirmed cannot be lost, and count for nothing, however often a client tries against a dead broker.
func TestExposureIsOfAckedMessages(t *testing.T) {
	tp := kill()
	for i := range int64(1000) {
		id := tp.id()
		tp.add(6*second+i*ms, history.Event{Kind: history.Invoke, Identity: id, Attempt: 1, Intended: 6*second + i*ms})
		tp.add(6*second+i*ms+1, history.Event{Kind: history.Outcome, Identity: id, Attempt: 1, Outcome: queue.Unknown})
	}
	// One begins before the fault and is confirmed in it; one tries in vain in it, and is confirmed long after it.
	id := tp.id()
	tp.add(5*second-1, history.Event{Kind: history.Invoke, Identity: id, Attempt: 1, Intended: 5*second - 1})
	tp.add(6*second, history.Event{Kind: history.Outcome, Identity: id, Attempt: 1, Outcome: queue.OK})
	tp.received(id, 5*second-1, 9*second)
	id = tp.id()
	for i, at := range []int64{6 * second, 12 * second} {
		outcome := queue.Unknown
		if i == 1 {
			outcome = queue.OK
		}
		tp.add(at, history.Event{Kind: history.Invoke, Identity: id, Attempt: int32(i + 1), Intended: 6 * second})
		tp.add(at+ms, history.Event{Kind: history.Outcome, Identity: id, Attempt: int32(i + 1), Outcome: outcome})
	}
	tp.received(id, 6*second, 12*second+2*ms)
	// One was tried in vain before the fault, and again long after it.
	id = tp.id()
	for i, at := range []int64{4 * second, 12 * second} {
		tp.add(at, history.Event{Kind: history.Invoke, Identity: id, Attempt: int32(i + 1), Intended: 4 * second})
		tp.add(at+ms, history.Event{Kind: history.Outcome, Identity: id, Attempt: int32(i + 1), Outcome: []queue.Outcome{queue.Unknown, queue.OK}[i]})
	}
	tp.received(id, 4*second, 12*second+2*ms)
	// One was found in the queue before the fault: it was confirmed then.
	id = tp.id()
	tp.add(4*second, history.Event{Kind: history.Invoke, Identity: id, Attempt: 1, Intended: 4 * second, Outcome: queue.OK})
	tp.received(id, 4*second, 9*second)
	r := judge(t, tp, parse(t, "", ""))
	if r.ExposedAcked != 552 || claim(t, r, oracle.Lost, oracle.PerMessage).N != 552 {
		t.Errorf("%d acked messages met a fault: %+v", r.ExposedAcked, r.Claims[1])
	}
	if r.Exposed < 1500 {
		t.Errorf("only %d sends did", r.Exposed)
	}
}

// Where it is not known, nothing is claimed, and it is said why.
func TestClaimsThatAreNotMade(t *testing.T) {
	end := func(tp *tape, e history.Event) *tape {
		tp.add(14*second+500*ms, e)
		return tp
	}
	for _, c := range []struct {
		name string
		tape func() *tape
		why  string
	}{
		{"ended early", func() *tape {
			return end(kill(), history.Event{Kind: history.Abort, Name: "person", Detail: "interrupted"})
		},
			"a person ended the run at 14.5s: interrupted"},
		{"a node that died by itself", func() *tape {
			tp := kill()
			tp.node(3*second, "n3", "down")
			return tp
		}, "n3 was down at 3s"},
		{"cut off", func() *tape {
			tp := &tape{}
			tp.outline()
			tp.steady(100*ms, 9*second, 5*second, 8*second)
			return tp
		}, "the history is not complete"},
		{"not drained", func() *tape {
			tp := &tape{}
			tp.outline()
			tp.steady(100*ms, 14*second, 5*second, 8*second)
			tp.add(15*second, history.Event{Kind: history.Drain, Group: "workers", Outcome: queue.Unknown, Value: 1, Detail: "time-out"})
			tp.add(15*second+ms, history.Event{Kind: history.End})
			return tp
		}, "was not drained"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := judge(t, c.tape(), parse(t, "", ""))
			if len(r.Claims) == 0 {
				t.Fatal("nothing is said of it")
			}
			for _, got := range r.Claims {
				if !strings.Contains(got.Unknown, c.why) || got.N != 0 || got.Upper != 1 || !strings.Contains(got.Text, "nothing is claimed") {
					t.Errorf("%+v, want %q", got, c.why)
				}
			}
		})
	}
	if r := judge(t, &tape{}, parse(t, "", "")); len(r.Claims) != 0 {
		t.Errorf("no fault, and %+v", r.Claims)
	}
}

// A loss in the only fault fell to it; one that no fault explains could be of any of them.
func TestClaimsOfALoss(t *testing.T) {
	in := kill()
	in.sent(8*second, 8*second+ms)
	r := judge(t, in, parse(t, "", ""))
	if c := claim(t, r, oracle.Lost, "kill"); c.K != 1 || c.N != 1 || !strings.HasPrefix(c.Text, "1 of 1 kills lost something: > 2.5 %") {
		t.Errorf("%+v", c)
	}
	if c := claim(t, r, oracle.Lost, oracle.PerMessage); !strings.Contains(c.Unknown, "1 came up, and what comes in bursts has no rate") {
		t.Errorf("%+v", c)
	}
	if c := claim(t, r, oracle.Corrupted, "kill"); c.K != 0 || c.N != 1 || c.Unknown != "" {
		t.Errorf("%+v", c)
	}
	after := kill()
	after.sent(13*second+1, 13*second+2)
	if c := claim(t, judge(t, after, parse(t, "", "")), oracle.Lost, "kill"); c.Unknown != "no fault explains 1 of them" {
		t.Errorf("%+v", c)
	}
}
