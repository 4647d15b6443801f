package gameday_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

func open(t testing.TB, path string) *history.Reader {
	t.Helper()
	r, err := history.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// alone judges the history of a folder as if there were nothing else.
func alone(t testing.TB, dir string, how gameday.VerifyConfig) *gameday.Judgement {
	t.Helper()
	j, err := gameday.VerifyHistory(t.Context(), open(t, filepath.Join(dir, result.HistoryFile)), how)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestVerifyByAnotherContract(t *testing.T) {
	dir := folderOf(t, 400, true, nil)
	exactly := scenario.Contract{Delivery: "exactly-once", MaxDelay: scenario.Duration(time.Microsecond)}
	j, err := gameday.VerifyRun(t.Context(), dir, gameday.VerifyConfig{Contract: &exactly})
	if err != nil {
		t.Fatal(err)
	}
	if j.Result.Verdict != oracle.Fail || !j.Other() || j.Recorded != "at-least-once" || j.Result.Contract != exactly.String() {
		t.Errorf("%s by %q, recorded %q", j.Result.Verdict, j.Result.Contract, j.Recorded)
	}
	if j.Result.Anomalies[oracle.Late].Total != 400 {
		t.Errorf("%d late, want 400", j.Result.Anomalies[oracle.Late].Total)
	}
	if len(j.Result.Criteria) == 0 || !slices.ContainsFunc(j.Result.Criteria, func(c oracle.Check) bool { return strings.Contains(c.Expr, "p99") }) {
		t.Error("the scenario's criteria are not judged any more")
	}
	own := scenario.Contract{Delivery: "at-least-once"}
	if j, err = gameday.VerifyRun(t.Context(), dir, gameday.VerifyConfig{Contract: &own}); err != nil || j.Other() {
		t.Errorf("the run's own contract is another one: %v", err)
	}
}

func TestVerifyAHistoryAlone(t *testing.T) {
	dir := folderOf(t, 400, true, nil)
	j := alone(t, dir, gameday.VerifyConfig{})
	if j.Result.Verdict != oracle.Pass || j.Recorded != "" || j.Other() || j.Result.Contract != "at-least-once" {
		t.Errorf("%s %v by %q, recorded %q", j.Result.Verdict, j.Result.Reasons, j.Result.Contract, j.Recorded)
	}
	if !strings.Contains(j.Result.Workload, "not known") || j.Result.Run != "made-up" {
		t.Errorf("workload %q of run %q", j.Result.Workload, j.Result.Run)
	}
	if u := strings.Join(j.Result.Unproven, "\n"); strings.Contains(u, "were havoq's own") || !strings.Contains(u, "a history does not tell") {
		t.Error(u)
	}
}

func TestVerifyWithFewerWitnesses(t *testing.T) {
	dir := folderOf(t, 400, true, func(e history.Event) history.Event {
		if e.Identity.Seq%10 == 5 && e.Kind > history.Outcome && e.Kind < history.NotSent {
			return history.Event{}
		}
		return e
	})
	for want, how := range map[int]gameday.VerifyConfig{10: {}, 3: {Witnesses: 3}, 0: {Witnesses: -1}} {
		res := alone(t, dir, how).Result
		if res.Counts.Lost != 40 || res.SelfTest.Found != res.SelfTest.Planted || res.SelfTest.Planted == 0 {
			t.Errorf("%d lost, want 40; self-test %+v", res.Counts.Lost, res.SelfTest)
		}
		if len(res.Witnesses) != want {
			t.Errorf("%d witnesses, want %d", len(res.Witnesses), want)
		}
		for _, w := range res.Witnesses {
			if len(w.Life) == 0 {
				t.Errorf("witness %+v has no life", w)
			}
		}
	}
}

// What falls within the settle time of a fault is during it.
func TestVerifyWithAnotherSettleTime(t *testing.T) {
	ms := int64(time.Millisecond)
	lost := queue.Identity{Run: 1, Producer: 1, Seq: 50} // meant for 20.1 ms
	dir := folderOf(t, 400, true, func(e history.Event) history.Event {
		if e.Identity == lost && e.Kind > history.Outcome {
			return history.Event{}
		}
		return e
	})
	faulty := filepath.Join(t.TempDir(), "faulty.havoq")
	r := open(t, filepath.Join(dir, result.HistoryFile))
	w, err := history.Create(faulty, r.Header())
	if err != nil {
		t.Fatal(err)
	}
	stages := []history.Event{
		{Kind: history.FaultBegin, At: 5 * ms, Name: "kill", Detail: "kill n1"}, {Kind: history.FaultSeen, At: 6 * ms, Name: "kill", Value: 1},
		{Kind: history.HealBegin, At: 7 * ms, Name: "kill"}, {Kind: history.HealSeen, At: 8 * ms, Name: "kill"},
	}
	for e := range r.Events() {
		for len(stages) > 0 && e.At >= stages[0].At {
			w.Record(stages[0])
			stages = stages[1:]
		}
		w.Record(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for settle, during := range map[time.Duration]int64{0: 1, time.Second: 1, time.Millisecond: 0} {
		j, err := gameday.VerifyHistory(t.Context(), open(t, faulty), gameday.VerifyConfig{SettleTime: settle})
		if err != nil {
			t.Fatal(err)
		}
		if got := j.Result.Anomalies[oracle.Lost]; got.Total != 1 || got.During != during {
			t.Errorf("settle time %s: %+v, want %d during", settle, got, during)
		}
	}
}

func TestVerifyDoesNotPassAMixedHistory(t *testing.T) {
	dir := folderOf(t, 400, true, func(e history.Event) history.Event {
		if e.Identity.Producer == 3 {
			e.Identity.Run = 2
		}
		return e
	})
	res := alone(t, dir, gameday.VerifyConfig{}).Result
	if res.Verdict == oracle.Pass || !strings.Contains(strings.Join(res.Reasons, "\n"), "mixed from two runs: it is of run 1, and has 100 sends of another one, such as run 2") {
		t.Errorf("%s %q", res.Verdict, res.Reasons)
	}
}

func TestVerifyDoesNotPassImpossibleTimes(t *testing.T) {
	for name, change := range map[string]func(*history.Event){
		"after the end of time": func(e *history.Event) { e.At = math.MaxInt64 },
		"for the far future":    func(e *history.Event) { e.Intended = math.MaxInt64 },
		"for long ago":          func(e *history.Event) { e.Intended = math.MinInt64 },
	} {
		dir := folderOf(t, 400, true, func(e history.Event) history.Event {
			if e.Kind == history.Deliver && e.Identity.Producer == 4 && e.Identity.Seq == 99 {
				change(&e)
			}
			return e
		})
		res := alone(t, dir, gameday.VerifyConfig{}).Result
		if res.Verdict == oracle.Pass || !strings.Contains(strings.Join(res.Reasons, "\n"), "events at impossible times (the first: event 1999, deliver at") {
			t.Errorf("%s: %s %q", name, res.Verdict, res.Reasons)
		}
	}
}

func TestVerifyDoesNotPassAPart(t *testing.T) {
	dir := folderOf(t, 400, true, nil)
	lines := filepath.Join(t.TempDir(), "part.havoq")
	pipe := &strings.Builder{}
	if err := history.DumpPart(pipe, open(t, filepath.Join(dir, result.HistoryFile)), "kind not settle", func(e *history.Event) bool {
		return e.Kind != history.Settle
	}); err != nil {
		t.Fatal(err)
	}
	if err := history.Load(strings.NewReader(pipe.String()), lines); err != nil {
		t.Fatal(err)
	}
	_, err := gameday.VerifyHistory(t.Context(), open(t, lines), gameday.VerifyConfig{})
	if !errors.Is(err, gameday.ErrPart) || !strings.Contains(err.Error(), "only kind not settle: judge the whole one") {
		t.Error(err)
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	dir := folderOf(t, 4000, true, nil)
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if _, err := gameday.VerifyRun(ctx, dir, gameday.VerifyConfig{}); !errors.Is(err, stop) {
		t.Errorf("%v, want %v", err, stop)
	}
}

// Whatever a file holds: it is judged or refused, without a crash, and what has no end does not pass.
func TestVerifyOfAnythingDoesNotCrash(t *testing.T) {
	dir := t.TempDir()
	few := func(n uint64) *rapid.Generator[uint64] {
		return rapid.OneOf(rapid.Uint64Range(0, n), rapid.SampledFrom([]uint64{math.MaxUint64, 1 << 40, 1023, 1024}))
	}
	names := rapid.SampledFrom([]string{"", "workers", "audit", "lag", "inject", "baseline", "kill", history.GapKeys})
	times := rapid.OneOf(rapid.Int64Range(0, 1e9), rapid.SampledFrom([]int64{0, 1, math.MaxInt64, math.MinInt64, -1, 1e18}))
	values := rapid.OneOf(rapid.Float64Range(-2, 5), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64}))
	event := rapid.Custom(func(t *rapid.T) history.Event {
		return history.Event{
			Kind:    history.Kind(rapid.IntRange(1, int(history.Source)).Draw(t, "kind")),
			Outcome: queue.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome")), Damage: history.Damage(rapid.IntRange(0, 3).Draw(t, "damage")),
			Ack: rapid.Bool().Draw(t, "ack"), Duplicate: rapid.Bool().Draw(t, "duplicate"),
			Identity: queue.Identity{
				Run: uint32(few(2).Draw(t, "run")), Producer: uint32(few(2).Draw(t, "producer")), Stream: uint16(few(1).Draw(t, "stream")),
				Seq: few(5).Draw(t, "seq"),
			},
			Back: uint32(few(3).Draw(t, "back")), Attempt: int32(rapid.IntRange(-1, 3).Draw(t, "attempt")),
			At: max(times.Draw(t, "at"), 0), Intended: times.Draw(t, "intended"), Claim: times.Draw(t, "claim"), Value: values.Draw(t, "value"),
			Client: names.Draw(t, "client"), Group: names.Draw(t, "group"), Name: names.Draw(t, "name"), Node: names.Draw(t, "node"),
			Detail: names.Draw(t, "detail"),
		}
	})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, "any"+time.Duration(n).String())
		w, err := history.Create(path, history.Header{Run: 1})
		if err != nil {
			t.Fatal(err)
		}
		ended := false
		for _, e := range rapid.SliceOfN(event, 0, 40).Draw(t, "events") {
			ended = ended || e.Kind == history.End || e.Kind == history.Abort
			w.Record(e)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := history.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		j, err := gameday.VerifyHistory(context.Background(), r, gameday.VerifyConfig{Witnesses: 2})
		switch {
		case err != nil:
			t.Fatal(err)
		case j.Result.Verdict == oracle.Pass && !ended:
			t.Fatalf("pass without an end: %v", j.Result)
		}
	})
}
