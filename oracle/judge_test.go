package oracle_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// A check that crashes knows nothing; it never passes.
func TestCrashedCheckIsUnknown(t *testing.T) {
	c := oracle.CrashingCheck(oracle.New(oracle.Config{}))
	if c.Verdict != oracle.Unknown || !strings.Contains(c.Reason, "planted") {
		t.Errorf("%+v", c)
	}
}

// Result may be asked for at any time, and again: it changes nothing.
func TestResultCanBeRepeated(t *testing.T) {
	for _, s := range tales(t) {
		once := s.judge(oracle.New(oracle.Config{Contract: s.contract}))
		j := oracle.New(oracle.Config{Contract: s.contract})
		for i := range s.events {
			j.Observe(&s.events[i])
			j.Result()
		}
		for range 2 {
			if got := j.Result(); !reflect.DeepEqual(got, once) {
				t.Fatalf("%s: judged again and again: %+v\nonce: %+v", s.name, got, once)
			}
		}
	}
}

func TestWitnessesAreLimited(t *testing.T) {
	for limit, want := range map[int]int{0: 10, 3: 3, -1: 0} {
		s := parseTale(t, "inline", "send p1 0..49\nsend p2 0..49\ndone g p1 0..9\ndrain g\nend")
		r := s.judge(oracle.New(oracle.Config{Witnesses: limit}))
		if len(r.Witnesses) != want || r.Counts.Lost != 90 {
			t.Errorf("limit %d: %d witnesses of %d lost", limit, len(r.Witnesses), r.Counts.Lost)
		}
		if want > 0 && r.Witnesses[0].Message != (queue.Identity{Run: 7, Producer: 1, Seq: 10}) {
			t.Errorf("the first witness is %v", r.Witnesses[0].Message)
		}
	}
}

// Damaged numbers must not cost memory: a page each would be 100 kB.
func TestWildNumbersCostNothing(t *testing.T) {
	s := parseTale(t, "inline", "life g p1 0..9\ndrain g\nend")
	j := oracle.New(oracle.Config{})
	for i := range s.events {
		j.Observe(&s.events[i])
	}
	before := heap()
	for i := range uint64(100_000) {
		id := queue.Identity{Run: 7, Producer: uint32(i), Seq: 1<<20 + i*1e9}
		for _, kind := range []history.Kind{history.Deliver, history.Processed, history.Invoke, history.Reserve, history.Outcome} {
			j.Observe(&history.Event{Kind: kind, Identity: id, Group: "g"})
		}
		id.Producer = 1
		j.Observe(&history.Event{Kind: history.Deliver, Identity: id, Group: "g"})
	}
	grown := int64(heap()) - int64(before)
	r := j.Result()
	if grown > 60<<20 || r.Anomalies[oracle.Unexpected].Total < 200_000 {
		t.Errorf("%d bytes, %d unexpected", grown, r.Anomalies[oracle.Unexpected].Total)
	}
}

// Pages are an inner matter: the judgement must not depend on where they end.
func TestManyPages(t *testing.T) {
	s := parseTale(t, "inline", `
		step 10us
		contract at-least-once order=key
		send p1 0..9999 back=1
		done g p1 1..4094
		done g p1 4097..8191
		done g p1 4096
		done g p1 8193..9998
		drain g
		end`)
	r := s.judge(oracle.New(oracle.Config{Contract: s.contract}))
	c := r.Counts
	if c.LostPrefix != 1 || c.LostMiddle != 2 || c.LostTail != 1 || r.Anomalies[oracle.Reordered].Total != 1 || c.Delivered != 9996 {
		t.Errorf("%+v %+v", c, r.Anomalies)
	}
}

func TestTooManyGroupsIsUnknown(t *testing.T) {
	var lines strings.Builder
	lines.WriteString("life g p1 0..3\n")
	for i := range 70 {
		lines.WriteString("done g" + strings.Repeat("x", i) + " p1 0..3\n")
	}
	s := parseTale(t, "inline", lines.String()+"end")
	r := s.judge(oracle.New(oracle.Config{}))
	if r.Verdict != oracle.Unknown || !strings.Contains(strings.Join(r.Reasons, "\n"), "more than 64 groups") {
		t.Errorf("%s %q", r.Verdict, r.Reasons)
	}
}

func TestVerbsOfTheConfig(t *testing.T) {
	s := parseTale(t, "inline", `
		begin rule-1
		seen rule-1 hits=0
		send p1 0
		hit rule-1 p1 1
		send p1 1..2
		done g p1 0,2
		healed rule-1
		drain g
		end`)
	contract := oracle.Contract{Forgive: []string{"caused"}}
	if r := s.judge(oracle.New(oracle.Config{Contract: contract})); r.Verdict != oracle.Fail {
		t.Errorf("a fault of an unknown verb excuses a loss: %s", r.Verdict)
	}
	verbs := func(string) string { return "lose" }
	if r := s.judge(oracle.New(oracle.Config{Contract: contract, Verbs: verbs})); r.Verdict != oracle.Pass {
		t.Errorf("%s %q", r.Verdict, r.Reasons)
	}
}

// A history may have more outages than are kept; then it says so, and does not grow.
func TestTooManyOutages(t *testing.T) {
	j := oracle.New(oracle.Config{})
	at, id := int64(0), queue.Identity{Run: 7}
	emit := func(kind history.Kind, after time.Duration) {
		at += int64(after)
		outcome := map[bool]queue.Outcome{true: queue.OK}[kind == history.Outcome]
		j.Observe(&history.Event{Kind: kind, Identity: id, Group: map[bool]string{true: "g"}[kind == history.Deliver], At: at,
			Outcome: outcome})
	}
	for range 20_000 {
		for _, wait := range []time.Duration{0, 0, 0, 0, 0, 300 * time.Millisecond, 3 * time.Second} {
			emit(history.Invoke, 0)
			emit(history.Outcome, wait%time.Second)
			emit(history.Deliver, wait%time.Second)
			id.Seq++
			at += int64(wait)
		}
	}
	r := j.Result()
	reasons := strings.Join(r.Reasons, "\n")
	if len(r.Outages) > 40_000 || !strings.Contains(reasons, "outages of the producers") || !strings.Contains(reasons, `of group "g"`) {
		t.Errorf("%d outages, %s", len(r.Outages), reasons)
	}
}

// What the pages hold at the end is held against what was counted event by event.
func TestAccountIsHeldAgainstTheEvents(t *testing.T) {
	s := parseTale(t, "inline", "life g p1 0..9\ndrain g\nend")
	j := oracle.New(oracle.Config{})
	if r := s.judge(j); r.Verdict != oracle.Pass {
		t.Fatalf("%s %q", r.Verdict, r.Reasons)
	}
	oracle.Forget(j, queue.Identity{Run: 7, Producer: 1, Seq: 4})
	want := "the events make 10 acked, 0 failed and 0 in doubt, and 9, 0 and 1 were found"
	if r := j.Result(); r.Verdict != oracle.Unknown || !strings.Contains(strings.Join(r.Reasons, "\n"), want) {
		t.Errorf("%s %q", r.Verdict, r.Reasons)
	}
}

func TestNormalLag(t *testing.T) {
	for _, c := range []struct{ most, rate, want float64 }{
		{0, 0, 50}, {25, 200, 50}, {26, 0, 52}, {100, 1000, 250}, {200, 1000, 400},
	} {
		if got := oracle.NormalLag(c.most, c.rate); got != c.want {
			t.Errorf("NormalLag(%v, %v) = %v, want %v", c.most, c.rate, got, c.want)
		}
	}
}

// However long a chain is and whatever is missing of it, each message is looked at once. Were it searched anew for each, this
// would take minutes.
func TestLongChainsAreNotSearched(t *testing.T) {
	const n = 300_000
	j := oracle.New(oracle.Config{Contract: oracle.Contract{Order: oracle.OrderKey}})
	id := queue.Identity{Run: 7}
	for i := range n { // none is confirmed but the first, and they come backwards
		id.Seq = uint64(i)
		j.Observe(&history.Event{Kind: history.Invoke, Identity: id, Back: uint32(min(i, 1))})
		if i == 0 {
			j.Observe(&history.Event{Kind: history.Outcome, Identity: id, Outcome: queue.OK})
		}
	}
	for i := range n {
		id.Seq = uint64(n - 1 - i)
		j.Observe(&history.Event{Kind: history.Deliver, Identity: id, Group: "g"})
	}
	if got := j.Result().Anomalies[oracle.Reordered].Total; got != 1 {
		t.Errorf("%d reordered, want the first", got)
	}
}

func TestTooManySourcesIsUnknown(t *testing.T) {
	s := parseTale(t, "inline", strings.Repeat("source g topic\n", 70)+"life g p1 0..3\ndrain g\nend")
	r := s.judge(oracle.New(oracle.Config{}))
	if r.Verdict != oracle.Unknown || !strings.Contains(strings.Join(r.Reasons, "\n"), "too many sources") {
		t.Errorf("%s %q", r.Verdict, r.Reasons)
	}
}
