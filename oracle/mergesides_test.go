package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// bySide tells one judge of the sends and another one of what came of them.
func bySide(e *history.Event) int {
	switch e.Kind {
	case history.Invoke, history.Outcome, history.Reserve, history.NotSent:
		return 0
	default:
		return 1
	}
}

// byDelivery tells one of the sends on a track, and any of each delivery and of the work on it.
func byDelivery(n int, seed uint64) func(*history.Event) int {
	type copyOf struct {
		id    queue.Identity
		group string
	}
	last, track := make(map[copyOf]int), byTrack(n, seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	var now *history.Event // it is asked once for each judge
	return func(e *history.Event) int {
		key := copyOf{e.Identity, e.Group}
		if _, known := last[key]; e.Kind == history.Deliver && e != now || !known {
			last[key] = rng.IntN(n)
			if e.Group == "" || e.Identity == (queue.Identity{}) {
				last[key] = track(e)
			}
		}
		now = e
		return last[key]
	}
}

// sidesDiffer says what merged judges, who saw parts of what happened to each message, must not do: count otherwise, accuse of
// what one who saw everything does not, or pass what they cannot know.
func sidesDiffer(whole, merged oracle.Result, repeats, tight bool) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	a, b := whole.Counts, merged.Counts
	if a.OrderedPairs = b.OrderedPairs; a != b {
		add("counts %+v, of one judge %+v", b, a)
	}
	for _, name := range oracle.Names() {
		w, m := whole.Anomalies[name], merged.Anomalies[name]
		switch {
		case name == oracle.Late || name == oracle.Reordered:
			if m.Total > w.Total {
				add("%s %+v, of one judge %+v", name, m, w)
			}
		case repeats && (name == oracle.Duplicated || name == oracle.Redelivered):
		case w.Total != m.Total || w.Caused != m.Caused || !tight && w != m: // when it was is not known so well
			add("%s %+v, of one judge %+v", name, m, w)
		}
	}
	for i, c := range whole.Checks {
		m := merged.Checks[i]
		mayBeUnknown := c.Expr == "late == 0" || c.Expr == "reordered == 0" || repeats && c.Expr == "duplicated == 0"
		if m.Expr != c.Expr || m.Verdict != c.Verdict && (m.Verdict != oracle.Unknown || !mayBeUnknown) {
			add("%s is %s %q, of one judge %s %s", m.Expr, m.Verdict, m.Reason, c.Expr, c.Verdict)
		}
	}
	if merged.Verdict == oracle.Fail && whole.Verdict != oracle.Fail || merged.Verdict == oracle.Pass && whole.Verdict != oracle.Pass {
		add("%s %q, of one judge %s %q", merged.Verdict, merged.Reasons, whole.Verdict, whole.Reasons)
	}
	return all
}

// sideRun judges sends and deliveries apart.
func sideRun(t *rapid.T, c oracle.Config, events []history.Event) (whole, merged oracle.Result) {
	full := c
	full.Memory = 1 << 40
	whole = judgeWith(full, events)
	var results [2]oracle.Result
	for i := range results {
		p := newParts(c, 2, rapid.Uint64().Draw(t, "merging"))
		p.observe(events, bySide, always)
		if i == 1 {
			slices.Reverse(p.judges)
		}
		if err := p.judges[0].Merge(p.judges[1]); err != nil {
			t.Fatal(err)
		}
		results[i] = p.judges[0].Result()
		if d := sidesDiffer(whole, results[i], false, c.Memory > 0); len(d) > 0 {
			t.Fatalf("%s\n%q\n%q\n%s", strings.Join(d, "\n"), whole.Reasons, results[i].Reasons, story(events))
		}
	}
	if c.Memory == 0 && !reflect.DeepEqual(results[0], results[1]) {
		t.Fatalf("%+v\nthe other way round %+v", results[0], results[1])
	}
	return whole, results[1]
}

func TestSidesMerged(t *testing.T) {
	passed, untold := 0, 0
	checkMany(t, anyRuns, func(t *rapid.T) {
		s := drawRun(t)
		if rapid.Bool().Draw(t, "no time") {
			s.contract.Order, s.contract.MaxDelay = oracle.NoOrder, 0
		}
		whole, merged := sideRun(t, oracle.Config{Contract: s.contract, Witnesses: 1 << 10}, s.events)
		switch {
		case s.contract.MaxDelay == 0 && merged.Verdict != whole.Verdict:
			t.Fatalf("%s %q, of one judge %s", merged.Verdict, merged.Reasons, whole.Verdict)
		case s.contract.MaxDelay != 0 && merged.Verdict == oracle.Pass:
			t.Fatal("order or delay passes, and nobody knows")
		case merged.Verdict == oracle.Pass:
			passed++
		case merged.Verdict == oracle.Unknown && whole.Verdict == oracle.Pass:
			untold++
		}
	})
	if (passed == 0 || untold == 0) && !t.Failed() {
		t.Errorf("%d passed, and of %d order and delay were not known", passed, untold)
	}
}

// Where each delivery of a message may have been seen by another judge, nothing is accused that is right, and nothing passes
// that is wrong.
func TestDeliveriesMerged(t *testing.T) {
	failed, passed := 0, 0
	checkMany(t, anyRuns, func(t *rapid.T) {
		s := drawRun(t)
		if rapid.Bool().Draw(t, "no time") {
			s.contract.Order, s.contract.MaxDelay = oracle.NoOrder, 0
		}
		c := oracle.Config{Contract: s.contract}
		whole := judgeWith(c, s.events)
		c.Memory = rapid.SampledFrom([]int64{0, 1}).Draw(t, "memory")
		n, seed := rapid.IntRange(2, 3).Draw(t, "parts"), rapid.Uint64().Draw(t, "merging")
		var orders [2]oracle.Result
		for i := range orders {
			p := newParts(c, n, seed+uint64(i))
			p.observe(s.events, byDelivery(n, seed), always)
			merged, err := p.merge()
			if err != nil {
				t.Fatal(err)
			}
			if d := sidesDiffer(whole, merged, true, c.Memory > 0); len(d) > 0 {
				t.Fatalf("%s\n%q\n%q\n%s", strings.Join(d, "\n"), whole.Reasons, merged.Reasons, story(s.events))
			}
			orders[i] = merged
		}
		merged := orders[0]
		if a, b := totals(orders[0]), totals(orders[1]); a != b || c.Memory == 0 && !slices.Equal(merged.Reasons, orders[1].Reasons) {
			t.Fatalf("%s, and in another order\n%s", a, b)
		}
		switch merged.Verdict {
		case oracle.Pass:
			passed++
		case oracle.Fail:
			failed++
		}
	})
	if (passed == 0 || failed == 0) && !t.Failed() {
		t.Errorf("%d passed and %d failed", passed, failed)
	}
}

// Shards without memory do as one judge without memory.
func tightShards(t *rapid.T, c oracle.Config, events []history.Event) {
	full := c
	full.Memory = 1 << 40
	whole := judgeWith(full, events)
	n, seed := rapid.IntRange(1, 4).Draw(t, "shards"), rapid.Uint64().Draw(t, "merging")
	p := newParts(c, n, seed)
	p.observe(events, byTrack(n, seed), always)
	merged, err := p.merge()
	if err != nil {
		t.Fatal(err)
	}
	merged.Outages, merged.Recovery = whole.Outages, whole.Recovery // those of the parts
	if d := tightDiffers(whole, merged); len(d) > 0 {
		t.Fatalf("%s\n%q\n%q\n%s", strings.Join(d, "\n"), whole.Reasons, merged.Reasons, story(events))
	}
}

func TestTightPartsMerged(t *testing.T) {
	checkMany(t, anyRuns, func(t *rapid.T) {
		s := drawRun(t)
		c := oracle.Config{Contract: s.contract, Memory: 1}
		tightShards(t, c, s.events)
	})
}

func TestTightSidesMerged(t *testing.T) {
	checkMany(t, anyRuns, func(t *rapid.T) {
		s := drawRun(t)
		sideRun(t, oracle.Config{Contract: s.contract, Memory: 1}, s.events)
	})
}

func TestBigPartsMerged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contract, events := drawBig(t)
		c := oracle.Config{Contract: contract, Memory: rapid.SampledFrom([]int64{1, 1 << 18, 1 << 30}).Draw(t, "memory")}
		if rapid.Bool().Draw(t, "in shards") {
			tightShards(t, c, events)
		} else if c.Memory > 1 || len(events) < 10_000 { // without any, each message costs a page
			sideRun(t, c, events)
		}
	})
}

// What tells of no message may have been told to one of them only.
func TestRunToldToOne(t *testing.T) {
	checkMany(t, anyRuns, func(t *rapid.T) {
		s := drawRun(t)
		c := oracle.Config{Contract: s.contract}
		whole := judgeWith(c, s.events)
		n, seed := rapid.IntRange(1, 4).Draw(t, "shards"), rapid.Uint64().Draw(t, "merging")
		p := newParts(c, n, seed)
		p.observe(s.events, byTrack(n, seed), func(e *history.Event) bool { return e.Kind == history.End })
		merged, err := p.merge()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range oracle.Names() {
			if a, b := whole.Anomalies[name].Total, merged.Anomalies[name].Total; a != b {
				t.Errorf("%d %s, of one judge %d", b, name, a)
			}
		}
		if whole.Counts != merged.Counts || whole.Verdict != merged.Verdict || whole.Drained != merged.Drained || len(whole.Faults) != len(merged.Faults) {
			t.Errorf("%+v %s %q, of one judge %+v %s", merged.Counts, merged.Verdict, merged.Reasons, whole.Counts, whole.Verdict)
		}
		if t.Failed() {
			t.Fatal(story(s.events))
		}
	})
}

// totals is what does not depend on the order of merges, wherever a repetition was seen.
func totals(r oracle.Result) string {
	r.Counts.OrderedPairs = 0 // a judge without memory does not know
	text := fmt.Sprintf("%+v %s", r.Counts, r.Verdict)
	for _, name := range oracle.Names() {
		text += fmt.Sprintf(" %d %s", r.Anomalies[name].Total, name)
	}
	return text
}
