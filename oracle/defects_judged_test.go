package oracle_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// leastDefects is how many planted bugs there must be.
const leastDefects = 20

// Every bug of a queue or an application is found in what its clients saw of a real run: this anomaly, as often as it happened,
// and nothing else; it breaks the contract that forbids it, and no other. On a sound queue the same load is not accused.
func TestDefectsAreFound(t *testing.T) {
	all := defects()
	if len(all) < leastDefects {
		t.Errorf("%d defects, want at least %d", len(all), leastDefects)
	}
	found := map[string]bool{}
	for _, d := range all {
		for name := range d.want {
			found[name] = true
		}
		t.Run(d.name, func(t *testing.T) {
			d.accused(t)
			d.acquitted(t)
		})
	}
	for _, name := range slices.Concat(oracle.Names(), []string{"prefix", "middle", "tail"}) {
		if !found[name] {
			t.Errorf("no defect shows as %s", name)
		}
	}
}

func (d defect) accused(t *testing.T) {
	l, plant, f := d.trial, sound, &flaw{}
	if d.app != nil {
		d.app(&l)
	}
	if d.flaw != nil {
		f = d.flaw()
		plant = f.plant
	}
	events := record(t, l, plant)
	if d.flaw != nil && f.struck == 0 {
		t.Fatal("the bug never struck")
	}
	want := maps.Clone(d.want)
	if d.perStrike {
		for name := range want {
			want[name] *= f.struck
		}
	}
	r := judgeWith(oracle.Config{Contract: d.forbids}, events)
	compareAnomalies(t, r, want)
	if verdict := orVerdict(d.verdict, oracle.Fail); r.Verdict != verdict {
		t.Errorf("verdict %s under %+v, want %s: %q", r.Verdict, d.forbids, verdict, r.Reasons)
	}
	d.witnessed(t, r)
	d.forgiven(t, events, r)
	for seed := range uint64(3) {
		other := interleave(events, rand.New(rand.NewPCG(seed, 0)), false)
		sameCounts(t, r, judgeWith(oracle.Config{Contract: d.forbids}, other))
	}
	if d.allows == nil {
		return
	}
	r = judgeWith(oracle.Config{Contract: *d.allows}, events)
	if d.otherwise != nil {
		want = d.otherwise
	}
	compareAnomalies(t, r, want)
	if verdict := orVerdict(d.allowed, oracle.Pass); r.Verdict != verdict {
		t.Errorf("verdict %s under %+v, want %s: %q", r.Verdict, *d.allows, verdict, r.Reasons)
	}
}

func orVerdict(v, otherwise oracle.Verdict) oracle.Verdict {
	if v == "" {
		return otherwise
	}
	return v
}

func compareAnomalies(t *testing.T, r oracle.Result, want map[string]int64) {
	t.Helper()
	got := map[string]int64{}
	for name, a := range r.Anomalies {
		got[name] = a.Total
	}
	split := map[string]int64{"prefix": r.Counts.LostPrefix, "middle": r.Counts.LostMiddle, "tail": r.Counts.LostTail}
	for name, n := range split {
		if _, told := want[name]; told {
			got[name] = n
		}
	}
	for name, n := range got {
		if n != want[name] {
			t.Errorf("%s: %d, want %d", name, n, want[name])
		}
	}
}

// acquitted runs the same load on a sound queue.
func (d defect) acquitted(t *testing.T) {
	plant := sound
	if d.sound != nil {
		plant = d.sound().plant
	}
	strict := oracle.Contract{Delivery: oracle.ExactlyOnce, Order: oracle.OrderKey, MaxDelay: 5 * time.Second}
	if d.trial.members > 1 {
		strict.Order = oracle.NoOrder // members hand out what they have as they like
	}
	r := judgeWith(oracle.Config{Contract: strict}, record(t, d.trial, plant))
	if r.Verdict != oracle.Pass {
		t.Errorf("a sound queue: %s %q", r.Verdict, r.Reasons)
	}
	for name, a := range r.Anomalies {
		if a.Total > 0 && (name != oracle.Redelivered || d.trial.work == nil) {
			t.Errorf("a sound queue: %d %s", a.Total, name)
		}
	}
}

// witnessed says that the message that the bug struck is shown, with all that it went through.
func (d defect) witnessed(t *testing.T, r oracle.Result) {
	t.Helper()
	for name, a := range r.Anomalies {
		n := int64(0)
		for _, w := range r.Witnesses {
			if w.Anomaly == name {
				n++
			}
		}
		if n != min(a.Total, 10) {
			t.Errorf("%d witnesses of %d %s", n, a.Total, name)
		}
	}
	if d.life == "" {
		return
	}
	victim := queue.Identity{Run: rigRun, Producer: 1, Stream: 1, Seq: d.victim}
	i := slices.IndexFunc(r.Witnesses, func(w oracle.Witness) bool { return w.Message == victim })
	if i < 0 {
		t.Fatalf("number %d is no witness: %+v", d.victim, r.Witnesses)
	}
	want, endless := strings.CutSuffix(d.life, "…")
	if got := lifeOf(r.Witnesses[i]); got != want && (!endless || !strings.HasPrefix(got, want)) {
		t.Errorf("the life of the witness is %q, want %q", got, d.life)
	}
}

// lifeOf is what was done with the sends of the witness, and what its group got.
func lifeOf(w oracle.Witness) string {
	var sent, got []string
	for _, step := range w.Life {
		switch {
		case strings.Contains(step.Detail, " of "+w.Group):
			got = append(got, step.What)
		case !strings.Contains(step.Detail, " of "):
			sent = append(sent, step.What)
		}
	}
	return strings.Join(sent, ", ") + " | " + strings.Join(got, ", ")
}

// forgiven says that a fault that strikes these very messages answers for it, if it can do such a thing.
func (d defect) forgiven(t *testing.T, events []history.Event, r oracle.Result) {
	if d.verb == "" {
		return
	}
	struck := []history.Event{
		{Kind: history.FaultBegin, At: 1, Name: "planted", Detail: d.verb}, {Kind: history.FaultSeen, At: 1, Name: "planted"},
	}
	victims := map[queue.Identity]bool{}
	for _, w := range r.Witnesses {
		if !victims[w.Message] {
			victims[w.Message] = true
			struck = append(struck, history.Event{Kind: history.Hit, At: 1, Name: "planted", Identity: w.Message})
		}
	}
	end := events[len(events)-1]
	struck = append(append(struck, events[:len(events)-1]...), history.Event{Kind: history.HealSeen, At: end.At, Name: "planted"}, end)
	contract := d.forbids
	contract.Forgive = []string{"caused"}
	forgiven := judgeWith(oracle.Config{Contract: contract}, struck)
	if forgiven.Verdict != oracle.Pass {
		t.Errorf("%s in spite of the hits of %q: %q", forgiven.Verdict, d.verb, forgiven.Reasons)
	}
	for name, a := range r.Anomalies {
		if c := forgiven.Anomalies[name]; c.Total != a.Total || c.Caused != a.Total {
			t.Errorf("%s: %+v with hits, %+v without", name, c, a)
		}
	}
}

// judgeWith judges events, with the lives of the witnesses.
func judgeWith(c oracle.Config, events []history.Event) oracle.Result {
	j := oracle.New(c)
	for i := range events {
		j.Observe(&events[i])
	}
	r := j.Result()
	r.AddLives(slices.Values(events))
	return r
}
