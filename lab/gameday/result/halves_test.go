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

// checkHalves holds for every run that was ever judged in a test: the whole is as bad as the worse half.
func checkHalves(t testing.TB, r *result.Result) {
	t.Helper()
	both := []oracle.Verdict{r.Safety.Verdict, r.Liveness.Verdict}
	want := oracle.Pass
	switch {
	case slices.Contains(both, oracle.Fail):
		want = oracle.Fail
	case slices.Contains(both, oracle.Unknown):
		want = oracle.Unknown
	}
	if r.Verdict == result.Aborted {
		if slices.Contains(both, oracle.Pass) {
			t.Errorf("the run was ended early, and safety is %s, liveness %s", both[0], both[1])
		}
	} else if r.Verdict != want {
		t.Errorf("the verdict is %s, safety %s, liveness %s: %q", r.Verdict, both[0], both[1], r.Reasons)
	}
	for _, j := range []result.Judgement{r.Safety, r.Liveness} {
		if (j.Verdict == oracle.Pass) != (len(j.Reasons) == 0) {
			t.Errorf("%s for %q", j.Verdict, j.Reasons)
		}
	}
	if n := len(r.Safety.RestsOn) + len(r.Liveness.RestsOn); n != len(r.Criteria)+len(r.Guards)+1 {
		t.Errorf("the halves rest on %q and %q: not on all of %d criteria, %d guards and the drain", r.Safety.RestsOn, r.Liveness.RestsOn,
			len(r.Criteria), len(r.Guards))
	}
}

func TestHalves(t *testing.T) {
	lossy := func() *tape {
		tp := kill()
		tp.sent(13*second+1, 13*second+2)
		return tp
	}
	undrained := func() *tape {
		tp := &tape{}
		tp.outline()
		tp.steady(100*ms, 14*second, 5*second, 8*second)
		tp.add(15*second, history.Event{Kind: history.Drain, Group: "workers", Outcome: queue.Unknown, Value: 1})
		tp.add(15*second+ms, history.Event{Kind: history.End})
		return tp
	}
	damaged := func() *tape {
		tp := kill()
		tp.node(3*second, "n3", "down")
		return tp
	}
	guard := func() *tape {
		tp := kill()
		tp.add(13*second, history.Event{Kind: history.Abort, Name: "guard", Detail: `guard "error_rate < 90% for 20s" broken`})
		return tp
	}
	const slow = "  - failover < 2s"
	for _, c := range []struct {
		name             string
		tape             func() *tape
		criteria         string
		safety, liveness oracle.Verdict
		why              string // one of the reasons of the worse half contains it
	}{
		{"all is well", kill, "", oracle.Pass, oracle.Pass, ""},
		{"safe and slow", kill, slow, oracle.Pass, oracle.Fail, `"failover < 2s" does not hold`},
		{"lossy and quick", lossy, "", oracle.Fail, oracle.Pass, "lost == 0: found 1"},
		{"lossy and slow", lossy, slow, oracle.Fail, oracle.Fail, "lost == 0: found 1"},
		{"a limit on what is not promised", kill, "  - redelivered < 1\n  - offered > 1000000", oracle.Pass, oracle.Fail, `"offered > 1000000"`},
		{"one that nobody measured", kill, "  - max(latency.ack, inject) < 1s", oracle.Pass, oracle.Unknown, "no data"},
		{"what is lost is not known", undrained, "", oracle.Unknown, oracle.Unknown, "drain"},
		{"a run that proves little", damaged, "", oracle.Unknown, oracle.Unknown, "n3 was down"},
		{"a run that proves little and is slow", damaged, slow, oracle.Unknown, oracle.Fail, "n3 was down"},
		{"a guard", guard, "", oracle.Unknown, oracle.Fail, "a guard ended the run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := judge(t, c.tape(), parse(t, c.criteria, ""))
			if r.Safety.Verdict != c.safety || r.Liveness.Verdict != c.liveness {
				t.Errorf("safety %+v, liveness %+v", r.Safety, r.Liveness)
			}
			why := strings.Join(append(r.Safety.Reasons, r.Liveness.Reasons...), "\n")
			if !strings.Contains(why, c.why) {
				t.Errorf("no %q in %q", c.why, why)
			}
		})
	}
}

// What befell a message is safety; that it comes, and when, and what that costs, is liveness.
func TestWhatTheHalvesRestOn(t *testing.T) {
	s := parse(t, "  - failover < 12s\n  - duplicated < 5\n  - late < 5\n  - max(memory) < 1GiB\n  - probe.checkout.ok > 1%", "")
	r := judge(t, kill(), s)
	if diff := cmp.Diff([]string{"lost == 0", "corrupted == 0", "unexpected == 0", "failed_but_delivered == 0", "duplicated < 5"}, r.Safety.RestsOn); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"drained", "failover < 12s", "late < 5", "max(memory) < 1GiB", "probe.checkout.ok > 1%", "error_rate < 90% for 20s"},
		r.Liveness.RestsOn); diff != "" {
		t.Error(diff)
	}
}
