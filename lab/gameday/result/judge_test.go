package result_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

func TestKillPasses(t *testing.T) {
	r := judge(t, kill(), parse(t, "", ""))
	if r.Verdict != oracle.Pass || len(r.Reasons) > 0 {
		t.Fatalf("verdict %s: %q", r.Verdict, r.Reasons)
	}
	if r.Counts.Offered != 1390 || r.Counts.Acked != 1390 || r.Counts.Processed != 1390 || r.Counts.Lost != 0 {
		t.Errorf("counts %+v", r.Counts)
	}
	if len(r.Faults) != 1 || r.Faults[0].Layer != "cluster" {
		t.Errorf("faults %+v", r.Faults)
	}
	// Nothing that was acked waited meanwhile, so receiving was idle, and not down.
	if math.Abs(r.Downtime.Produce-3) > 0.1 || r.Downtime.Consume != 0 {
		t.Errorf("downtime %+v, want about 3 s of sending", r.Downtime)
	}
	// 300 messages were due while the leader was dead, at 100/s until it was seen gone at 10.5 s: 550 sends met the fault.
	if r.Exposed != 550 {
		t.Errorf("%d sends met the fault, want 550", r.Exposed)
	}
	if r.SelfTest.Planted == 0 || r.SelfTest.Found != r.SelfTest.Planted {
		t.Errorf("self-test %+v", r.SelfTest)
	}
	if len(r.Drains) != 1 || !r.Drains[0].Proven || math.Abs(r.Drains[0].Took-1) > 0.05 {
		t.Errorf("drains %+v", r.Drains)
	}
	if r.Workload != "1 producer, 1 consumer, 100/s of 512B" || r.Contract != "at-least-once" {
		t.Errorf("%q, %q", r.Workload, r.Contract)
	}
	if r.Guards[0].Verdict != oracle.Pass || r.Guards[0].Value != "held" {
		t.Errorf("guard %+v", r.Guards[0])
	}
}

// near allows what a histogram rounds.
func near(a, b float64) bool { return math.Abs(a-b) <= b/100 }

func TestFigures(t *testing.T) {
	r := judge(t, kill(), parse(t, "", ""))
	if l := r.Latency["e2e"]; l.Count != 1390 || l.Min != 0.003 || l.Max < 2.9 || l.Max > 3.1 || !near(l.P50, 0.003) {
		t.Errorf("end to end %+v", l)
	}
	if l := r.Latency["ack"]; l.Count != 1390 || l.Min != 0.002 {
		t.Errorf("ack %+v", l)
	}
	if l := r.Latency["e2e@baseline"]; l.Max > 0.0031 {
		t.Errorf("baseline %+v", l)
	}
	names := make([]string, len(r.Phases))
	for i, p := range r.Phases {
		names[i] = p.Name
	}
	if diff := cmp.Diff([]string{"baseline", "inject", "observe", "recover", "observe", "drain"}, names); diff != "" {
		t.Error(diff)
	}
	if p := r.Phases[0]; p.Sent != 490 || p.Acked != 490 || p.P50 == nil || !near(*p.P50, 0.003) || p.Seconds() != 4.95 {
		t.Errorf("baseline %+v", p)
	}
	if p := r.Phases[1]; p.P50 != nil {
		t.Errorf("the inject phase had no delivery, and a median of %v", *p.P50)
	}
	if r.MemoryMax != 1113 || r.Resources["havoq"].RSSMax != 113 {
		t.Errorf("memory %d, %+v", r.MemoryMax, r.Resources)
	}
	if p := r.Probes["checkout"]; p.OK != 11 || p.Failed != 2 || p.LatencyMax != 0.039 {
		t.Errorf("probe %+v", p)
	}
}

func TestTimeline(t *testing.T) {
	tl := judge(t, kill(), parse(t, "", "")).Timeline
	if tl.Bucket != 0.1 || len(tl.Sent) != 151 {
		t.Fatalf("%d buckets of %v s", len(tl.Sent), tl.Bucket)
	}
	for name, n := range map[string]int{"acked": len(tl.Acked), "errors": len(tl.Errors), "processed": len(tl.Processed), "p50": len(tl.P50),
		"p99": len(tl.P99), "lag": len(tl.Lag), "probe": len(tl.Probes["checkout"])} {
		if n != len(tl.Sent) {
			t.Errorf("%s has %d buckets", name, n)
		}
	}
	if tl.Sent[20] != 100 || tl.Acked[20] != 100 || tl.Acked[60] != 0 || tl.P50[60] != nil || !near(*tl.P50[20], 0.003) {
		t.Errorf("sent %v, acked %v and %v", tl.Sent[20], tl.Acked[20], tl.Acked[60])
	}
	total := 0.0
	for _, v := range tl.Processed {
		total += v * tl.Bucket
	}
	if math.Abs(total-1390) > 0.5 {
		t.Errorf("the timeline has %v messages processed, want 1390", total)
	}
	want := []string{"up", "leader", "down", "starting", "up"}
	var got []string
	for _, s := range tl.Nodes["n1"] {
		got = append(got, s.State)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	last := tl.Nodes["n1"][4]
	if last.To != 15*second+2*ms {
		t.Errorf("the last state ends at %d", last.To)
	}
}

// A long run has coarser buckets, never more of them.
func TestTimelineIsBounded(t *testing.T) {
	for _, seconds := range []int64{1, 30, 31, 299, 301, 3600, 86_400, 30 * 86_400, 400 * 86_400} {
		tp := &tape{}
		tp.message(ms, 2*ms)
		tp.end(seconds * second)
		r := judge(t, tp, parse(t, "", ""))
		n := len(r.Timeline.Sent)
		if n > result.MaxBuckets+1 || n < 1 || float64(n)*r.Timeline.Bucket < float64(seconds) {
			t.Errorf("%d s: %d buckets of %v s", seconds, n, r.Timeline.Bucket)
		}
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name     string
		tape     func() *tape
		criteria string
		verdict  oracle.Verdict
		reason   string // one of the reasons contains it
	}{
		{"lost", func() *tape {
			tp := kill()
			tp.sent(13*second+1, 13*second+2)
			return tp
		}, "", oracle.Fail, "lost"},
		{"broken criterion", kill, "  - failover < 2s", oracle.Fail, `criterion "failover < 2s" does not hold: failover is 3`},
		{"criterion without data", kill, "  - probe.checkout.ok > 50%\n  - max(latency.ack, inject) < 1s", oracle.Unknown,
			`"max(latency.ack, inject) < 1s" cannot be told: no data`},
		{"fault missing", func() *tape {
			tp := &tape{}
			tp.phase(50*ms, "baseline")
			tp.steady(100*ms, 3*second, 0, 0)
			tp.end(4 * second)
			return tp
		}, "  - p99(latency.e2e) < 1s", oracle.Unknown, "phase 2 injects 1 fault, and 0 began"},
		{"a node that died by itself", func() *tape {
			tp := kill()
			tp.node(3*second, "n3", "down")
			tp.node(4*second, "n3", "up")
			return tp
		}, "", oracle.Unknown, "n3 was down at 3s, and havoq did not do it"},
		{"most of the load not sent", func() *tape {
			tp := kill()
			tp.add(12*second, history.Event{Kind: history.NotSent, Client: "producer-1", Value: 100_000})
			return tp
		}, "", oracle.Unknown, "most of the load was never sent: 100,000 of"},
		{"fault that no message met", func() *tape {
			tp := &tape{}
			tp.outline()
			tp.steady(100*ms, 4*second, 0, 0) // the kill is at 5 s
			tp.end(15 * second)
			return tp
		}, "", oracle.Unknown, "no message was on its way while"},
		{"killed before its end", func() *tape {
			tp := &tape{}
			tp.outline()
			tp.steady(100*ms, 9*second, 5*second, 8*second)
			return tp
		}, "", oracle.Unknown, ""},
		{"not drained", func() *tape {
			tp := &tape{}
			tp.outline()
			tp.steady(100*ms, 14*second, 5*second, 8*second)
			tp.sent(13*second+1, 13*second+2)
			tp.add(15*second, history.Event{Kind: history.Drain, Group: "workers", Outcome: queue.Unknown, Value: 1, Detail: "time-out"})
			tp.add(15*second+ms, history.Event{Kind: history.End})
			return tp
		}, "", oracle.Unknown, "drain"},
		{"guard", func() *tape {
			tp := kill()
			tp.add(13*second, history.Event{Kind: history.Abort, Name: "guard", Detail: `guard "error_rate < 90% for 20s" broken: no data`})
			return tp
		}, "", result.Aborted, "a guard ended the run at 13s"},
		{"person, and a failure", func() *tape {
			tp := kill()
			tp.add(13*second, history.Event{Kind: history.Abort, Name: "person", Detail: "interrupted"})
			return tp
		}, "  - failover < 2s", result.Aborted, "does not hold"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := judge(t, c.tape(), parse(t, c.criteria, ""))
			if r.Verdict != c.verdict {
				t.Errorf("verdict %s, want %s: %q", r.Verdict, c.verdict, r.Reasons)
			}
			if len(r.Reasons) == 0 || !slices.ContainsFunc(r.Reasons, func(s string) bool { return strings.Contains(s, c.reason) }) {
				t.Errorf("no reason has %q: %q", c.reason, r.Reasons)
			}
			if r.Abort != nil && r.Abort.By == "guard" && r.Guards[0].Verdict != oracle.Fail {
				t.Errorf("guard %+v", r.Guards[0])
			}
		})
	}
}

// An empty or senseless history is unknown, and no crash.
func TestNothingHappened(t *testing.T) {
	r := judge(t, &tape{}, parse(t, "", ""))
	if r.Verdict != oracle.Unknown || len(r.Reasons) == 0 {
		t.Errorf("verdict %s, %q", r.Verdict, r.Reasons)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	if _, err := result.Judge(result.Input{}); err == nil {
		t.Error("judging nothing works")
	}
}

// Sending that never came back is a failure if the run went on for longer than the limit, and unknown if it did not.
func TestNeverRecovered(t *testing.T) {
	dead := func() *tape {
		tp := &tape{}
		tp.outline()
		tp.steady(100*ms, 5*second-20*ms, 0, 0)
		for at := 5 * second; at < 14*second; at += 10 * ms {
			id := tp.id()
			tp.add(at, history.Event{Kind: history.Invoke, Identity: id, Attempt: 1, Intended: at, Client: "producer-1"})
			tp.add(at+5*ms, history.Event{Kind: history.Outcome, Identity: id, Attempt: 1, Outcome: queue.Unknown, Client: "producer-1"})
		}
		tp.end(15 * second)
		return tp
	}
	r := judge(t, dead(), parse(t, "  - failover < 4s\n  - failover < 1m", ""))
	n := len(r.Criteria)
	if c := r.Criteria[n-2]; c.Verdict != oracle.Fail || c.Value != "never" {
		t.Errorf("4 s: %+v", c)
	}
	if c := r.Criteria[n-1]; c.Verdict != oracle.Unknown || c.Value != "not known" {
		t.Errorf("1 m: %+v", c)
	}
}

// A lag that was watched for two seconds only says nothing about a limit of ten, however long the run went on.
func TestLagThatNobodyWatched(t *testing.T) {
	tp := &tape{}
	tp.outline()
	tp.steady(100*ms, 13*second, 0, 0)
	tp.add(5*second+100*ms, history.Event{Kind: history.Sample, Name: "lag", Group: "workers", Value: 9000})
	tp.add(6*second+900*ms, history.Event{Kind: history.Sample, Name: "lag", Group: "workers", Value: 9000})
	tp.phase(7*second, "load") // from here the lag is not the fault's
	tp.end(15 * second)
	r := judge(t, tp, parse(t, "  - lag.recovered < 1s\n  - lag.recovered < 10s", ""))
	n := len(r.Criteria)
	if c := r.Criteria[n-2]; c.Verdict != oracle.Fail || c.Value != "never" {
		t.Errorf("1 s: %+v", c)
	}
	if c := r.Criteria[n-1]; c.Verdict != oracle.Unknown || c.Value != "not known" {
		t.Errorf("10 s: %+v", c)
	}
}

func TestExpectation(t *testing.T) {
	lossy := func() *tape {
		tp := kill()
		tp.sent(13*second+1, 13*second+2)
		return tp
	}
	for _, c := range []struct {
		name, expect string
		tape         func() *tape
		expected     bool
	}{
		{"as expected", `expect: { verdict: fail, lost: "> 0" }`, lossy, true},
		{"too few", `expect: { verdict: fail, lost: "> 1" }`, lossy, false},
		{"not at all", `expect: { verdict: fail, lost: "> 0" }`, kill, false},
		{"pass", `expect: { verdict: pass }`, kill, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := judge(t, c.tape(), parse(t, "", c.expect))
			if r.Expected == nil || *r.Expected != c.expected {
				t.Errorf("expected %v, want %v; verdict %s, %+v", r.Expected, c.expected, r.Verdict, r.Anomalies)
			}
			if !strings.HasPrefix(r.Expect, "verdict ") {
				t.Errorf("expect %q", r.Expect)
			}
		})
	}
	if r := judge(t, kill(), parse(t, "", "")); r.Expected != nil {
		t.Error("a scenario without expect has an expectation")
	}
}

// The same folder gives the same result, byte by byte.
func TestJudgeIsPure(t *testing.T) {
	tp, s := kill(), parse(t, "", "")
	a, _ := json.Marshal(judge(t, tp, s))
	for range 5 {
		if b, _ := json.Marshal(judge(t, tp, s)); string(a) != string(b) {
			t.Fatalf("two judgements differ: %s", cmp.Diff(string(a), string(b)))
		}
	}
}

func TestUnproven(t *testing.T) {
	r := judge(t, kill(), parse(t, "", ""))
	for _, want := range []string{"That it goes as well the next time: 0 of 1 kills lost anything: < 97.5 % of kills at 97.5 % (35 more clean ones for < 10 %", "page cache", "All 3 nodes ran on one machine",
		"Your applications", "550 were under way"} {
		if !slices.ContainsFunc(r.Unproven, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("nothing has %q: %q", want, r.Unproven)
		}
	}
}

func TestLog(t *testing.T) {
	r := judge(t, kill(), parse(t, "", ""))
	var lines []string
	for _, l := range r.Log {
		lines = append(lines, l.Who+": "+l.Text)
	}
	for _, want := range []string{
		"Ada: the dashboard is open", "phase: baseline begins", "node: n1 is the leader", "node: n1 is down",
		"fault: kill leader on n1 is being injected: kill n1", "fault: kill leader on n1 is seen in force: the process is gone",
		"fault: kill leader on n1 is being taken back", `drain: group "workers" is proven empty: 0 ready, 0 in flight`,
		"havoq: the run came to its end",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in %q", want, lines)
		}
	}
}

func TestLogIsBounded(t *testing.T) {
	tp := &tape{}
	for i := range int64(5000) {
		tp.add(i, history.Event{Kind: history.Note, Name: "Ada", Detail: "again"})
	}
	r := judge(t, tp, parse(t, "", ""))
	if n := len(r.Log); n != 2001 || !strings.Contains(r.Log[n-1].Text, "3000 more lines") {
		t.Errorf("%d lines, the last %q", n, r.Log[n-1].Text)
	}
}
